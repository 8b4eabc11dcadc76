"""Excel files: what people see in a cell is what is read."""

import io
import zipfile
from datetime import datetime
from typing import Any

import pytest
from openpyxl import Workbook

from services.connectors.decoding import MAX_UNPACKED
from services.connectors.file_facts import ReadingOptions
from services.connectors.files import open_file
from services.connectors.model import RefusedRowError
from tests.unit.connectors.reading import outcomes, report, told

HEADER = ["external_id", "occurred.date", "act", "location.lat", "location.lon", "source.name", "casualties.killed"]
ROW: list[Any] = ["a", datetime(2016, 5, 8), "shelling", 36.214, 37.166, "Desk", 2]


def workbook(*sheets: list[list[Any]], formats: dict[str, str] | None = None) -> bytes:
    book = Workbook()
    for number, rows in enumerate(sheets):
        sheet = book.active if number == 0 else book.create_sheet(f"Extra {number}")
        assert sheet is not None
        for row in rows:
            sheet.append(row)
    for cell, form in (formats or {}).items():
        assert book.active is not None
        book.active[cell].number_format = form
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def refusal(data: bytes, options: ReadingOptions = ReadingOptions()) -> Any:
    with pytest.raises(RefusedRowError) as refused:
        open_file(data, options)
    return refused.value.faults[0]


def test_dates_and_numbers_of_excel_are_read_as_they_are_seen() -> None:
    [one] = outcomes(workbook([HEADER, ROW, [None] * 7]))
    assert report(one) == {
        "external_id": "a",
        "occurred": {"date": "2016-05-08"},
        "act": "shelling",
        "location": {"lat": 36.214, "lon": 37.166},
        "source": {"name": "Desk"},
        "casualties": {"killed": 2},
    }


@pytest.mark.parametrize(
    ("id", "form", "wanted"),
    [(42, "0000", "0042"), (42, "General", "42"), (20160508123456, "General", "20160508123456"), ("007", "@", "007")],
)
def test_an_id_is_the_one_that_people_see(id: Any, form: str, wanted: str) -> None:
    [one] = outcomes(workbook([HEADER, [id, *ROW[1:]]], formats={"A2": form}))
    assert report(one)["external_id"] == wanted


def test_an_id_of_which_excel_lost_digits_is_refused() -> None:
    [one] = outcomes(workbook([HEADER, [1234567890123456789, *ROW[1:]]]))
    assert "A spreadsheet has shortened this id." in told(one)[0]


def test_of_several_filled_sheets_one_is_chosen_and_otherwise_they_are_listed() -> None:
    data = workbook([HEADER, ROW], [HEADER, ["b", *ROW[1:]]], [])
    assert (refusal(data).code, refusal(data).detail) == ("many_sheets", "Sheet, Extra 1")
    [one] = outcomes(data, options=ReadingOptions(sheet="Extra 1"))
    assert report(one)["external_id"] == "b"
    assert refusal(data, ReadingOptions(sheet="Nope")).code == "no_such_sheet"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 100, "old_excel"),
        (b"PK\x03\x04" + b"x" * 100, "damaged_file"),
        (workbook([HEADER, ROW])[:-400], "damaged_file"),
        (workbook([]), "nothing_read"),
    ],
)
def test_a_file_that_is_no_sound_excel_file_is_refused_in_words(data: bytes, code: str) -> None:
    assert refusal(data).code == code


def test_a_packed_file_that_unpacks_beyond_measure_is_refused_before_it_does() -> None:
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed,
        packed.open("xl/workbook.xml", "w") as part,
    ):
        for _ in range(MAX_UNPACKED // 2**24 + 1):
            part.write(b"\0" * 2**24)
    assert refusal(file.getvalue()).code == "too_large"


def test_a_formula_without_its_value_is_no_empty_cell() -> None:
    found = list(outcomes(workbook([HEADER, [*ROW[:6], "=1+1"], ["=A2", *ROW[1:]], ROW])))
    assert [told(one) for one in found[:2]] == [
        [f"column {name}, “#VALUE!”: The spreadsheet could not work this cell out, or did not write it out. "
         "Enter the value itself."]
        for name in ("casualties.killed", "external_id")
    ]  # fmt: skip
    assert report(found[2])["casualties"] == {"killed": 2}
