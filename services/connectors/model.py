"""The outcomes that every connector gives: of each row or submission a report, a retraction, a refusal, or nothing yet.

Values only. Sentences about faults are made by :mod:`services.connectors.fault_sentences`, in the reader's language.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from schemas.report import Terms

#: Kinds of faults; each has a sentence in the catalogue, ``fault.CODE``, that says what is wanted.
FaultCode = Literal[
    "empty", "not_a_date", "not_a_time", "not_a_number", "not_a_count", "not_a_latitude", "not_a_longitude",
    "not_a_radius", "not_a_grade", "not_true_or_false", "not_text", "not_a_list", "nowhere", "not_allowed",
    "not_in_table", "not_in_code_book", "mangled_id", "repeated_id", "repeated_column", "unknown_column",
    "part_and_whole", "too_many_cells", "too_long", "damaged_text", "broken_cell", "not_json", "sums_up",
    "announcement", "in_the_future", "ends_before_it_begins", "no_place", "no_name", "stale", "several_partners",
    "not_valid",
    "nothing_read", "unknown_kind", "many_sheets", "no_such_sheet", "old_excel", "damaged_file", "too_large",
    "only_years", "no_column",
]  # fmt: skip


class RowFault(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a row was refused, or a file.

    ``column`` as the source names it (a column, a question, a hashtag, a key), empty where the whole row is at fault;
    ``cell`` as it stands there, None where there is none. ``pointer`` is the JSON pointer of the report's field that
    it stands for. ``nearest`` is the allowed value most like the cell. ``detail`` fills in the sentence of some codes.
    """

    code: FaultCode
    column: str = ""
    cell: str | None = None
    pointer: str = ""
    example: str = ""
    nearest: str = ""
    allowed: tuple[str, ...] = ()
    detail: str = ""


class RefusedRowError(ValueError):
    """A row cannot become a report. Raised inside a connector, which gives it out as a :class:`RefusedRow`."""

    def __init__(self, *faults: RowFault) -> None:
        super().__init__("; ".join(f"{fault.column or 'row'}: {fault.code} {fault.cell!r}" for fault in faults))
        self.faults = faults


class ReportDraft(msgspec.Struct, frozen=True):
    """A row as a report, decoded JSON as it is posted; its types and meaning are yet to be checked.

    ``mark`` is the source's own mark of revision (a time, a count of edits), empty where it has none. ``columns`` maps
    the JSON pointer of a field to the column that it was read from, ``cells`` a column to its cell.
    """

    external_id: str
    report: dict[str, Any]
    mark: str = ""
    columns: Mapping[str, str] = {}
    cells: Mapping[str, str] = {}


class WithdrawnReport(msgspec.Struct, frozen=True):
    """The source has taken the report back: rejected or deleted it there."""

    external_id: str
    reason: str
    mark: str = ""


class RefusedRow(msgspec.Struct, frozen=True):
    """Not taken, and why. ``external_id`` is empty where none could be read."""

    faults: tuple[RowFault, ...]
    external_id: str = ""


class NotYetReport(msgspec.Struct, frozen=True):
    """Nothing is stored: the source holds it as a draft, say."""

    external_id: str
    reason: str


RowOutcome = ReportDraft | WithdrawnReport | RefusedRow | NotYetReport


class NumberedOutcome(msgspec.Struct, frozen=True):
    """``line`` of the file (from 1) on which the row begins, or the number of the record in a JSON document; ``record``
    is the row as it was read, where it could be."""

    line: int
    outcome: RowOutcome
    record: Mapping[str, Any] = {}


class AdapterMap(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An operator's tables for one source.

    ``fields``: our paths (``casualties.killed``) to theirs. ``choices``: by our path, their value to ours. ``names``:
    their actor to a party id. ``form`` names the form or the host where the payload does not.
    """

    fields: dict[str, str] = {}
    choices: dict[str, dict[str, str]] = {}
    names: dict[str, str] = {}
    form: str = ""
    terms: Terms | None = None
    grade: Annotated[str, msgspec.Meta(pattern=r"^[A-F][1-6]$", max_length=2)] | None = None


class RowContext(msgspec.Struct, frozen=True):
    """With what a connector reads a row: the operator's tables, the zone of the registry for local days, and whether
    the file writes 36,214 for 36.214."""

    tables: AdapterMap
    zone: ZoneInfo
    decimal_comma: bool = False
