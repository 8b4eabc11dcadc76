"""The files of the desk: vendored ones as they were published, its own under an address that never changes."""

import base64
import gzip
import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response

from schemas.vocabulary import LANGUAGES
from schemas.wording.catalogue import read_catalogue
from services.console.api import status_router
from services.console.desk import SPOKEN, hash_files, language_document, read_files
from services.platform.http.middleware import install_problems
from services.status.report import Status
from tests.fakes import DrivenClock
from tests.parts.pmtiles import archive
from tests.unit.console.test_status import compose

ROOT = Path(__file__).parents[3]
CONSOLE = ROOT / "services" / "console"
VENDOR = CONSOLE / "vendor"


def packages() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads((VENDOR / "vendor.toml").read_text())["package"]
    return found


async def get(path: str, *, basemap: Path | None = None, **headers: str) -> Response:
    async def supply() -> Status:
        return compose()

    app = FastAPI()
    install_problems(app)
    app.include_router(status_router(supply, DrivenClock(), None if basemap is None else str(basemap)))
    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        return await client.get(path, headers={name.replace("_", "-"): text for name, text in headers.items()})


def test_vendored_files_are_those_that_were_published() -> None:
    hashes = {name.rpartition("/")[2]: one for package in packages() for name, one in package["files"].items()}
    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in VENDOR.iterdir()}
    del found["vendor.toml"]
    assert found == hashes


def test_every_vendored_package_has_its_licence_in_the_notice() -> None:
    notice = (ROOT / "NOTICE").read_text()
    for package in packages():
        assert f"{package['name']} {package['version']} ({package['licence']})" in notice


async def test_a_file_is_kept_for_ever_and_sent_packed() -> None:
    contents = read_files()
    base = f"/console/{hash_files(contents)}/"
    packed = await get(base + "main.js", accept_encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert "immutable" in packed.headers["cache-control"]
    plain = await get(base + "main.js", accept_encoding="identity")
    assert plain.content == packed.content == contents["main.js"].content
    assert gzip.decompress(contents["main.js"].packed) == plain.content
    assert (await get(base + "none.js")).status_code == 404
    assert (await get("/console/0000000000000000/main.js")).status_code == 404


@pytest.mark.parametrize("path", ["/console/", "/console/truces/aleppo-calm", "/console/incidents?verdict=violation"])
async def test_every_page_is_one_shell_under_a_strict_policy(path: str) -> None:
    answer = await get(path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy
    (imports,) = re.findall(r'<script type="importmap">(.*?)</script>', answer.text)
    digest = base64.b64encode(hashlib.sha256(imports.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy
    for place in json.loads(imports)["imports"].values():
        assert (await get(place)).status_code == 200


async def test_the_operators_base_of_the_map_is_sent_in_parts_until_it_is_gone(tmp_path: Path) -> None:
    file = tmp_path / "streets.pmtiles"
    file.write_bytes(archive())
    (place,) = re.findall(r'data-region="([^"]+)"', (await get("/console/", basemap=file)).text)
    part = await get(place, basemap=file, range="bytes=0-6")
    assert (part.status_code, part.content) == (206, b"PMTiles")
    file.touch()
    assert (await get(place, basemap=file)).headers["etag"] == part.headers["etag"]
    file.write_bytes(archive() + b"changed")
    assert place not in (await get("/console/", basemap=file)).text
    assert 'data-region=""' in (await get("/console/")).text


async def test_the_first_address_leads_to_the_desk_with_its_query() -> None:
    answer = await get("/?language=ar")
    assert (answer.status_code, answer.headers["location"]) == (307, "/console/?language=ar")


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_counts_has_every_form_of_the_language(language: str) -> None:
    document = language_document(language)  # type: ignore[arg-type]
    forms = {"en": 2, "ar": 6, "ru": 3}[language]
    for key in read_catalogue("en").counted:
        if key.startswith(SPOKEN):
            assert len(document[key]) == forms, key  # type: ignore[arg-type]


def test_the_parts_that_are_loaded_late_stay_within_their_budgets() -> None:
    """desk.md, "Budgets", in bytes as they are sent."""
    size = {name: len(file.packed) for name, file in read_files().items()}
    drawing = ("vendor/maplibre-gl.mjs", "vendor/maplibre-gl-worker.mjs", "vendor/maplibre-gl.css", "vendor/pmtiles.js")
    assert sum(size[name] for name in (*drawing, "map.js", "map_style.js", "basemap.js", "trusted.js")) <= 480_000
    assert sum(size[name] for name in ("vendor/uPlot.iife.min.js", "vendor/uPlot.min.css", "pages/charts.js")) <= 27_000
    assert (CONSOLE / "base" / "world.pmtiles").stat().st_size <= 2_000_000


def modules() -> dict[str, str]:
    return {file.name: file.read_text("utf-8") for file in (CONSOLE / "desk").rglob("*.js")}


def test_no_module_makes_markup_of_text() -> None:
    for name, text in modules().items():
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|eval\(|document\.write", text
        ), name
