"""Many rows in one statement, for what runs for each report.

The driver of SQLite lets go of the interpreter once a statement, and has to win it back from a busy event loop each
time: a hundred rows in one statement cost one such wait, and are written while the loop goes on. PostgreSQL's driver
sends a batch of its own accord.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, Table, insert

from services.shared.db.upsert import upsert

#: Rows of one statement. Each size is a text of its own, which the driver keeps prepared: there must not be too many.
MAX_ROWS: Final = 64
Row = Sequence[Any]


def insert_rows(connection: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
    """Insert ``rows``, each with a value for each of ``columns``. Raises IntegrityError for a key that is taken."""
    if connection.dialect.name == "sqlite":
        _write(connection, table.name, columns, rows, "")
    elif rows:
        connection.execute(insert(table), [dict(zip(columns, row, strict=True)) for row in rows])


def upsert_rows(connection: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
    """Insert ``rows`` or replace those whose primary key is taken; no key may come twice in ``rows``."""
    if connection.dialect.name == "sqlite":
        _write(connection, table.name, columns, rows, _replacing(table, columns))
    elif rows:
        connection.execute(upsert(connection, table), [dict(zip(columns, row, strict=True)) for row in rows])


def select_by_key(connection: Connection, statement: str, keys: Sequence[Any]) -> list[Any]:
    """The rows of ``statement``, SQL that ends in ``IN``, for all of ``keys``, in any order."""
    found: list[Any] = []
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    start = 0
    while start < len(keys):
        size = min(len(keys) - start, MAX_ROWS)
        marks = ", ".join([mark] * size)
        found += connection.exec_driver_sql(f"{statement} ({marks})", tuple(keys[start : start + size])).fetchall()
        start += size
    return found


def _write(connection: Connection, table: str, columns: tuple[str, ...], rows: Sequence[Row], ending: str) -> None:
    start = 0
    while start < len(rows):
        size = min(len(rows) - start, MAX_ROWS)
        values = tuple(value for row in rows[start : start + size] for value in row)
        connection.exec_driver_sql(_statement(table, columns, size, ending), values)
        start += size


@cache
def _statement(table: str, columns: tuple[str, ...], size: int, ending: str) -> str:
    names = ", ".join(f'"{column}"' for column in columns)
    row = f"({', '.join('?' * len(columns))})"
    return f'INSERT INTO "{table}" ({names}) VALUES {", ".join([row] * size)}{ending}'  # noqa: S608 - our own names


@cache
def _replacing(table: Table, columns: tuple[str, ...]) -> str:
    key = [column.name for column in table.primary_key.columns]
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in columns if name not in key)
    return f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}"
