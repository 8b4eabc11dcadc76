"""Many rows at once on SQLite: see :mod:`services.shared.db.bulk`, which says what each of these does.

The driver lets go of the interpreter once a statement, and has to win it back from a busy event loop each time: a
hundred rows in one statement cost one such wait, and are written while the loop goes on.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any, Final

from sqlalchemy import Connection, Table

from services.shared.db.driver import raw
from services.shared.db.upsert import replacing

#: Rows of one statement. Each size is a text of its own, which the driver keeps prepared: there must not be too many.
SIZES: Final = (64, 32, 16)
Columns = tuple[str, ...]
Rows = Sequence[Sequence[Any]]


def insert(connection: Connection, table: Table, columns: Columns, rows: Rows) -> None:
    _write(connection, table.name, columns, rows, "")


def insert_new(connection: Connection, table: Table, columns: Columns, rows: Rows) -> None:
    _write(connection, table.name, columns, rows, " ON CONFLICT DO NOTHING")


def upsert(connection: Connection, table: Table, columns: Columns, rows: Rows, rising: str | None) -> None:
    _write(connection, table.name, columns, rows, replacing(table, columns, rising))


def update(connection: Connection, table: Table, columns: Columns, rows: Rows, only: tuple[str, Any]) -> None:
    for some in _slices(rows):
        statement = _updating(table.name, columns, len(some), only[0])
        raw(connection, statement, (*chain.from_iterable(some), only[1]))


def select(connection: Connection, statement: str, keys: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    for some in _slices(keys):
        found += raw(connection, f"{statement} IN ({', '.join('?' * len(some))})", some).fetchall()
    return found


def scalar(connection: Connection, statement: str) -> Any:
    row = raw(connection, statement).fetchone()
    return None if row is None else row[0]


def _slices(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    start = 0
    while left := len(rows) - start:
        size = next((size for size in SIZES if size <= left), left)
        yield rows[start : start + size]
        start += size


def _write(connection: Connection, table: str, columns: Columns, rows: Rows, ending: str) -> None:
    for some in _slices(rows):
        raw(connection, _statement(table, columns, len(some), ending), tuple(chain.from_iterable(some)))


@cache
def _statement(table: str, columns: Columns, size: int, ending: str) -> str:
    names = ", ".join(f'"{column}"' for column in columns)
    return f'INSERT INTO "{table}" ({names}) VALUES {_marks(columns, size)}{ending}'  # noqa: S608 - our own names


@cache
def _updating(table: str, columns: Columns, size: int, only: str) -> str:
    names = ", ".join(f'"{column}"' for column in columns)
    changes = ", ".join(f'"{column}" = came."{column}"' for column in columns[1:])
    return (
        f"WITH came ({names}) AS (VALUES {_marks(columns, size)})"  # noqa: S608 - our own names
        f' UPDATE "{table}" SET {changes} FROM came'
        f' WHERE "{table}"."{columns[0]}" = came."{columns[0]}" AND "{table}"."{only}" = ?'
    )


def _marks(columns: Columns, size: int) -> str:
    return ", ".join([f"({', '.join('?' * len(columns))})"] * size)
