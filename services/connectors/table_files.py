"""Files that are tables, CSV or Excel: their kind by their columns, their rows as outcomes."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from services.connectors import acled, hxl, kobo, odk, ucdp
from services.connectors.exported import is_export, read_exported_row
from services.connectors.file_facts import FileFacts, FileKind, OpenedFile, ReadingOptions
from services.connectors.model import (
    AdapterMap,
    NumberedOutcome,
    RefusedRow,
    RefusedRowError,
    RowContext,
    RowFault,
    RowOutcome,
)
from services.connectors.reports import read_report_row, report_paths
from services.connectors.tables import RawRows, Table, find_table

RowReader = Callable[[Mapping[str, str], RowContext], RowOutcome]
#: The columns by which a kind is known, and without which no row of it can be read.
_KINDS: Final[tuple[tuple[FileKind, frozenset[str]], ...]] = (
    ("acled", acled.COLUMNS),
    ("acled", acled.DELETION_COLUMNS),
    ("ucdp", ucdp.COLUMNS),
    ("kobo", frozenset({"_id", "_uuid", "_submission_time"})),
    ("odk", frozenset({"SubmissionDate", "KEY", "SubmitterID"})),
)
_ID_COLUMNS: Final[Mapping[FileKind, str]] = {"acled": "event_id_cnty", "ucdp": "id"}
#: Columns that a file of ours has at least, beside ``external_id``.
_OWN_COLUMNS: Final = 2


def open_table(rows: RawRows, options: ReadingOptions, facts: FileFacts) -> OpenedFile:
    """Raises RefusedRowError with what is wrong with all of the table."""
    is_ours = options.kind in (None, "reports")
    table = find_table(
        rows, lambda columns: _known_kind(columns) is not None or (is_ours and is_export(columns)), ucdp.HEADLESS
    )
    kind = options.kind or _kind_of(table, options)
    facts = msgspec.structs.replace(facts, kind=kind, header_line=table.header_line, decimal_comma=table.decimal_comma)
    _refuse_missing(kind, table)
    read_row = _row_reader(kind, table, options.tables)

    def read(context: RowContext) -> Iterator[NumberedOutcome]:
        for line, record in table.records():
            if isinstance(record, RowFault):
                yield NumberedOutcome(line, RefusedRow((record,)))
            else:
                yield NumberedOutcome(line, read_row(record, context), record)

    id = _ID_COLUMNS.get(kind) or options.tables.fields.get("external_id", "external_id")
    return OpenedFile(facts, read, (lambda: table.ids(id)) if id in table.columns else None)


def _known_kind(columns: frozenset[str]) -> FileKind | None:
    return next((kind for kind, names in _KINDS if columns >= names), None)


def _kind_of(table: Table, options: ReadingOptions) -> FileKind:
    """Raises RefusedRowError where the columns are those of no kind."""
    columns = frozenset(table.columns)
    if known := _known_kind(columns):
        return known
    if is_export(columns):
        return "reports"
    if table.tagged:
        return "hxl"
    if options.tables.fields:
        return "table"
    if "external_id" in columns and len(columns & report_paths().keys()) > _OWN_COLUMNS:
        return "reports"
    if options.otherwise is not None:
        return options.otherwise
    raise RefusedRowError(RowFault("unknown_kind", detail=", ".join(filter(None, table.columns))))


def _refuse_missing(kind: FileKind, table: Table) -> None:
    """Refuse a file whole that lacks columns without which no row of its kind can be read."""
    columns = frozenset(table.columns)
    wanted = [names for known, names in _KINDS if known == kind]
    if wanted and not any(columns >= names for names in wanted):
        raise RefusedRowError(*(RowFault("no_column", column) for column in sorted(wanted[0] - columns)))


def _row_reader(kind: FileKind, table: Table, tables: AdapterMap) -> RowReader:
    if kind == "hxl":
        tags = hxl.find_tags(table.columns, tables.fields)
        return lambda row, context: hxl.read_hxl_row(row, context, tags)
    if kind == "reports" and is_export(frozenset(table.columns)):
        return read_exported_row
    readers: Mapping[FileKind, RowReader] = {
        "acled": acled.read_acled_row,
        "ucdp": ucdp.read_ucdp_row,
        "kobo": lambda row, context: kobo.read_submission(row, context, labelled=True),
        "odk": lambda row, context: next(odk.read_odk_rows([(0, row)], context)).outcome,
    }
    return readers.get(kind, read_report_row)
