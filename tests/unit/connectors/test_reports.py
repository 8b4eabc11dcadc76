"""Files of our own reports, line by line."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.connectors.file_facts import ReadingOptions
from services.connectors.files import read_file
from services.connectors.model import AdapterMap, NumberedOutcome, RefusedRow, RefusedRowError, ReportDraft, RowContext

CONTEXT = RowContext(AdapterMap(), ZoneInfo("Asia/Damascus"))


def rows(text: str) -> list[NumberedOutcome]:
    return list(read_file(text.encode("utf-8", "surrogateescape"), ReadingOptions(otherwise="reports"), CONTEXT))


def reports(text: str) -> list[Any]:
    return [n.outcome.report if isinstance(n.outcome, ReportDraft) else None for n in rows(text)]


def test_json_lines_keep_their_numbers() -> None:
    text = '{"a": 1}\n\n  \n{"b": 2}\n'
    assert [row.line for row in rows(text)] == [1, 4]
    assert reports(text) == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize("broken", ["{", "NaN", '{"a": 1} x', '"\udcff"'])
def test_a_broken_line_harms_no_neighbour(broken: str) -> None:
    found = rows(f'{{"a": 1}}\n{broken}\n{{"b": 2}}\n')
    assert [isinstance(row.outcome, RefusedRow) for row in found] == [False, True, False]


def test_dotted_columns_nest_and_lists_split() -> None:
    text = (
        "external_id,occurred.date,act,location.lat,location.lon,perpetrators,source.name,source.quotes,aggregate,"
        "casualties.killed,description\n"
        'x-1,2016-05-08,shelling,36.2,37.1,rebels; others;,AFP,,true,3,"two\nlines"\n'
    )
    [row] = rows(text)
    assert row.line == 2
    assert reports(text) == [
        {
            "external_id": "x-1",
            "occurred": {"date": "2016-05-08"},
            "act": "shelling",
            "location": {"lat": 36.2, "lon": 37.1},
            "perpetrators": ["rebels", "others"],
            "source": {"name": "AFP"},
            "aggregate": True,
            "casualties": {"killed": 3},
            "description": "two\nlines",
        }
    ]


def test_a_number_that_looks_like_an_id_stays_text() -> None:
    assert reports("external_id,act\n0042,shelling\n") == [{"external_id": "0042", "act": "shelling"}]


def test_what_is_not_of_its_column_s_type_is_left_for_the_check_to_refuse() -> None:
    [row] = rows("external_id,location.lat,unknown\nx,north,1\n")
    assert isinstance(row.outcome, ReportDraft)
    assert row.outcome.report == {"external_id": "x", "location": {"lat": "north"}, "unknown": "1"}


def test_too_many_cells_are_no_report() -> None:
    found = rows("external_id,act\na,b,c\nc\n")
    assert [(row.line, isinstance(row.outcome, RefusedRow)) for row in found] == [(2, True), (3, False)]


def test_a_part_and_the_whole_of_it_contradict() -> None:
    [row] = rows("external_id,occurred,occurred.date\nx,2016-05-08T00:00:00Z,2016-05-08\n")
    assert isinstance(row.outcome, RefusedRow)
    assert [(fault.code, fault.column) for fault in row.outcome.faults] == [("part_and_whole", "occurred.date")]


@pytest.mark.parametrize("text", ["", "\n \n", ",,\n,,\n"])
def test_a_file_of_nothing_is_refused_whole(text: str) -> None:
    with pytest.raises(RefusedRowError) as refused:
        rows(text)
    assert [fault.code for fault in refused.value.faults] == ["nothing_read"]


@given(st.text(max_size=200))
def test_any_text_at_all_gives_outcomes_or_one_refusal(text: str) -> None:
    try:
        found = rows(text)
    except RefusedRowError as error:
        found = [NumberedOutcome(0, RefusedRow(error.faults))]
    assert all(isinstance(row.outcome, ReportDraft) or row.outcome.faults for row in found)  # type: ignore[union-attr]
