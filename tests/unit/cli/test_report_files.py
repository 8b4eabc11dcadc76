"""Files of reports, line by line."""

import io

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.report_files import Line, read_csv, read_json_lines


def csv_lines(text: str) -> list[Line]:
    return list(read_csv(io.StringIO(text, newline="")))


def test_json_lines_keep_their_numbers() -> None:
    lines = list(read_json_lines(io.StringIO('{"a": 1}\n\n  \n{"b": 2}\n')))
    assert [(line.number, line.body) for line in lines] == [(1, b'{"a": 1}'), (4, b'{"b": 2}')]


@pytest.mark.parametrize("broken", ["{", "NaN", '{"a": 1} x', '"\udcff"'])
def test_a_broken_line_harms_no_neighbour(broken: str) -> None:
    lines = list(read_json_lines(io.StringIO(f'{{"a": 1}}\n{broken}\n{{"b": 2}}\n')))
    assert [bool(line.problem) for line in lines] == [False, True, False]


def test_dotted_columns_nest_and_lists_split() -> None:
    text = (
        "external_id,occurred.date,act,location.lat,location.lon,perpetrators,source.name,source.quotes,aggregate,"
        "casualties.killed,description\n"
        'x-1,2016-05-08,shelling,36.2,37.1,rebels; others;,AFP,,true,3,"two\nlines"\n'
    )
    [line] = csv_lines(text)
    assert line.number == 2
    assert msgspec.json.decode(line.body) == {
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


def test_a_number_that_looks_like_an_id_stays_text() -> None:
    [line] = csv_lines("external_id\n0042\n")
    assert msgspec.json.decode(line.body) == {"external_id": "0042"}


def test_what_is_not_of_its_column_s_type_is_left_for_the_server_to_refuse() -> None:
    [line] = csv_lines("location.lat,unknown\nnorth,1\n")
    assert msgspec.json.decode(line.body) == {"location": {"lat": "north"}, "unknown": "1"}


def test_too_many_cells_are_no_report() -> None:
    lines = csv_lines("external_id\na,b\nc\n")
    assert [(line.number, bool(line.problem)) for line in lines] == [(2, True), (3, False)]


def test_a_part_and_the_whole_of_it_contradict() -> None:
    [line] = csv_lines("occurred,occurred.date\n2016-05-08T00:00:00Z,2016-05-08\n")
    assert "occurred" in line.problem


def test_an_empty_file_holds_nothing() -> None:
    assert csv_lines("") == []


@given(st.text(max_size=200))
def test_any_text_at_all_gives_lines_and_no_error(text: str) -> None:
    for line in [*csv_lines(text), *read_json_lines(io.StringIO(text))]:
        assert bool(line.problem) != bool(line.body)
