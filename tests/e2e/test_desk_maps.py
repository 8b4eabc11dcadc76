"""The maps of the desk: the operator's own base, what is drawn without a graphics processor, and choosing a place."""

from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import expect

from tests.parts.chromium import Chromium
from tests.parts.desk import WAIT_MS, WIDE, Desk, open_desk
from tests.parts.pmtiles import archive

READY: Final = "#map[data-ready=true]"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, chromium: Chromium) -> Iterator[Desk]:
    directory = tmp_path_factory.mktemp("maps")
    basemap = directory / "streets.pmtiles"
    basemap.write_bytes(archive())
    with open_desk(directory, chromium, TRUCEWATCH_BASEMAP=str(basemap)) as desk:
        yield desk


@pytest.fixture
def desk(running: Desk) -> Iterator[Desk]:
    """Nothing may go wrong on the page while a test uses it."""
    running.forget()
    running.page.set_viewport_size(WIDE)
    yield running
    assert running.complaints == []


def test_the_operators_own_base_is_read_in_parts_and_attributed(desk: Desk) -> None:
    desk.open("/", language="en")
    expect(desk.page.locator(READY)).to_be_visible(timeout=WAIT_MS)
    expect(desk.page.locator(".credit")).to_have_text("Base: Natural Earth, © Street surveyors", timeout=WAIT_MS)
    asked = [answer for answer in desk.answers if "/console/region/" in answer[1]]
    assert {status for status, _ in asked} == {206}
    (place,) = {url for _, url in asked}
    assert desk.client.get(place).headers["cache-control"].startswith("public, max-age=31536000, immutable")
