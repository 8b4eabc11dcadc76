"""Text as a table: separator, header, hashtag row, decimal comma found out; rows by line, one at a time.

A file is looked at as a whole before its rows: what is wrong with all of it is refused once.
"""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, Literal

import msgspec

from services.connectors.decoding import is_damaged
from services.connectors.model import RefusedRowError, RowFault

Separator = Literal[",", ";", "\t", "|"]
SEPARATORS: Final[tuple[Separator, ...]] = (",", ";", "\t", "|")
#: Cells that a spreadsheet could not work out; signs alone stand where a column is too narrow.
BROKEN_CELLS: Final = frozenset({"#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!", "#SPILL!", "#CALC!"})
#: Rows in which a header or a row of hashtags is looked for (the HXL standard says 25).
HEAD_ROWS: Final = 25
#: Separators of one line, at most: a line of separators alone would cost memory for nothing.
MAX_SEPARATORS: Final = 20_000
#: Cells that say that there is no value, in small letters.
EMPTY_CELLS: Final = frozenset({"", "-", "–", "—", "nan", "null", "n/a", "#n/a", "\\n"})

_LONGEST_EMPTY: Final = max(map(len, EMPTY_CELLS))
_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_HASHTAG: Final = re.compile(r"#[A-Za-z][A-Za-z0-9_]*(?:\s*\+[A-Za-z0-9_]+)*\s*")
_SEPARATOR_LINE: Final = re.compile(r"sep=([,;|\t])(?:\r\n|\r|\n)", re.IGNORECASE)
_DECIMAL_COMMA: Final = re.compile(r"[+-]?\d{1,3},\d+")

#: A line (from 1) and its cells as they stand, blanks around them cut.
NumberedRow = tuple[int, Sequence[str]]


class RawRows(msgspec.Struct, frozen=True):
    """All rows of a file or sheet, the header among them; ``read`` begins anew at each call. A row that cannot be
    read is its fault."""

    read: Callable[[], Iterator[tuple[int, Sequence[str] | RowFault]]]
    separator: Separator | None = None


class Table(msgspec.Struct, frozen=True):
    """``columns`` are the header's names, or the hashtags where there are any. ``header_line`` is 0 where the file has
    no header, and the columns are those of a known layout."""

    columns: tuple[str, ...]
    rows: RawRows
    header_line: int
    data_line: int
    decimal_comma: bool = False
    tagged: bool = False

    def records(self) -> Iterator[tuple[int, Mapping[str, str] | RowFault]]:
        """Each row that holds something, as a column's name to its cell. Cells that say nothing are absent."""
        for line, row in self.rows.read():
            if line < self.data_line:
                continue
            if isinstance(row, RowFault):
                yield line, row
            elif any(row):
                yield line, self._record(row)

    def ids(self, column: str) -> Iterator[str]:
        """The cell of that column in each row, empty where there is none."""
        at = self.columns.index(column)
        for line, row in self.rows.read():
            if line >= self.data_line and (isinstance(row, RowFault) or any(row)):
                yield "" if isinstance(row, RowFault) or at >= len(row) else row[at]

    def _record(self, row: Sequence[str]) -> Mapping[str, str] | RowFault:
        record = {
            name: cell
            for name, cell in zip(self.columns, row, strict=False)
            if cell and (len(cell) > _LONGEST_EMPTY or cell.lower() not in EMPTY_CELLS)
        }
        if "" in record or len(row) > len(self.columns):
            for cell in [record.get("", ""), *row[len(self.columns) :]]:
                if cell:
                    return RowFault("too_many_cells", cell=cell)
        whole = "".join(row)
        if "#" in whole:
            for name, cell in record.items():
                if cell in BROKEN_CELLS or (len(cell) > 1 and not cell.strip("#")):
                    return RowFault("broken_cell", name, cell)
        if is_damaged(whole):
            for name, cell in record.items():
                if is_damaged(cell):
                    return RowFault("damaged_text", name, cell.encode("utf-8", "replace").decode())
        return record


