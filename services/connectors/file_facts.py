"""The kind of a file, and the facts known of it before its rows are read."""

from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from services.connectors.decoding import Encoding
from services.connectors.model import AdapterMap, NumberedOutcome, RowContext
from services.connectors.tables import Separator

FileKind = Literal["reports", "acled", "ucdp", "hxl", "table", "kobo", "odk", "ushahidi"]
FileForm = Literal["csv", "xlsx", "json", "jsonl"]


class ReadingOptions(msgspec.Struct, frozen=True):
    """Options that say more than the file shows. ``otherwise`` is the kind where the file shows none."""

    kind: FileKind | None = None
    otherwise: FileKind | None = None
    encoding: Encoding | None = None
    sheet: str | None = None
    tables: AdapterMap = AdapterMap()


class FileFacts(msgspec.Struct, frozen=True):
    """Facts of a file. ``header_line`` is 0 where it has none. ``next_page`` is where the rest of it is to be had."""

    form: FileForm
    kind: FileKind
    encoding: Encoding | None = None
    marked: bool = False
    packed: bool = False
    separator: Separator | None = None
    decimal_comma: bool = False
    header_line: int = 0
    sheet: str | None = None
    next_page: str = ""


class FileSurvey(msgspec.Struct, frozen=True):
    """How many rows a file has, and the ids that stand in it with different contents."""

    rows: int
    repeated: frozenset[str]


class OpenedFile(msgspec.Struct, frozen=True):
    """A file's facts, and a reader of its rows, anew at each call. ``ids`` gives the id of each row without reading the
    rest of it, where that can be."""

    facts: FileFacts
    read: Callable[[RowContext], Iterator[NumberedOutcome]]
    ids: Callable[[], Iterator[str]] | None = None
