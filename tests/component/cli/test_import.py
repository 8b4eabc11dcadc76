"""Files of others, imported twice, in another order, corrected and taken back, on a system that judges them."""

import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.instants import parse_instant
from schemas.zones import find_zone
from services.cli.reading import checked, find_unknown
from services.cli.release import Release, find_missing_events, note_events
from services.cli.sending import Summary, send_outcomes
from services.client import AsyncClient
from services.connectors.file_facts import ReadingOptions
from services.connectors.files import open_file, survey
from services.connectors.model import AdapterMap, RowContext
from tests.component.assembled import Assembled, assembled
from tests.fakes import DrivenClock
from tests.unit.connectors.reading import sample
from tests.unit.connectors.test_samples import HXL_TABLES

NOW = parse_instant("2026-11-27T12:00:00Z")
DAMASCUS = find_zone("Asia/Damascus")


@asynccontextmanager
async def system(folder: Path) -> AsyncIterator[tuple[Assembled, AsyncClient]]:
    """Everything assembled, and the client of the commands with a partner's key."""
    async with assembled(folder, clock=DrivenClock(NOW)) as running:
        key = await running.make_key("analyst", "partner")
        transport = httpx.ASGITransport(running.assembly.asgi)
        async with AsyncClient("http://trucewatch.test", key, transport=transport, sleep=running.clock.sleep) as api:
            yield running, api


async def send(
    api: AsyncClient, data: bytes, tables: AdapterMap = AdapterMap(), *, full_release: bool = False
) -> Summary:
    """As ``trucewatch import`` does."""
    opened, context = open_file(data, ReadingOptions(tables=tables)), RowContext(tables, DAMASCUS)
    outcomes = checked(opened, context, survey(opened, context), NOW)
    release = Release()
    summary = await send_outcomes(api, note_events(outcomes, release, DAMASCUS), lambda _: None)
    if full_release:
        missing = await find_missing_events(api, release, summary, DAMASCUS)
        await send_outcomes(api, missing, lambda _: None, summary)
    return summary


def told(summary: Summary) -> tuple[int, int, int, int]:
    return summary.accepted, summary.unchanged, summary.withdrawn, len(summary.refused)


async def state(api: AsyncClient) -> dict[str, Any]:
    """The revisions of each incident, without times of receipt."""
    return {
        item["external_id"]: (item["revision"], item["state"], item["verdict"], item["report"])
        async for item in api.list_incidents()
    }


@pytest.mark.parametrize(
    ("name", "tables", "first"),
    [
        ("acled_rows.csv", AdapterMap(), (7, 0, 0, 1)),
        ("acled_api_page.json", AdapterMap(), (3, 0, 0, 0)),
        ("ucdp_api_page.json", AdapterMap(), (20, 0, 0, 0)),
        ("hxl_incidents.csv", HXL_TABLES, (2, 0, 0, 1)),
    ],
)
async def test_the_same_file_twice_changes_nothing(
    tmp_path: Path, name: str, tables: AdapterMap, first: tuple[int, int, int, int]
) -> None:
    async with system(tmp_path) as (running, api):
        assert told(await send(api, sample(name), tables)) == first
        await running.settle()
        before = await state(api)
        assert told(await send(api, sample(name), tables)) == (0, first[0], 0, first[3])
        await running.settle()
        assert await state(api) == before
        assert {one[1] for one in before.values()} == {"assessed"}


async def test_rows_in_another_order_give_the_same_state(tmp_path: Path) -> None:
    header, *rows = sample("ucdp_candidate_next_release.csv").splitlines(keepends=True)
    random.Random(7).shuffle(rows)
    states = []
    for number, data in enumerate((sample("ucdp_candidate_next_release.csv"), b"".join([header, *rows]))):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with system(folder) as (running, api):
            await send(api, data)
            await running.settle()
            states.append(await state(api))
    assert states[0] == states[1]


async def test_a_run_that_broke_off_is_run_again(tmp_path: Path) -> None:
    header, *rows = sample("ucdp_candidate_next_release.csv").splitlines(keepends=True)
    async with system(tmp_path) as (_, api):
        await send(api, b"".join([header, *rows[:7]]))
        assert told(await send(api, b"".join([header, *rows]))) == (len(rows) - 7, 7, 0, 0)


async def test_a_table_with_moments_is_taken(tmp_path: Path) -> None:
    table = b"external_id,occurred,act,location.place,source.name\na,2016-05-08T10:00:00+03:00,shelling,Aleppo,Desk\n"
    async with system(tmp_path) as (_, api):
        assert told(await send(api, table)) == (1, 0, 0, 0)
        assert told(await send(api, table)) == (0, 1, 0, 0)


async def test_a_newer_release_revises_one_event_and_takes_one_back_only_when_told_to(tmp_path: Path) -> None:
    async with system(tmp_path) as (running, api):
        await send(api, sample("ucdp_api_page.json"))
        release = sample("ucdp_candidate_next_release.csv")
        assert told(await send(api, release)) == (1, 18, 0, 0)
        assert told(await send(api, release, full_release=True)) == (0, 19, 1, 0)
        assert told(await send(api, release, full_release=True)) == (0, 19, 0, 0)
        await running.settle()
        found = await state(api)
        assert found["ucdp-218954"][1] == "retracted"
        assert found["ucdp-216581"][0] == 2


async def test_a_deletion_takes_an_event_back_once(tmp_path: Path) -> None:
    async with system(tmp_path) as (_, api):
        await send(api, sample("acled_rows.csv"))
        assert told(await send(api, sample("acled_deleted_page.json"))) == (0, 0, 1, 0)
        assert told(await send(api, sample("acled_deleted_page.json"))) == (0, 1, 0, 0)
        assert (await state(api))["acled-SYR900004"][1] == "retracted"


async def test_an_old_file_undoes_no_correction(tmp_path: Path) -> None:
    old = sample("acled_api_page.json")
    async with system(tmp_path) as (_, api):
        await send(api, old)
        assert told(await send(api, old.replace(b'"fatalities": 3', b'"fatalities": 5'))) == (1, 2, 0, 0)
        summary = await send(api, old)
        assert told(summary) == (0, 2, 0, 1)
        assert summary.refused[0].row.faults[0].code == "stale"


async def test_names_that_resolve_to_no_party_are_listed_most_frequent_first(tmp_path: Path) -> None:
    async with system(tmp_path) as (_, api):
        names = Counter({"Brigade 7": 2, "Syrian government": 5, "Brigade 9": 4, "Unknown": 3})
        names.update({f"Battalion {n}": 1 for n in range(60)})
        found = await find_unknown(api, names)
    assert found[:2] == [("Brigade 9", 4), ("Brigade 7", 2)]
    assert len(found) == 62