def split_text(text: str) -> RawRows:
    """The rows of text, its separator found out. A line ``sep=;``, as Excel writes it, says it."""
    start = 0
    if said := _SEPARATOR_LINE.match(text):
        separator: Separator = said[1]  # type: ignore[assignment]
        start = said.end()
    else:
        separator = _find_separator(text)
    first = 2 if start else 1
    return RawRows(lambda: _read_rows(text, start, first, separator), separator)


def _find_separator(text: str) -> Separator:
    """The one that gives the most columns, in the same number in the most rows."""

    def score(separator: Separator) -> tuple[float, int]:
        rows = _read_rows(text, 0, 1, separator)
        widths = [len(row) for _, row in islice(rows, HEAD_ROWS) if not isinstance(row, RowFault) and any(row)]
        if not widths:
            return 0, 0
        width, times = Counter(widths).most_common(1)[0]
        return (times / len(widths), width) if width > 1 else (0, 0)

    return max(SEPARATORS, key=score)


def _lines(text: str, start: int) -> Iterator[str]:
    """Lines with their ends. Not ``splitlines``, which parts at more than ends of lines."""
    position = start
    while position < len(text):
        match = _LINE.match(text, position)
        assert match is not None
        yield match[0]
        position = match.end()


def _read_rows(
    text: str, start: int, first: int, separator: Separator
) -> Iterator[tuple[int, Sequence[str] | RowFault]]:
    crowded: list[int] = []

    def bounded() -> Iterator[str]:
        for number, line in enumerate(_lines(text, start), first):
            if line.count(separator) > MAX_SEPARATORS:
                crowded.append(number)
                yield "\n"
            else:
                yield line

    rows = csv.reader(bounded(), delimiter=separator)
    begin = first
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error:
            yield begin, RowFault("too_long")
        else:
            if crowded:
                yield crowded.pop(), RowFault("too_many_cells")
            else:
                yield begin, [cell.strip() for cell in row]
        begin = first + rows.line_num


def find_table(rows: RawRows, is_known: Callable[[frozenset[str]], bool], headless: Sequence[str]) -> Table:
    """The header, or the hashtags, of rows. ``is_known`` tells the columns of a kind that is known, so that rows above
    the header are passed over; ``headless`` are the columns of a layout that has been published without a header.

    Raises RefusedRowError for an empty file, and for a column that stands twice.
    """
    head = [(line, row) for line, row in islice(rows.read(), HEAD_ROWS) if not isinstance(row, RowFault) and any(row)]
    if not head:
        raise RefusedRowError(RowFault("nothing_read"))
    known = next((n for n, (_, row) in enumerate(head) if is_known(frozenset(map(_name, row)))), None)
    tags = next((n for n, (_, row) in enumerate(head) if _is_tags(row)), None)
    if known is None and tags is None and _is_headless(head[0][1], headless):
        return Table(tuple(headless), rows, 0, 1, _has_decimal_comma(rows, head))
    at = known if known is not None else tags if tags is not None else 0
    line, names = head[at]
    columns = tuple(map(_name, names))
    if known is not None or tags is None:
        _refuse_repeated(columns)
    after = at + 2 if at + 1 < len(head) and _is_tags(head[at + 1][1]) else at + 1
    data_line = head[after][0] if after < len(head) else head[-1][0] + 1
    return Table(columns, rows, line, data_line, _has_decimal_comma(rows, head[after:]), known is None and at == tags)


def _name(cell: str) -> str:
    return " ".join(cell.split())


def _is_tags(row: Sequence[str]) -> bool:
    filled = [cell for cell in row if cell]
    return bool(filled) and all(_HASHTAG.fullmatch(cell) for cell in filled)


def _is_headless(row: Sequence[str], headless: Sequence[str]) -> bool:
    return len(row) == len(headless) and row[0].isascii() and row[0].isdigit()


def _refuse_repeated(columns: Iterable[str]) -> None:
    times = Counter(filter(None, columns))
    if repeated := [RowFault("repeated_column", name) for name, count in times.items() if count > 1]:
        raise RefusedRowError(*repeated)


def _has_decimal_comma(rows: RawRows, head: Sequence[NumberedRow]) -> bool:
    """Numbers written ``36,214``, as Excel does wherever it separates cells by semicolons."""
    if rows.separator not in (";", "\t"):
        return False
    return any(_DECIMAL_COMMA.fullmatch(cell) for _, row in head for cell in row)
