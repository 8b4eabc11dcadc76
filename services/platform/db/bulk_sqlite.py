"""Many rows at once on SQLite: see :mod:`services.platform.db.bulk`, which says what each of these does.

The driver releases the GIL for each statement and has to wait for a busy event loop to get it back: a hundred rows in
one statement cost one such wait, and are written while the loop runs.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any, Final

from sqlalchemy import Connection, Table

from services.platform.db.driver import raw
from services.platform.db.upsert import inserting, replacing, updating

#: Rows of one statement. Each size is a text of its own, which the driver keeps prepared: there must not be too many.
SIZES: Final = (64, 32, 16)
Columns = tuple[str, ...]
Rows = Sequence[Sequence[Any]]


def insert(connection: Connection, table: Table, columns: Columns, rows: Rows) -> None:
    _write(connection, table, columns, rows, "")


def insert_new(connection: Connection, table: Table, columns: Columns, rows: Rows) -> None:
    _write(connection, table, columns, rows, " ON CONFLICT DO NOTHING")


def upsert(connection: Connection, table: Table, columns: Columns, rows: Rows, rising: str | None) -> None:
    _write(connection, table, columns, rows, replacing(table, columns, rising))


def update(connection: Connection, table: Table, columns: Columns, rows: Rows, only: tuple[str, Any]) -> None:
    for some in _slices(rows):
        statement = _updating(table, columns, len(some), only[0])
        raw(connection, statement, (*chain.from_iterable(some), only[1]))


def select(connection: Connection, statement: str, keys: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    for some in _slices(keys):
        found += raw(connection, f"{statement} IN ({', '.join('?' * len(some))})", some).fetchall()
    return found


def first(connection: Connection, statement: str) -> Any:
    return raw(connection, statement).fetchone()


def _slices(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    start = 0
    while left := len(rows) - start:
        size = next((size for size in SIZES if size <= left), left)
        yield rows[start : start + size]
        start += size


def _write(connection: Connection, table: Table, columns: Columns, rows: Rows, ending: str) -> None:
    for some in _slices(rows):
        raw(connection, _inserting(table, columns, len(some), ending), tuple(chain.from_iterable(some)))


@cache
def _inserting(table: Table, columns: Columns, size: int, ending: str) -> str:
    return inserting(table, columns, _values(columns, size)) + ending


@cache
def _updating(table: Table, columns: Columns, size: int, only: str) -> str:
    return updating(table, columns, only, _values(columns, size), "?")


def _values(columns: Columns, size: int) -> str:
    return "VALUES " + ", ".join([f"({', '.join('?' * len(columns))})"] * size)
