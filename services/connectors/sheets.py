"""Excel files (.xlsx) as rows of text: each cell as people see it where that matters, as it is where it is text.

A number has no decimal point where it is whole; leading zeros that only a format shows are kept, and a number of which
Excel keeps no more than 15 digits is written as Excel would show it, so that it is told as shortened.
"""

import io
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from typing import Any, Final

from services.connectors.decoding import MAX_UNPACKED
from services.connectors.model import RefusedRowError, RowFault
from services.connectors.tables import RawRows

ZIP: Final = b"PK\x03\x04"
#: The container of Excel's older files, and of those with a password.
OLD: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
#: Digits of a number that Excel keeps.
_KEPT_DIGITS: Final = 15
_FORMULA: Final = re.compile(rb"<f[ >/]")
#: Stands for a formula without a value.
UNVALUED: Final = "#VALUE!"
_ZEROS: Final = re.compile(r"0{2,30}")


class Sheet:
    """One filled sheet: its name, and its rows as text."""

    def __init__(self, name: str, rows: list[Sequence[str]]) -> None:
        self.name = name
        self.rows = rows

    def raw(self) -> RawRows:
        return RawRows(self._numbered)

    def _numbered(self) -> Iterator[tuple[int, Sequence[str] | RowFault]]:
        yield from enumerate(self.rows, 1)


def choose_sheet(data: bytes, name: str | None) -> Sheet:
    """The one filled sheet of a workbook, or that of the name. Raises RefusedRowError: for several, listing them; for a
    damaged file, one that unpacks beyond measure, an old kind."""
    if data.startswith(OLD):
        raise RefusedRowError(RowFault("old_excel"))
    sheets = _read(data)
    names = ", ".join(sheet.name for sheet in sheets)
    if name is not None:
        chosen = next((sheet for sheet in sheets if sheet.name == name), None)
        if chosen is None:
            raise RefusedRowError(RowFault("no_such_sheet", cell=name, detail=names))
        return chosen
    if not sheets:
        raise RefusedRowError(RowFault("nothing_read"))
    if len(sheets) > 1:
        raise RefusedRowError(RowFault("many_sheets", detail=names))
    return sheets[0]


def _read(data: bytes) -> list[Sheet]:
    # Loading it costs as much as all else that the command line loads.
    from openpyxl import load_workbook

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            size = sum(part.file_size for part in packed.infolist())
        if size > MAX_UNPACKED:
            raise RefusedRowError(RowFault("too_large", detail=str(MAX_UNPACKED // 2**20)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
            found = [Sheet(sheet.title, _rows(sheet)) for sheet in book.worksheets]
            book.close()
            if _has_formulas(data):
                book = load_workbook(io.BytesIO(data), read_only=True)
                for sheet, formulas in zip(found, book.worksheets, strict=True):
                    _mark_unvalued(sheet.rows, formulas)
                book.close()
    except RefusedRowError:
        raise
    except Exception as error:  # openpyxl raises whatever its parsers meet in a damaged file
        raise RefusedRowError(RowFault("damaged_file")) from error
    return [sheet for sheet in found if any(any(row) for row in sheet.rows)]


def _rows(sheet: Any) -> list[Sequence[str]]:
    sheet.reset_dimensions()
    rows: list[Sequence[str]] = []
    for row in sheet.iter_rows():
        texts = [_text(cell) for cell in row]
        while texts and not texts[-1]:
            texts.pop()
        rows.append(texts)
    return rows


def _has_formulas(data: bytes) -> bool:
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        sheets = [name for name in packed.namelist() if name.startswith("xl/worksheets/")]
        return any(_FORMULA.search(packed.read(name)) for name in sheets)


def _mark_unvalued(rows: list[Sequence[str]], formulas: Any) -> None:
    """A program that is no spreadsheet writes formulas without their values: that is no empty cell."""
    formulas.reset_dimensions()
    for number, row in enumerate(formulas.iter_rows()):
        texts = list(rows[number])
        for column, cell in enumerate(row):
            if cell.data_type == "f" and not (column < len(texts) and texts[column]):
                texts += [""] * (column + 1 - len(texts))
                texts[column] = UNVALUED
        rows[number] = texts


def _text(cell: Any) -> str:
    value = cell.value
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return _number(value, cell.number_format)
        case datetime() if value.time() == time.min:
            return value.date().isoformat()
        case datetime() | date() | time():
            return value.isoformat()
        case _:
            return str(value).strip()


def _number(value: float, form: str) -> str:
    if not float(value).is_integer():
        return repr(value)
    whole = int(value)
    if len(str(abs(whole))) > _KEPT_DIGITS:
        return f"{whole:.5E}"
    return str(whole).zfill(len(form)) if _ZEROS.fullmatch(form) else str(whole)
