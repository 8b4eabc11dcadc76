"""Files that are JSON: a document (a list, an answer of an API, one submission), or a record a line."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from services.connectors import acled, kobo, odk, ucdp, ushahidi
from services.connectors.cells import as_text
from services.connectors.decoding import is_damaged
from services.connectors.file_facts import FileFacts, FileKind, OpenedFile, ReadingOptions
from services.connectors.model import (
    NumberedOutcome,
    RefusedRow,
    RefusedRowError,
    RowContext,
    RowFault,
    RowOutcome,
)
from services.connectors.reports import read_report_record

#: A JSON document has at least so many bytes for each comma and bracket; one with fewer would cost far more memory
#: than it has bytes, and is no document of reports.
_BYTES_A_SIGN: Final = 8
_SIGNS_FREE: Final = 1_000
_FIRST_LINE: Final = re.compile(r"\s*([^\n]*)")
#: Names that a submission has, in the answers of each API and in what its hooks post.
_FORM_RECORDS: Final[Mapping[FileKind, frozenset[str]]] = {
    "kobo": frozenset({"_id", "_uuid"}),
    "odk": frozenset({"__id", "__system"}),
    "ushahidi": frozenset({"id", "values", "form_id"}),
}
_FORM_READERS: Final[Mapping[FileKind, Callable[[Any, RowContext], Iterator[NumberedOutcome]]]] = {
    "kobo": kobo.read_kobo,
    "odk": odk.read_odk,
    "ushahidi": ushahidi.read_ushahidi,
}


def open_json(text: str, options: ReadingOptions, facts: FileFacts) -> OpenedFile:
    """``text`` begins with a brace or a bracket. Raises RefusedRowError with what is wrong with all of it."""
    first = _FIRST_LINE.match(text)
    assert first is not None
    try:
        start = _decode(first[1])
    except _NotJsonError:
        start = None
    if isinstance(start, dict) and _records(start) is None and _form_kind(start, options) is None:
        return _open_lines(text, options, facts, start)
    try:
        document = _decode(text)
    except _NotJsonError as error:
        if first[1].startswith("{"):
            return _open_lines(text, options, facts, None)
        raise RefusedRowError(RowFault("not_json", detail=str(error))) from error
    if form := _form_kind(document, options):
        return OpenedFile(
            msgspec.structs.replace(facts, form="json", kind=form),
            lambda context: _FORM_READERS[form](document, context),
        )
    records = document if isinstance(document, list) else _records(document)
    if records is None:
        records = [document]
    if not records:
        raise RefusedRowError(RowFault("nothing_read"))
    kind = options.kind or _kind_of_record(records[0], options)
    page = document.get("NextPageUrl") if isinstance(document, dict) else None
    facts = msgspec.structs.replace(facts, form="json", kind=kind, next_page=page if isinstance(page, str) else "")
    read_record = _record_reader(kind)

    def read(context: RowContext) -> Iterator[NumberedOutcome]:
        for number, record in enumerate(records, 1):
            yield NumberedOutcome(number, read_record(record, context), record if isinstance(record, dict) else {})

    return OpenedFile(facts, read)


def _open_lines(text: str, options: ReadingOptions, facts: FileFacts, first: Any) -> OpenedFile:
    kind = options.kind or _kind_of_record(first, options)
    read_record = _record_reader(kind)

    def read(context: RowContext) -> Iterator[NumberedOutcome]:
        for number, match in enumerate(re.finditer(r"[^\n]*\n|[^\n]+\Z", text), 1):
            if not match[0].strip():
                continue
            try:
                record = _decode(match[0])
            except _NotJsonError as error:
                code: Any = "damaged_text" if is_damaged(match[0]) else "not_json"
                yield NumberedOutcome(number, RefusedRow((RowFault(code, detail=str(error)),)))
            else:
                yield NumberedOutcome(number, read_record(record, context))

    return OpenedFile(msgspec.structs.replace(facts, form="jsonl", kind=kind), read)


class _NotJsonError(ValueError):
    pass


def _decode(text: str) -> Any:
    signs = text.count(",") + text.count("[") + text.count("{")
    if signs > _SIGNS_FREE and signs * _BYTES_A_SIGN > len(text):
        raise _NotJsonError("It is not a list of reports.")
    try:
        return msgspec.json.decode(text.encode("utf-8", "surrogatepass"))
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise _NotJsonError(str(error)) from error


def _form_kind(document: Any, options: ReadingOptions) -> FileKind | None:
    """The tool for forms whose page, list or single submission this is."""
    if options.kind is not None:
        return options.kind if options.kind in _FORM_READERS else None
    lists = (
        [document[key] for key in ("results", "value") if key in document] if isinstance(document, dict) else [document]
    )
    records = next((found for found in lists if isinstance(found, list)), [document])
    names = frozenset(map(str, records[0])) if records and isinstance(records[0], dict) else frozenset()
    return next((kind for kind, wanted in _FORM_RECORDS.items() if names >= wanted), None)


def _records(document: Any) -> Sequence[Any] | None:
    """The list that an answer of a known API holds."""
    if not isinstance(document, dict):
        return None
    if document.get("type") == "FeatureCollection":
        return _reports_in(document.get("features"))
    for key in ("data", "Result"):
        records = document.get(key)
        if isinstance(records, list) and "external_id" not in document:
            return records
    return None


def _reports_in(features: Any) -> Sequence[Any] | None:
    """The reports in our own export of incidents as GeoJSON."""
    if not isinstance(features, list):
        return None
    told = [one.get("properties") if isinstance(one, dict) else None for one in features]
    reports = [one.get("report") if isinstance(one, dict) else None for one in told]
    return reports if all(isinstance(one, dict) for one in reports) else None


def _kind_of_record(record: Any, options: ReadingOptions) -> FileKind:
    names = frozenset(map(str, record)) if isinstance(record, dict) else frozenset()
    if names >= acled.COLUMNS or names >= acled.DELETION_COLUMNS:
        return "acled"
    if names >= ucdp.COLUMNS:
        return "ucdp"
    if options.otherwise is not None:
        return options.otherwise
    if record is not None and "external_id" not in names:
        raise RefusedRowError(RowFault("unknown_kind", detail=", ".join(sorted(names))))
    return "reports"


def _record_reader(kind: FileKind) -> Callable[[Any, RowContext], RowOutcome]:
    readers = {"acled": acled.read_acled_row, "ucdp": ucdp.read_ucdp_row}
    if kind not in readers:
        return read_report_record
    read_row = readers[kind]

    def read(record: Any, context: RowContext) -> RowOutcome:
        if not isinstance(record, dict):
            return RefusedRow((RowFault("not_valid", detail="an object is wanted"),))
        return read_row(as_text(record), context)

    return read
