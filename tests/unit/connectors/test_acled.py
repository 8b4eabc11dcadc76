"""ACLED's code book, row by row."""

from typing import Any, Final

import pytest

from schemas.vocabulary import ACTS as OURS
from services.connectors.acled import ACTS, ANNOUNCEMENT, read_acled_row
from services.connectors.model import AdapterMap, RefusedRow, ReportDraft, RowContext, RowOutcome, WithdrawnReport
from tests.unit.connectors.reading import DAMASCUS

ROW: Final = {
    "event_id_cnty": "SYR1",
    "event_date": "2016-02-29",
    "time_precision": "1",
    "sub_event_type": "Armed clash",
    "actor1": "Opposition Rebels (Syria)",
    "actor2": "Military Forces of Syria (2000-2024)",
    "inter2": "1",
    "location": "Kinsabba",
    "latitude": "35.75",
    "longitude": "36.2",
    "geo_precision": "1",
    "source": "SOHR",
    "fatalities": "4",
    "timestamp": "1700000001",
}


def outcome(tables: AdapterMap = AdapterMap(), **changes: str) -> RowOutcome:
    return read_acled_row({**ROW, **changes}, RowContext(tables, DAMASCUS))


def read(tables: AdapterMap = AdapterMap(), **changes: str) -> dict[str, Any]:
    found = outcome(tables, **changes)
    assert isinstance(found, ReportDraft), found
    return found.report


@pytest.mark.parametrize("sub_event", [name for name in ACTS if name != ANNOUNCEMENT])
def test_every_sub_event_has_an_act_of_the_vocabulary(sub_event: str) -> None:
    assert read(sub_event_type=sub_event)["act"] in OURS


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("sub_event_type", "Drone swarm"),
        ("sub_event_type", ""),
        ("time_precision", "4"),
        ("geo_precision", "0"),
        ("event_date", "29/02/2016"),
        ("event_date", "2015-02-29"),
        ("latitude", "north"),
        ("fatalities", "1,200"),
        ("fatalities", "many"),
        ("event_id_cnty", "2.01605E+13"),
    ],
)
def test_what_the_code_book_does_not_have_is_refused_by_its_column(column: str, value: str) -> None:
    found = outcome(AdapterMap(), **{column: value})
    assert isinstance(found, RefusedRow)
    assert [fault.column for fault in found.faults] == [column]


def test_all_faults_of_a_row_are_told_at_once() -> None:
    found = outcome(sub_event_type="x", fatalities="y", event_date="z")
    assert isinstance(found, RefusedRow)
    assert {fault.column for fault in found.faults} == {"sub_event_type", "fatalities", "event_date"}


@pytest.mark.parametrize("inter", ["7", "Civilians"])
def test_civilians_are_a_target_in_old_files_and_in_new_ones(inter: str) -> None:
    assert read(inter2=inter)["targets"] == ["Military Forces of Syria", "civilians"]


@pytest.mark.parametrize(
    ("precision", "occurred"),
    [
        ("1", {"date": "2016-02-29"}),
        ("2", {"from": "2016-02-25T22:00:00Z", "to": "2016-03-03T22:00:00Z"}),
        ("3", {"from": "2016-01-31T22:00:00Z", "to": "2016-02-29T22:00:00Z"}),
        ("3.0", {"from": "2016-01-31T22:00:00Z", "to": "2016-02-29T22:00:00Z"}),
    ],
)
def test_the_time_is_as_wide_as_its_precision(precision: str, occurred: dict[str, str]) -> None:
    report = read(time_precision=precision)
    assert report["occurred"] == occurred
    assert report["aggregate"] is (precision != "1")


def test_none_or_not_stated_is_no_count_of_dead() -> None:
    assert read(fatalities="0")["casualties"] == {}
    assert read(fatalities="4.0")["casualties"] == {"killed": 4}


def test_actors_are_parties_where_the_operator_says_so() -> None:
    tables = AdapterMap(names={"Military Forces of Syria": "syria-gov"}, grade="B2")
    report = read(tables)
    assert report["targets"] == ["syria-gov"]
    assert report["source"]["grade"] == "B2"


def test_the_mark_of_revision_is_the_source_s() -> None:
    found = outcome()
    assert isinstance(found, ReportDraft)
    assert found.mark == "1700000001"


def test_a_deletion_takes_the_event_back() -> None:
    context = RowContext(AdapterMap(), DAMASCUS)
    found = read_acled_row({"event_id_cnty": "SYR4", "deleted_timestamp": "1700009999"}, context)
    assert isinstance(found, WithdrawnReport)
    assert (found.external_id, found.mark) == ("acled-SYR4", "1700009999")
