"""Cells of one row as values: each fault is noted, and the row refused with all of them at the end."""

import math
import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any, Final, TypeVar

from schemas.local_time import FIRST_DAY, LAST_DAY
from schemas.vocabulary import ACTS
from services.connectors.fault_sentences import nearest
from services.connectors.model import FaultCode, RowContext, RowFault
from services.connectors.tables import EMPTY_CELLS

T = TypeVar("T")

DAY_EXAMPLE: Final = "2016-05-08"
COUNT_EXAMPLE: Final = "1234"
NUMBER_EXAMPLE: Final = "36.214"
_WHOLE: Final = re.compile(r"([+-]?\d{1,15})(?:[.,]0+)?", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_DECIMAL_COMMA: Final = re.compile(r"([+-]?\d+),(\d+)", re.ASCII)
_ISO_DAY: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ]00:00(?::00(?:\.0+)?)?)?Z?", re.ASCII)
_WORDED_DAY: Final = re.compile(r"(\d{1,2})[ -]([A-Za-z]{3,9})[ -](\d{4})", re.ASCII)
_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
#: Days around which a month lies within every calendar.
_EARLIEST: Final = FIRST_DAY + timedelta(days=31)
_LATEST: Final = LAST_DAY - timedelta(days=31)
#: A long number as a spreadsheet writes it; its last digits are lost.
_SHORTENED: Final = re.compile(r"[+-]?\d(?:[.,]\d+)?[eE]\+?\d{2,3}", re.ASCII)


class CellReader:
    """Reads the cells of one row. Methods give None where a cell is empty or at fault; ``faults`` has the latter.
    Pointers are those of the report's fields, for the faults."""

    def __init__(self, row: Mapping[str, str], context: RowContext) -> None:
        self.row = row
        self.context = context
        self.faults: list[RowFault] = []

    def text(self, column: str) -> str:
        """The cell with its inner blanks made single; empty where there is none."""
        return " ".join(self.row.get(column, "").split())

    def required(self, column: str, pointer: str = "") -> str:
        """As :meth:`text`; it is a fault where there is none."""
        found = self.text(column)
        if not found:
            self.refuse("empty", column, pointer)
        return found

    def id(self, column: str, pointer: str = "/external_id") -> str:
        """The source's id, exactly as it stands, leading zeros and all; one that a spreadsheet shortened is a fault."""
        found = self.row.get(column, "")
        if not found:
            self.refuse("empty", column, pointer)
        elif is_shortened(found):
            self.refuse("mangled_id", column, pointer)
        return found

    def code(self, column: str, book: Mapping[str, T], pointer: str = "") -> T | None:
        """The meaning of a code; ``2.0`` is 2. One that is not in the book is a fault."""
        found = self.required(column, pointer)
        if not found:
            return None
        if found in book:
            return book[found]
        whole = _WHOLE.fullmatch(found)
        key = str(int(whole[1])) if whole else found
        if key not in book:
            self.refuse("not_in_code_book", column, pointer, allowed=book)
            return None
        return book[key]

    def count(self, column: str, pointer: str = "") -> int | None:
        found = self.text(column)
        if not found:
            return None
        whole = _WHOLE.fullmatch(found)
        if whole is None or ("," in found and not self.context.decimal_comma):
            self.refuse("not_a_count", column, pointer, example=COUNT_EXAMPLE)
            return None
        return int(whole[1])

    def number(self, column: str, pointer: str = "") -> float | None:
        found = self.text(column)
        if not found:
            return None
        value = read_number(found, decimal_comma=self.context.decimal_comma)
        if value is None:
            self.refuse("not_a_number", column, pointer, example=NUMBER_EXAMPLE)
        return value

    def day(self, column: str, pointer: str = "/occurred") -> date | None:
        found = self.text(column)
        if not found:
            return None
        day = read_day(found)
        if day is None:
            self.refuse("not_a_date", column, pointer, example=DAY_EXAMPLE)
        return day

    def required_day(self, column: str, pointer: str = "/occurred") -> date | None:
        return self.day(column, pointer) if self.required(column, pointer) else None

    def choice(self, column: str, pointer: str, path: str, allowed: Iterable[str] = ACTS) -> str | None:
        """A value of ours: by the operator's table for ``path``, or written as we do. Any other is a fault."""
        found = self.required(column, pointer)
        if not found:
            return None
        ours = self.context.tables.choices.get(path, {}).get(found, found)
        values = tuple(allowed)
        if ours in values:
            return ours
        self.refuse("not_in_table", column, pointer, detail=f"choices.{path}", nearest=nearest(ours, values))
        return None

    def names(self, texts: Iterable[str]) -> list[str]:
        """Each name once, in order; one that the operator's table has as the party's id."""
        table = self.context.tables.names
        return list(dict.fromkeys(table.get(text, text) for text in texts))

    def refuse(
        self,
        code: FaultCode,
        column: str,
        pointer: str = "",
        *,
        example: str = "",
        nearest: str = "",
        detail: str = "",
        allowed: Iterable[str] = (),
    ) -> None:
        """Note a fault of a column."""
        cell = self.row.get(column)
        self.faults.append(RowFault(code, column, cell, pointer, example, nearest, tuple(allowed), detail))


def split_names(text: str, separator: str) -> list[str]:
    """The parts of a list as they are said, without blanks around them and without empty ones."""
    return [name for part in text.split(separator) if (name := part.strip())]


def read_number(text: str, *, decimal_comma: bool = False) -> float | None:
    """A finite number, or None. ``36,214`` is one where the file writes decimals so."""
    if decimal_comma and (match := _DECIMAL_COMMA.fullmatch(text)):
        text = f"{match[1]}.{match[2]}"
    if _NUMBER.fullmatch(text) is None:
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def read_day(text: str) -> date | None:
    """A day written ``2016-02-28``, with a midnight behind it or not, ``28 February 2016`` or ``28-Feb-2016``; None
    for any other, since the order of 08/05/2016 is not known."""
    try:
        if match := _ISO_DAY.fullmatch(text):
            day = date(int(match[1]), int(match[2]), int(match[3]))
        elif match := _WORDED_DAY.fullmatch(text):
            day = date(int(match[3]), _month(match[2]), int(match[1]))
        else:
            return None
    except ValueError:
        return None
    return day if _EARLIEST <= day <= _LATEST else None


def _month(word: str) -> int:
    """Raises ValueError for what is no English month, in full or by three letters."""
    word = word.lower()
    for number, month in enumerate(_MONTHS, 1):
        if word in (month, month[:3]):
            return number
    raise ValueError(f"{word!r} is no month")


def is_shortened(id: str) -> bool:
    """Whether an id looks like 2.01605E+13: several ids have become one."""
    return _SHORTENED.fullmatch(id) is not None


def as_text(record: Mapping[str, Any]) -> dict[str, str]:
    """A flat record of JSON as a row of a file: null is empty, 0 is not, a whole number has no decimal point."""
    texts = {str(name): _text(value) for name, value in record.items()}
    return {name: text for name, text in texts.items() if text.lower() not in EMPTY_CELLS}


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return value.strip() if isinstance(value, str) else str(value)
