"""Files of reports: JSON Lines, CSV with dotted columns, UCDP GED. Each gives numbered reports, ready to be sent.

A line that cannot be read is passed on as such, so that its neighbours are sent all the same.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TextIO
from zoneinfo import ZoneInfo

import msgspec
from msgspec import inspect

from schemas.report import Report
from services.cli.ucdp import UnreadableRowError, read_row

LIST_SEPARATOR: Final = ";"


class Line(msgspec.Struct, frozen=True):
    """The report that begins at a line of the file (from 1): as JSON, or why there is none."""

    number: int
    body: bytes = b""
    problem: str = ""


def read_json_lines(file: TextIO) -> Iterator[Line]:
    """One report a line; empty lines count but are passed over."""
    for number, text in enumerate(file, 1):
        if not text.strip():
            continue
        try:
            msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
            yield Line(number, problem=f"no JSON: {error}")
        else:
            yield Line(number, text.strip().encode())


def read_csv(file: TextIO) -> Iterator[Line]:
    """Columns are paths into a report (``location.lat``); lists are split at ``;``; an empty cell is absent."""
    return _read_rows(file, lambda row: _nest(row, _columns()))


def read_ucdp(file: TextIO, zone: ZoneInfo) -> Iterator[Line]:
    """UCDP GED as it is published; ``zone`` is that of the registry."""
    return _read_rows(file, lambda row: read_row(row, zone))


def _read_rows(file: TextIO, read: Callable[[Mapping[str, str]], dict[str, Any]]) -> Iterator[Line]:
    rows = csv.DictReader(file, restkey="", restval="")
    if rows.fieldnames is None:
        return
    begin = rows.line_num + 1
    while True:
        try:
            row = next(rows)
            yield _line(begin, row, read)
        except StopIteration:
            return
        except csv.Error as error:
            yield Line(begin, problem=str(error))
        begin = rows.line_num + 1


def _line(number: int, row: Mapping[str, str], read: Callable[[Mapping[str, str]], dict[str, Any]]) -> Line:
    if "" in row:
        return Line(number, problem="more cells than columns")
    try:
        return Line(number, msgspec.json.encode(read(row)))
    except (UnreadableRowError, UnicodeEncodeError) as error:
        return Line(number, problem=str(error))


def _nest(row: Mapping[str, str], columns: Mapping[str, inspect.Type]) -> dict[str, Any]:
    report: dict[str, Any] = {}
    for name, text in row.items():
        if text == "":
            continue
        value = _value(text, columns.get(name))
        *path, last = name.split(".")
        inner = report
        for step in path:
            inner = inner.setdefault(step, {})
            if not isinstance(inner, dict):
                raise UnreadableRowError(f"{name}: {step} is given as a whole, too")
        inner[last] = value
    return report


def _value(text: str, kind: inspect.Type | None) -> Any:
    """A cell as its column's type; what is not of that type stays text, and the server says what is wrong with it."""
    match kind:
        case inspect.VarTupleType():
            return [item for part in text.split(LIST_SEPARATOR) if (item := part.strip())]
        case inspect.IntType() | inspect.FloatType() | inspect.BoolType():
            wanted = {inspect.IntType: int, inspect.FloatType: float, inspect.BoolType: bool}[type(kind)]
            try:
                return msgspec.convert(text.strip(), wanted, strict=False)
            except msgspec.ValidationError:
                return text
        case _:
            return text


def _columns() -> dict[str, inspect.Type]:
    """Every dotted column that a report can have, with the type of its cells."""
    return dict(_walk(inspect.type_info(Report), ""))


def _walk(kind: inspect.Type, path: str) -> Iterator[tuple[str, inspect.Type]]:
    match kind:
        case inspect.StructType():
            for field in kind.fields:
                yield from _walk(field.type, f"{path}.{field.encode_name}" if path else field.encode_name)
        case inspect.UnionType():
            for member in kind.types:
                if not isinstance(member, inspect.NoneType):
                    yield from _walk(member, path)
        case inspect.Metadata():
            yield from _walk(kind.type, path)
        case _:
            yield path, kind
