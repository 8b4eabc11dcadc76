"""Copy a stopped embedded storage into PostgreSQL: in one transaction, which commits only what was compared."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Table, create_engine, func, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from services.notify.sql.generations import MARK_SUFFIX, is_put_back
from services.platform.db.bulk import insert_rows
from services.platform.db.migrate import upgrade_within
from services.platform.db.tables import metadata, outbox, positions
from services.platform.db.timeouts import TCP
from services.platform.failures import RetryLaterError
from services.platform.settings.config import DATABASE_FILE, SettingsError, embedded_url

#: Rows read, and written, at a time.
BATCH: Final = 500
_SCHEMA: Final = "SELECT version_num FROM alembic_version"
_COUNT_WORDS: Final = (
    "SELECT setval(pg_get_serial_sequence('incident_words', 'number'), max(number)) FROM incident_words"
)

#: Called with how many rows were written or compared, and how many there are to be.
Progress = Callable[[int, int], None]


class CopyFailedError(Exception):
    """PostgreSQL holds something else than was read; nothing of it was kept."""


def migrate_to(data: Path, url: str, on_progress: Progress) -> int:
    """Copy the storage in ``data``, which the caller holds, into the empty database at ``url``; returns how many rows.

    Raises SettingsError for a storage or a database that cannot be used, CopyFailedError, RetryLaterError when the
    database is away. After each the database is as it was.
    """
    if make_url(url).get_backend_name() != "postgresql":
        raise SettingsError("DATABASE_URL must begin with postgresql://")
    source, target = create_engine(embedded_url(data)), create_engine(url, connect_args=TCP)
    try:
        with _failures_told(), source.connect() as old, target.begin() as new:
            _prepare(old, new, data)
            tables = metadata.sorted_tables
            rows = sum(_count(old, table) for table in tables)
            done = 0
            for step in (_copy_table, _compare_table):
                for table in tables:
                    for count in step(old, new, table):
                        done += count
                        on_progress(done, 2 * rows)
            _go_on_counting(old, new)
            return rows
    finally:
        source.dispose()
        target.dispose()


@contextmanager
def _failures_told() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise RetryLaterError(f"database: {error.orig}") from error


def _prepare(old: Connection, new: Connection, data: Path) -> None:
    """Make the tables, once both sides are seen to be what they should be."""
    if found := inspect(new).get_table_names():
        raise SettingsError(f"the database is not empty: it has the table {min(found)}")
    upgrade_within(new)  # It imports the tables of every service.
    made, there = new.execute(text(_SCHEMA)).scalar(), inspect(old).has_table("alembic_version")
    if not there or old.execute(text(_SCHEMA)).scalar() != made:
        raise SettingsError(f"{data} is of another version: start it once with this one, and stop it")
    if is_put_back(old, data / f"{DATABASE_FILE}{MARK_SUFFIX}"):
        raise SettingsError(f"{data} was restored and not started since: start it once, and stop it")


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _batches(connection: Connection, table: Table) -> Iterator[Sequence[Sequence[Any]]]:
    with connection.execute(select(table), execution_options={"stream_results": True}) as found:
        yield from found.partitions(BATCH)


def _copy_table(old: Connection, new: Connection, table: Table) -> Iterator[int]:
    columns = tuple(table.columns.keys())
    for rows in _batches(old, table):
        insert_rows(new, table, columns, rows)
        yield len(rows)


def _compare_table(old: Connection, new: Connection, table: Table) -> Iterator[int]:
    """Raises CopyFailedError where the rows, in whatever order, are not the same."""
    wanted, rows = 0, 0
    for batch in _batches(old, table):
        wanted, rows = wanted + _checksum(batch), rows + len(batch)
        yield len(batch)
    found = sum(_checksum(batch) for batch in _batches(new, table))
    if _count(new, table) != rows or found != wanted:
        raise CopyFailedError(f"the table {table.name} arrived otherwise than it was read: nothing was kept")


def _checksum(rows: Sequence[Sequence[Any]]) -> int:
    """The same whatever the order: the sum of a hash of each row."""
    return sum(int.from_bytes(sha256(msgspec.msgpack.encode(tuple(row))).digest()) for row in rows)


def _go_on_counting(old: Connection, new: Connection) -> None:
    """Give no number again that an event of the log had, those that were trimmed included, nor any other number."""
    last = max(old.execute(select(func.max(column))).scalar() or 0 for column in (outbox.c.seq, positions.c.seq))
    if last:
        new.execute(text("SELECT setval(pg_get_serial_sequence('outbox', 'seq'), :last)"), {"last": last})
    new.execute(text(_COUNT_WORDS))
