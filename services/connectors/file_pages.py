"""A file, or a page of an API, that an adapter of kind ``acled``, ``ucdp``, ``hxl`` or ``table`` reads: its records.

ACLED's API numbers its pages (``page=2``) and has no link to the next; UCDP's has one.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from services.connectors import acled, hxl, ucdp
from services.connectors.cells import as_text
from services.connectors.fault_sentences import tell_fault
from services.connectors.file_facts import ReadingOptions
from services.connectors.files import open_file, read_outcomes, survey
from services.connectors.model import (
    RefusedRow,
    RefusedRowError,
    ReportDraft,
    RowContext,
    RowFault,
    RowOutcome,
    WithdrawnReport,
)
from services.connectors.reports import read_report_row, report_paths

PolledFile = Literal["acled", "ucdp", "hxl", "table"]
#: Before the digest of a file, where a list has the time up to which it was read.
DIGEST: Final = "sha256:"


class UnreadableListError(ValueError):
    """A file or an answer from which nothing can be read; the text is shown to operators."""


class ReadRecord(msgspec.Struct, frozen=True):
    """One record, and what may be kept of it: it is read again to the same outcome."""

    outcome: RowOutcome
    kept: Mapping[str, Any]


class ListPage(msgspec.Struct, frozen=True):
    """The records of a list or of a page of it.

    ``newest`` is the source's own time of its newest record, or the digest of a file that is always read whole; empty
    where there is neither. ``next_page`` is the address of the rest, empty at the end; ``numbered``: a page is asked
    for by number, and the list ends with one that brings nothing new.
    """

    records: list[ReadRecord]
    newest: str = ""
    next_page: str = ""
    numbered: bool = False


def read_file_page(kind: PolledFile, body: bytes, context: RowContext, url: str = "") -> ListPage:
    """The records of a file or of the page that ``url`` answers. Raises UnreadableListError with what is wrong with
    all of it."""
    document = _api_answer(kind, body)
    if document is not None and not document:
        return ListPage([])
    tables = context.tables
    try:
        opened = open_file(body, ReadingOptions(kind=kind, tables=tables))
        outcomes = list(read_outcomes(opened, context, survey(opened, context)))
    except RefusedRowError as error:
        raise UnreadableListError(" ".join(tell_fault(fault, "en") for fault in error.faults)) from error
    records = [ReadRecord(one.outcome, _kept(kind, one.record, context)) for one in outcomes]
    if kind != "acled":
        link = opened.facts.next_page
        return ListPage(records, "" if link else DIGEST + hashlib.sha256(body).hexdigest(), link)
    marks = [o.mark for one in records if isinstance(o := one.outcome, ReportDraft | WithdrawnReport) and o.mark]
    newest = max(filter(str.isdecimal, marks), key=int, default="")
    return ListPage(records, newest, _following(url) if document is not None else "", numbered=True)


def _api_answer(kind: PolledFile, body: bytes) -> list[Any] | None:
    """The records of an answer of ACLED's or UCDP's API; None for any other file. Raises UnreadableListError for the
    API's own refusal."""
    if kind not in ("acled", "ucdp") or not body.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        return None
    try:
        document = msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    found = document.get("data" if kind == "acled" else "Result")
    if document.get("success") is False or not isinstance(found, list):
        said = document.get("error") or document.get("message") or document.get("messages") or "no list"
        raise UnreadableListError(f"the source answered: {said}"[:300])
    return found


def _following(url: str) -> str:
    """The address of the next page of ACLED's list."""
    query = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    number = query.get("page", "1")
    return "?" + urlencode({**query, "page": str(int(number) + 1 if number.isdecimal() else 2)})


def read_file_row(kind: PolledFile, row: Any, context: RowContext) -> RowOutcome:
    """A row that was kept."""
    if not isinstance(row, dict):
        return RefusedRow((RowFault("not_valid", detail="an object is wanted"),))
    cells = as_text(row)
    try:
        return _readers(kind, cells, context)(cells, context)
    except RefusedRowError as error:
        return RefusedRow(error.faults)


def _readers(
    kind: PolledFile, row: Mapping[str, str], context: RowContext
) -> Callable[[Mapping[str, str], RowContext], RowOutcome]:
    match kind:
        case "acled":
            return acled.read_acled_row
        case "ucdp":
            return ucdp.read_ucdp_row
        case "hxl":
            tags = hxl.find_tags(tuple(row), context.tables.fields)
            return lambda cells, known: hxl.read_hxl_row(cells, known, tags)
        case "table":
            return read_report_row


def _kept(kind: PolledFile, row: Mapping[str, Any], context: RowContext) -> dict[str, Any]:
    """The cells that are read; a column that nobody mapped may hold what is never stored."""
    if kind in ("acled", "ucdp"):
        return dict(row)
    fields = context.tables.fields
    if kind == "table":
        wanted = {*fields.values(), *report_paths()}
        return {name: cell for name, cell in row.items() if name in wanted}
    try:
        tags = set(hxl.find_tags(tuple(row), fields).values())
    except RefusedRowError:
        return {}
    return {name: cell for name, cell in row.items() if name in tags}
