"""Many rows in one statement, for what runs for each report; each database has its own way to be quick about it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table

from services.platform.db import bulk_sqlite

Row = Sequence[Any]


def insert_rows(connection: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
    """Insert ``rows``, each with a value for each of ``columns``. Raises IntegrityError for a key that is taken."""
    if rows:
        _words(connection).insert(connection, table, columns, rows)


def insert_new_rows(connection: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
    """Insert those of ``rows`` whose key is not taken yet."""
    if rows:
        _words(connection).insert_new(connection, table, columns, rows)


def upsert_rows(
    connection: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[Row], rising: str | None = None
) -> None:
    """Insert ``rows`` or replace those whose primary key is taken; no key may come twice in ``rows``.

    With ``rising`` only rows are replaced that are lower in this column.
    """
    if rows:
        _words(connection).upsert(connection, table, columns, rows, rising)


def update_rows(
    connection: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[Row], only: tuple[str, Any]
) -> None:
    """Set ``columns`` after the first, by which the row is found. ``only`` those rows that hold a value in a column."""
    if rows:
        _words(connection).update(connection, table, columns, rows, only)


def select_by_key(connection: Connection, statement: str, keys: Sequence[str]) -> list[Any]:
    """The rows of ``statement``, SQL that ends in the name of a column, where that is one of ``keys``; in any order."""
    return _words(connection).select(connection, statement, keys) if keys else []


def scalar(connection: Connection, statement: str) -> Any:
    """The first value of the first row of ``statement``, SQL of both databases; None where there is no row."""
    row = _words(connection).first(connection, statement)
    return None if row is None else row[0]


def _words(connection: Connection) -> Any:
    if connection.dialect.name == "sqlite":
        return bulk_sqlite
    # It needs the extra "postgres".
    from services.platform.db import bulk_postgres

    return bulk_postgres
