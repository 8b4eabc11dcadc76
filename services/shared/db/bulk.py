"""Many rows in one statement, for what runs for each report.

The driver of SQLite lets go of the interpreter once a statement, and has to win it back from a busy event loop each
time: a hundred rows in one statement cost one such wait, and are written while the loop goes on. PostgreSQL's driver
sends a batch of its own accord.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any, Final

from sqlalchemy import Connection, Table, bindparam, insert, literal_column, update
from sqlalchemy.sql.dml import Update

from services.shared.db.driver import raw
from services.shared.db.upsert import insert_new, upsert

#: Rows of one statement. Each size is a text of its own, which the driver keeps prepared: there must not be too many.
SIZES: Final = (64, 32, 16)
Row = Sequence[Any]


def insert_rows(connection: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
    """Insert ``rows``, each with a value for each of ``columns``. Raises IntegrityError for a key that is taken."""
    if connection.dialect.name == "sqlite":
        _write(connection, table.name, columns, rows, "")
    elif rows:
        connection.execute(insert(table), _named(columns, rows))


def insert_new_rows(connection: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
    """Insert those of ``rows`` whose key is not taken yet."""
    if connection.dialect.name == "sqlite":
        _write(connection, table.name, columns, rows, " ON CONFLICT DO NOTHING")
    elif rows:
        connection.execute(insert_new(connection, table), _named(columns, rows))


def upsert_rows(
    connection: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[Row], rising: str | None = None
) -> None:
    """Insert ``rows`` or replace those whose primary key is taken; no key may come twice in ``rows``.

    With ``rising`` only rows are replaced that are lower in this column.
    """
    if connection.dialect.name == "sqlite":
        _write(connection, table.name, columns, rows, _replacing(table, columns, rising))
    elif rows:
        lower = None if rising is None else table.c[rising] < literal_column(f"excluded.{rising}")
        connection.execute(upsert(connection, table, lower), _named(columns, rows))


def update_rows(
    connection: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[Row], only: tuple[str, Any]
) -> None:
    """Set ``columns`` after the first, by which the row is found. ``only`` those rows that hold a value in a column."""
    if connection.dialect.name == "sqlite":
        for some in _slices(rows):
            statement = _updating(table.name, columns, len(some), only[0])
            raw(connection, statement, (*chain.from_iterable(some), only[1]))
    elif rows:
        names = tuple(f"new_{column}" for column in columns)
        given = [{"only": only[1], **row} for row in _named(names, rows)]
        connection.execute(_update(table, columns, only[0]), given)


def select_by_key(connection: Connection, statement: str, keys: Sequence[Any]) -> list[Any]:
    """The rows of ``statement``, SQL that ends in ``IN``, for all of ``keys``, in any order."""
    found: list[Any] = []
    for some in _slices(keys):
        if connection.dialect.name == "sqlite":
            found += raw(connection, f"{statement} ({', '.join('?' * len(some))})", some).fetchall()
        else:
            marks = ", ".join(["%s"] * len(some))
            found += connection.exec_driver_sql(f"{statement} ({marks})", tuple(some)).fetchall()
    return found


def scalar(connection: Connection, statement: str) -> Any:
    """The first value of the first row of ``statement``, SQL of both databases; None where there is no row."""
    if connection.dialect.name == "sqlite":
        row = raw(connection, statement).fetchone()
    else:
        row = connection.exec_driver_sql(statement).fetchone()
    return None if row is None else row[0]


def _slices(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    start = 0
    while left := len(rows) - start:
        size = next((size for size in SIZES if size <= left), left)
        yield rows[start : start + size]
        start += size


def _named(columns: tuple[str, ...], rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _write(connection: Connection, table: str, columns: tuple[str, ...], rows: Sequence[Row], ending: str) -> None:
    for some in _slices(rows):
        raw(connection, _statement(table, columns, len(some), ending), tuple(chain.from_iterable(some)))


@cache
def _statement(table: str, columns: tuple[str, ...], size: int, ending: str) -> str:
    names = ", ".join(f'"{column}"' for column in columns)
    return f'INSERT INTO "{table}" ({names}) VALUES {_marks(columns, size)}{ending}'  # noqa: S608 - our own names


@cache
def _replacing(table: Table, columns: tuple[str, ...], rising: str | None) -> str:
    key = [column.name for column in table.primary_key.columns]
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in columns if name not in key)
    lower = "" if rising is None else f' WHERE "{table.name}"."{rising}" < excluded."{rising}"'
    return f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}{lower}"


@cache
def _updating(table: str, columns: tuple[str, ...], size: int, only: str) -> str:
    names = ", ".join(f'"{column}"' for column in columns)
    changes = ", ".join(f'"{column}" = came."{column}"' for column in columns[1:])
    return (
        f"WITH came ({names}) AS (VALUES {_marks(columns, size)})"  # noqa: S608 - our own names
        f' UPDATE "{table}" SET {changes} FROM came'
        f' WHERE "{table}"."{columns[0]}" = came."{columns[0]}" AND "{table}"."{only}" = ?'
    )


def _marks(columns: tuple[str, ...], size: int) -> str:
    return ", ".join([f"({', '.join('?' * len(columns))})"] * size)


@cache
def _update(table: Table, columns: tuple[str, ...], only: str) -> Update:
    found = (table.c[columns[0]] == bindparam(f"new_{columns[0]}")) & (table.c[only] == bindparam("only"))
    return update(table).where(found).values({column: bindparam(f"new_{column}") for column in columns[1:]})
