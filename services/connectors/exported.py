"""Our own export of incidents as CSV: its columns, and its rows as the reports that they were made of.

A cell with a quotation mark before it stands for what follows: so spreadsheets take no text for a formula, and a text
that would read as an empty cell is kept. Names in lists that hold a semicolon come back as two.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from services.connectors.model import RowContext, RowOutcome
from services.connectors.reports import read_report_row
from services.connectors.tables import EMPTY_CELLS

#: Columns that no other table has together.
_OWN: Final = frozenset({"incident_id", "external_id", "partner", "state", "radius_km", "occurred.date"})
#: Paths into a report, and the columns that are not named by them.
_FIELDS: Final[dict[str, str]] = {
    "location.place": "place",
    "location.area": "area",
    "location.lat": "lat",
    "location.lon": "lon",
    "location.radius_km": "radius_km",
    "casualties.killed": "killed",
    "casualties.injured": "injured",
    "source.name": "source",
    "source.grade": "grade",
}
#: A spreadsheet takes a cell that begins so for a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_QUOTE: Final = "'"


def is_export(columns: frozenset[str]) -> bool:
    """Whether a table with these columns is an export of ours."""
    return columns >= _OWN


def quote_cell(text: str | None) -> str | None:
    """A text as a cell that no spreadsheet takes for a formula, and no reader for empty."""
    if not text:
        return text
    is_special = text.startswith((*_FORMULA, _QUOTE)) or text[0].isspace() or text.strip().lower() in EMPTY_CELLS
    return f"{_QUOTE}{text}" if is_special else text


def read_exported_row(row: Mapping[str, str], context: RowContext) -> RowOutcome:
    """The report of one row; columns about its judgement are passed over."""
    plain = {column: cell.removeprefix(_QUOTE) for column, cell in row.items()}
    tables = msgspec.structs.replace(context.tables, fields=_FIELDS)
    return read_report_row(plain, msgspec.structs.replace(context, tables=tables))
