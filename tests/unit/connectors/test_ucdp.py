"""UCDP GED as it is published becomes reports."""

import csv
import io
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import pytest

from schemas.report import Report
from services.connectors.file_facts import ReadingOptions
from services.connectors.files import read_file
from services.connectors.model import AdapterMap, RefusedRow, ReportDraft, RowContext
from services.connectors.ucdp import HEADLESS, read_ucdp_row

FILE: Final = Path(__file__).parents[3] / "deploy/scenarios/syria_2016/ucdp_ged_20160220_20160601.csv"
CONTEXT: Final = RowContext(AdapterMap(), ZoneInfo("Asia/Damascus"))
ROW: Final = {
    "id": "313373",
    "type_of_violence": "1",
    "dyad_name": "Government of Syria - Syrian insurgents",
    "side_a": "Ahrar al-Sham, Jabhat Fateh al-Sham",
    "side_b": "Syrian insurgents",
    "source_office": "SOHR;BBC Monitoring",
    "source_headline": "A headline",
    "where_prec": "2",
    "where_coordinates": "Daraa  town",
    "latitude": "32.61889",
    "longitude": "36.10213",
    "event_clarity": "1",
    "date_start": "2016-02-26",
    "date_end": "2016-02-26",
    "best": "4",
}


def read(**changes: str) -> dict[str, Any]:
    outcome = read_ucdp_row({**ROW, **changes}, CONTEXT)
    assert isinstance(outcome, ReportDraft)
    return outcome.report


def test_a_row_becomes_a_report() -> None:
    assert read() == {
        "external_id": "ucdp-313373",
        "occurred": {"date": "2016-02-26"},
        "act": "armed_clash",
        "location": {"place": "Daraa town", "lat": 32.61889, "lon": 36.10213, "radius_km": 25},
        "perpetrators": ["Ahrar al-Sham", "Jabhat Fateh al-Sham"],
        "targets": ["Syrian insurgents"],
        "casualties": {"killed": 4},
        "aggregate": False,
        "description": "A headline",
        "source": {"name": "UCDP GED", "grade": "C3", "quotes": ["SOHR", "BBC Monitoring"]},
        "language": "en",
    }


def test_several_days_are_an_interval_of_whole_local_days() -> None:
    """Damascus was UTC+2 until 25 March 2016, when its midnight did not exist."""
    assert read(date_start="2016-03-20", date_end="2016-03-25")["occurred"] == {
        "from": "2016-03-19T22:00:00Z",
        "to": "2016-03-25T21:00:00Z",
    }


def test_one_sided_violence_harms_civilians() -> None:
    assert read(type_of_violence="3")["act"] == "civilian_harm"


def test_an_unclear_event_is_an_aggregate() -> None:
    assert read(event_clarity="2")["aggregate"] is True


@pytest.mark.parametrize(
    ("precision", "radius"), [("1", 1), ("2", 25), ("3", 50), ("4", 100), ("5", 200), ("6", 300), ("7", 300)]
)
def test_the_radius_follows_from_the_precision(precision: str, radius: float) -> None:
    assert read(where_prec=precision)["location"]["radius_km"] == radius


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("where_prec", "8"),
        ("best", "many"),
        ("latitude", "north"),
        ("date_start", "26/02/2016"),
        ("type_of_violence", "4"),
        ("id", ""),
        ("side_a", ""),
    ],
)
def test_a_row_of_another_kind_is_refused_by_its_column(column: str, value: str) -> None:
    outcome = read_ucdp_row({**ROW, column: value}, CONTEXT)
    assert isinstance(outcome, RefusedRow)
    assert [fault.column for fault in outcome.faults] == [column]


def published() -> list[ReportDraft]:
    outcomes = [row.outcome for row in read_file(FILE.read_bytes(), ReadingOptions(), CONTEXT)]
    drafts = [outcome for outcome in outcomes if isinstance(outcome, ReportDraft)]
    assert len(drafts) == len(outcomes)
    return drafts


def test_the_published_file_is_read_without_one_error() -> None:
    reports = [msgspec.convert(draft.report, Report) for draft in published()]
    assert len(reports) == 1_509
    assert len({report.external_id for report in reports}) == 1_509


def test_nothing_of_the_published_file_is_lost_on_the_way() -> None:
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    killed = sum(int(row["best"]) for row in rows)
    reports = [draft.report for draft in published()]
    assert sum(report["casualties"]["killed"] for report in reports) == killed
    assert sum(report["aggregate"] for report in reports) == sum(row["event_clarity"] == "2" for row in rows)


# --- every layout that was published


def release(header: bool = True, tags: bool = False, **changes: str) -> bytes:
    """Two rows of the candidate dataset."""
    rows = [dict.fromkeys(HEADLESS, "") | ROW | {"id": id} | changes for id in ("1", "2")]
    lines: list[list[str]] = [list(HEADLESS)] if header else []
    if tags:
        lines.append([f"#meta+{name}" for name in HEADLESS])
    file = io.StringIO(newline="")
    csv.writer(file).writerows([*lines, *([row[name] for name in HEADLESS] for row in rows)])
    return file.getvalue().encode()


def ids(data: bytes) -> list[str]:
    return [
        row.outcome.external_id
        for row in read_file(data, ReadingOptions(), CONTEXT)
        if isinstance(row.outcome, ReportDraft)
    ]


@pytest.mark.parametrize(
    "data",
    [release(), release(header=False), release(tags=True), release(event_clarity="1.0", type_of_violence="1.0")],
    ids=["as published", "without a header", "with a row of hashtags", "codes with a decimal point"],
)
def test_each_layout_gives_the_same_events(data: bytes) -> None:
    assert ids(data) == ["ucdp-1", "ucdp-2"]


def test_columns_are_read_by_name_and_never_by_position() -> None:
    rows = list(csv.reader(io.StringIO(release().decode())))
    turned = io.StringIO(newline="")
    csv.writer(turned).writerows([row[::-1][:-1] + row[:1] for row in rows])
    assert ids(turned.getvalue().encode()) == ["ucdp-1", "ucdp-2"]


@pytest.mark.parametrize("value", ["", "NULL", "0", "3", "2.5", "x"])
def test_a_clarity_that_the_code_book_does_not_have_is_refused_and_never_one_event(value: str) -> None:
    outcome = read_ucdp_row({**ROW, "event_clarity": value}, CONTEXT)
    assert isinstance(outcome, RefusedRow)
    assert [fault.column for fault in outcome.faults] == ["event_clarity"]


def test_a_sum_of_events_is_an_aggregate_however_its_code_is_written() -> None:
    assert read(event_clarity="2.0")["aggregate"] is True


def test_an_event_that_is_not_clear_is_graded_lower() -> None:
    assert read(code_status="Check note")["source"]["grade"] == "C4"
    assert read(code_status="Clear")["source"]["grade"] == "C3"


def test_a_page_of_the_api_tells_nothing_from_nought() -> None:
    page = {
        "Result": [{**ROW, "id": 5, "best": 0, "gwnoa": None, "latitude": 32.5, "date_start": "2016-02-26T00:00:00"}]
    }
    [row] = list(read_file(msgspec.json.encode(page), ReadingOptions(), CONTEXT))
    assert isinstance(row.outcome, ReportDraft)
    assert row.outcome.report["casualties"] == {"killed": 0}
    assert row.outcome.report["occurred"] == {"date": "2016-02-26"}
