"""A file of any kind as numbered outcomes: looked at as a whole first, then row by row.

The one way in for the command line and for adapters: bytes → what the file is → rows → reports, withdrawals, refusals.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

import msgspec

from services.connectors.decoding import decode_file
from services.connectors.file_facts import FileFacts, FileSurvey, OpenedFile, ReadingOptions
from services.connectors.json_files import open_json
from services.connectors.model import NumberedOutcome, RefusedRow, ReportDraft, RowContext, RowFault
from services.connectors.sheets import OLD, ZIP, choose_sheet
from services.connectors.table_files import open_table
from services.connectors.tables import split_text
from services.connectors.terms import with_terms

_JSON: Final = re.compile(r"\s*[{\[]")


def open_file(data: bytes, options: ReadingOptions = ReadingOptions()) -> OpenedFile:
    """Look at the whole of a file. Raises RefusedRowError with what is wrong with all of it."""
    if data.startswith((ZIP, OLD)):
        sheet = choose_sheet(data, options.sheet)
        facts = FileFacts("xlsx", "table", sheet=sheet.name)
        return open_table(sheet.raw(), options, facts)
    decoded = decode_file(data, options.encoding)
    facts = FileFacts("csv", "table", decoded.encoding, decoded.marked, decoded.packed)
    if _JSON.match(decoded.text):
        return open_json(decoded.text, options, facts)
    rows = split_text(decoded.text)
    return open_table(rows, options, msgspec.structs.replace(facts, separator=rows.separator))


def read_file(data: bytes, options: ReadingOptions, context: RowContext) -> Iterator[NumberedOutcome]:
    """All of a file's outcomes. Raises RefusedRowError as :func:`open_file` does, before the first."""
    opened = open_file(data, options)
    return read_outcomes(opened, context, survey(opened, context))


def survey(opened: OpenedFile, context: RowContext) -> FileSurvey:
    """Read all rows once: how many there are, and which ids stand for several contents. One may come again in the last
    row, so that no row can be taken before."""
    if opened.ids is not None:
        times = Counter(opened.ids())
        rows = times.total()
        del times[""]
        if all(count == 1 for count in times.values()):
            return FileSurvey(rows, frozenset())
    contents: dict[str, bytes] = {}
    repeated: set[str] = set()
    rows = 0
    for numbered in opened.read(_in_file(opened, context)):
        rows += 1
        if isinstance(draft := numbered.outcome, ReportDraft) and draft.external_id:
            content = _digest(draft)
            if contents.setdefault(draft.external_id, content) != content:
                repeated.add(draft.external_id)
    return FileSurvey(rows, frozenset(repeated))


def read_outcomes(opened: OpenedFile, context: RowContext, surveyed: FileSurvey) -> Iterator[NumberedOutcome]:
    """Every row's outcome, in order. An id that stands for several contents is refused wherever it is."""
    for numbered in opened.read(_in_file(opened, context)):
        draft = with_terms(numbered.outcome, context)
        if isinstance(draft, ReportDraft) and draft.external_id in surveyed.repeated:
            column = draft.columns.get("/external_id", "external_id")
            fault = RowFault("repeated_id", column, draft.cells.get(column, draft.external_id), "/external_id")
            yield NumberedOutcome(numbered.line, RefusedRow((fault,), draft.external_id), numbered.record)
        else:
            yield numbered if draft is numbered.outcome else msgspec.structs.replace(numbered, outcome=draft)


def _in_file(opened: OpenedFile, context: RowContext) -> RowContext:
    return msgspec.structs.replace(context, decimal_comma=opened.facts.decimal_comma)


def _digest(draft: ReportDraft) -> bytes:
    try:
        body = msgspec.json.encode(draft.report)
    except (msgspec.MsgspecError, UnicodeEncodeError, OverflowError, RecursionError):
        return b""  # the check of the report refuses it
    return hashlib.blake2b(body, digest_size=16).digest()
