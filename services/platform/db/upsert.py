"""Insert or update, in the words of the database at hand. The only statement that SQLAlchemy spells per dialect.

What goes past SQLAlchemy, for the sake of speed, is put together here too: ``source`` is where its rows come from, in
the words of one database; the rest is SQL of both.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert


def upsert(connection: Connection, table: Table, where: ColumnElement[bool] | None = None) -> Insert:
    """An insert that replaces every other column of a row whose primary key is there already.

    With ``where`` it replaces only rows for which that holds; the others are left alone.
    """
    if where is None:
        return _plain(connection.dialect.name, table)
    return _build(connection.dialect.name, table, where)


def merge(connection: Connection, table: Table, change: Callable[[Any], Mapping[str, Any]]) -> Insert:
    """An insert that, where the key is there already, sets what ``change`` makes of the values that came."""
    key = [c.name for c in table.primary_key.columns]
    insert = _insert(connection.dialect.name, table)
    merged: Insert = insert.on_conflict_do_update(index_elements=key, set_=dict(change(insert.excluded)))
    return merged


def inserting(table: Table, columns: tuple[str, ...], source: str) -> str:
    """An INSERT of the ``columns`` that ``source`` has, which may be followed by an ``ON CONFLICT``."""
    return f'INSERT INTO "{table.name}" ({quoted(columns)}) {source}'


def updating(table: Table, columns: tuple[str, ...], only: str, source: str, mark: str) -> str:
    """An UPDATE of ``columns`` after the first, by which a row is found, to what ``source`` has: of rows that hold in
    the column ``only`` what the parameter ``mark`` is."""
    changes = ", ".join(f'"{column}" = came."{column}"' for column in columns[1:])
    return (
        f"WITH came ({quoted(columns)}) AS ({source})"  # noqa: S608 - our own names
        f' UPDATE "{table.name}" SET {changes} FROM came'
        f' WHERE "{table.name}"."{columns[0]}" = came."{columns[0]}" AND "{table.name}"."{only}" = {mark}'
    )


def quoted(columns: Iterable[str]) -> str:
    """The names as a list in SQL."""
    return ", ".join(f'"{column}"' for column in columns)


@cache
def replacing(table: Table, columns: tuple[str, ...], rising: str | None = None) -> str:
    """The end of an INSERT of ``columns`` that replaces those of a row whose primary key is there already: with
    ``rising`` only of a row that is lower in this column."""
    key = [column.name for column in table.primary_key.columns]
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in columns if name not in key)
    lower = "" if rising is None else f' WHERE "{table.name}"."{rising}" < excluded."{rising}"'
    return f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}{lower}"


def insert_new(connection: Connection, table: Table) -> Insert:
    """An insert that leaves alone every row whose key is there already."""
    fresh: Insert = _insert(connection.dialect.name, table).on_conflict_do_nothing()
    return fresh


def _insert(dialect: str, table: Table) -> Any:
    """The insert of a dialect: both spell ``ON CONFLICT`` alike, and share no type that says so."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


@cache
def _plain(dialect: str, table: Table) -> Insert:
    return _build(dialect, table, None)


def _build(dialect: str, table: Table, where: ColumnElement[bool] | None) -> Insert:
    key: Sequence[str] = [c.name for c in table.primary_key.columns]
    others = [c.name for c in table.columns if c.name not in key]
    insert = _insert(dialect, table)
    values = {name: insert.excluded[name] for name in others}
    replacing: Insert = insert.on_conflict_do_update(index_elements=key, set_=values, where=where)
    return replacing
