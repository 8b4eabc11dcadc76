"""An export of incidents, imported again, is the same reports; its memory is bounded by one page."""

import asyncio
import tracemalloc
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.assessments import Interval
from schemas.examples import REPORT
from schemas.report import Report
from services.connectors.file_facts import ReadingOptions
from services.connectors.files import open_file, read_file
from services.connectors.model import AdapterMap, ReportDraft, RowContext
from services.ingest.export import csv_of, geojson_of
from services.ingest.listing import Listed
from services.ingest.wire import IncidentSummary
from services.platform.http.exports import SLICE
from services.platform.paging import PageQuery
from tests.unit.connectors.reading import DAMASCUS

_QUERY: Final = PageQuery(by="received", descending=False, limit=100, start=None, end=None, chosen={})
#: A cell has no blanks at its end; characters that no report may hold are refused at the edge.
_TEXT: Final = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30)
_WORD: Final = st.sampled_from(
    ["=1+1", "-2", "@x", "'", "'=a", "nan", "-", "n/a", "a,b", 'a"b', "حلب", "0042", "a\u00a0 b"]
)
_SAID: Final = (_TEXT | _WORD).filter(lambda text: text == text.strip())
_NAME: Final = _SAID.filter(lambda text: ";" not in text)
_NAMES: Final = st.lists(_NAME.filter(lambda name: name[0] != "'"), max_size=3, unique=True)


def listed(number: int, report: dict[str, Any]) -> Listed:
    raw: Any = msgspec.Raw(msgspec.json.encode(report))
    summary = IncidentSummary(
        f"inc-{number}", report["external_id"], "desk", 1, "2016-05-09T00:00:00Z", "assessed", "violation", "Likely",
        "Severe", ["aleppo-calm"], Interval("2016-05-07T21:00:00Z", "2016-05-08T21:00:00Z"), raw,
    )  # fmt: skip
    return Listed((number,), summary)


async def _export(items: Sequence[Listed], write: Any = csv_of) -> list[Any]:
    async def read(page: PageQuery) -> Sequence[Listed]:
        start = int(page.after[0]) + 1 if page.after else 0
        return items[start : start + page.limit + 1]

    return [part async for part in write(_QUERY, read)]


@st.composite
def reports(draw: st.DrawFn) -> dict[str, Any]:
    moments = st.sampled_from(["2016-05-08T00:00:00+03:00", "2016-05-08T10:30:00Z"])
    occurred = draw(
        moments
        | st.just({"date": "2016-05-08"})
        | st.fixed_dictionaries({"from": moments, "to": st.just("2016-05-09T00:00:00+03:00")})
    )
    optional = {
        "perpetrators": _NAMES,
        "targets": _NAMES,
        "claims": st.just(["accident", "self_defence"]),
        "sites": st.just(["hospital"]),
        "aggregate": st.just(True),
        "description": _SAID,
        "evidence": st.just(["https://example.org/1?a=b&c", "photo 7"]),
        "language": st.just("ar"),
        "casualties": st.fixed_dictionaries({}, optional={"killed": st.integers(0, 999), "injured": st.integers(0, 9)}),
    }
    rest = draw(st.fixed_dictionaries({}, optional=optional))
    place = st.fixed_dictionaries(
        {"place": _SAID},
        optional={"lat": st.floats(-89, 89), "area": _SAID},
    )
    source = st.fixed_dictionaries({"name": _SAID}, optional={"grade": st.just("B2"), "url": _SAID, "quotes": _NAMES})
    location = draw(place)
    if "lat" in location:
        location |= {"lon": draw(st.floats(-179, 179)), "radius_km": draw(st.floats(0.001, 300))}
    id = draw(st.from_regex(r"[=@'a-z][a-z]{3,9}", fullmatch=True))
    return {
        "external_id": id,
        "occurred": occurred,
        "act": "shelling",
        "location": location,
        "source": draw(source),
    } | rest


def _canonical(report: dict[str, Any]) -> Report:
    return msgspec.convert(report, Report, strict=False)


@given(st.lists(reports(), min_size=1, max_size=2, unique_by=lambda report: str(report["external_id"])))
def test_an_export_imports_to_the_same_reports(given: list[dict[str, Any]]) -> None:
    data = "".join(asyncio.run(_export([listed(n, one) for n, one in enumerate(given)]))).encode()
    assert open_file(data).facts.kind == "reports"
    found = [row.outcome for row in read_file(data, ReadingOptions(), RowContext(AdapterMap(), DAMASCUS))]
    drafts = [one.report for one in found if isinstance(one, ReportDraft)]
    assert [_canonical(one) for one in drafts] == [_canonical(one) for one in given], found


@given(st.lists(reports(), max_size=3, unique_by=lambda report: str(report["external_id"])))
def test_an_export_as_geojson_imports_to_the_same_reports(given: list[dict[str, Any]]) -> None:
    data = b"".join(asyncio.run(_export([listed(n, one) for n, one in enumerate(given)], geojson_of)))
    collection = msgspec.json.decode(data)
    assert [one["id"] for one in collection["features"]] == [f"inc-{n}" for n in range(len(given))]
    for feature, one in zip(collection["features"], given, strict=True):
        there = "lat" in one["location"]
        assert feature["geometry"] == (
            {"type": "Point", "coordinates": [one["location"]["lon"], one["location"]["lat"]]} if there else None
        )
    if given:
        found = [row.outcome for row in read_file(data, ReadingOptions(), RowContext(AdapterMap(), DAMASCUS))]
        drafts = [one.report for one in found if isinstance(one, ReportDraft)]
        assert [_canonical(one) for one in drafts] == [_canonical(one) for one in given], found


@pytest.mark.parametrize("write", [csv_of, geojson_of])
def test_an_export_holds_no_more_than_a_page(write: Any) -> None:
    class Many(Sequence[Listed]):
        def __len__(self) -> int:
            return 20 * SLICE

        def __getitem__(self, at: Any) -> Any:
            return [listed(n, REPORT | {"external_id": f"r{n}"}) for n in range(*at.indices(len(self)))]

    async def drain(pages: int) -> int:
        many, read_pages = Many(), 0

        async def read(page: PageQuery) -> Sequence[Listed]:
            nonlocal read_pages
            read_pages += 1
            start = int(page.after[0]) + 1 if page.after else 0
            found: Sequence[Listed] = many[start : min(start + page.limit + 1, pages * SLICE)]
            return found

        tracemalloc.start()
        async for _ in write(_QUERY, read):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert read_pages == pages
        return peak

    assert asyncio.run(drain(6)) < 1.5 * asyncio.run(drain(2))
