"""Connections to a database: how each is set up, and what its errors mean."""

import sqlite3
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from services.platform.db.driver import raw
from services.platform.db.timeouts import TCP, AnswerTimeouts
from services.platform.failures import RetryLaterError

T = TypeVar("T")

READERS: Final = 4
#: How long a writer waits for another process that writes to the same file, and how often it looks, seconds.
BUSY_S: Final = 30
BUSY_STEP_S: Final = 0.02
#: Takes the write lock first, so that nothing has been done when another process holds it.
BEGIN: Final = "BEGIN IMMEDIATE"


def _in_transaction(connection: Connection) -> bool:
    driver = connection.connection.driver_connection
    return isinstance(driver, sqlite3.Connection) and driver.in_transaction


def is_locked(error: DBAPIError) -> bool:
    """Whether another process holds the write lock. Nothing was done then: each transaction takes it first."""
    return getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY


def retry_while_locked(attempt: Callable[[], T]) -> T:
    """The result of ``attempt``, which is retried while another process holds the write lock, for :data:`BUSY_S`;
    blocking."""
    end = monotonic() + BUSY_S
    while True:
        try:
            return attempt()
        except OperationalError as error:
            if not is_locked(error) or monotonic() > end:
                raise
            sleep(BUSY_STEP_S)


def translated(error: BaseException) -> BaseException:
    """A database that is away, or whose disk is full, is a RetryLaterError; anything else is passed on as it is."""
    if isinstance(error, sqlite3.OperationalError):
        return RetryLaterError(f"database: {error}")
    if isinstance(error, OperationalError | InterfaceError) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    ):
        return RetryLaterError(f"database: {error.orig}")
    return error


def make_engine(url: str, timeouts: AnswerTimeouts, *, writer: bool) -> Engine:
    """Its connections are set up for one writer, or for :data:`READERS` readers."""
    if make_url(url).get_backend_name() == "sqlite":
        engine = create_engine(
            url,
            pool_size=2 if writer else READERS + 1,
            max_overflow=0,
            pool_reset_on_return=None,  # every transaction is ended where it was begun
            connect_args={"timeout": BUSY_S, "check_same_thread": False, "cached_statements": 512},
        )
        event.listen(engine, "connect", _prepare_sqlite)
        begin = BEGIN if writer else "BEGIN"
        event.listen(engine, "begin", lambda c: None if _in_transaction(c) else raw(c, begin))
        return engine
    engine = create_engine(
        url, pool_size=2 if writer else READERS, max_overflow=0, pool_pre_ping=True, connect_args=TCP
    )
    event.listen(engine, "do_connect", timeouts.admit)
    event.listen(engine, "connect", timeouts.prepare)
    event.listen(engine, "after_cursor_execute", timeouts.note_answer)
    return engine


def _prepare_sqlite(connection: Any, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "wal_autocheckpoint=0",
        "foreign_keys=ON",
        "temp_store=MEMORY",
        # Kilobytes for each connection. The file is not mapped: the process would seem to grow with it, for no speed.
        "cache_size=-8000",
        "mmap_size=0",
    ):
        connection.execute(f"PRAGMA {pragma}")


def commit(connection: Connection) -> None:
    """Commit; SQLAlchemy alone cannot commit a transaction that only the driver knows."""
    if connection.in_transaction():
        connection.commit()
    else:
        connection.connection.commit()
