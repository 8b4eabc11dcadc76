"""The database as the use cases see it: a unit of work is a plain function of a connection.

Units that wait together are committed together (group commit): one writer thread takes all that are queued, runs
them in one transaction and commits once. On SQLite that thread is the one writer the file allows; on PostgreSQL each
process has one, and concurrency between processes is the database's.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from services.shared.db.driver import raw
from services.shared.db.put_out import PutOut
from services.shared.failures import RetryLaterError

T = TypeVar("T")
Work = Callable[[Connection], T]

MAX_GROUP: Final = 64
READERS: Final = 4
#: The write-ahead log is folded back off the commit path once it is this large, and by force at the second mark.
CHECKPOINT_BYTES: Final = 4 * 1024 * 1024
FORCED_CHECKPOINT_BYTES: Final = 128 * 1024 * 1024


@dataclass(slots=True)
class _Unit:
    work: Work[Any]
    durable: bool
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class Database:
    """Reads and writes of one process.

    ``is_log``: events that commit are also the log of the embedded bus, so a write that can be derived again from the
    log (``durable=False``) need not wait for the disk; every other database syncs every commit.
    """

    def __init__(self, url: str, observe_commit: Callable[[float], object] = lambda _: None) -> None:
        self._observe_commit = observe_commit
        self.dialect = make_url(url).get_backend_name()
        self.is_log = self.dialect == "sqlite"
        self._writer_engine = _engine(url, writer=True)
        self._reader_engine = _engine(url, writer=False)
        self._queue: queue.SimpleQueue[_Unit | None] = queue.SimpleQueue()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="db-read")
        self._hooks: list[Callable[[PutOut], None]] = []
        self._synced = True
        self._thread = threading.Thread(target=self._run, name="db-write", daemon=True)
        self._thread.start()
        self._path = make_url(url).database if self.is_log else None
        self._stop_checkpoints = threading.Event()
        if self.is_log:
            threading.Thread(target=self._checkpoint, name="db-checkpoint", daemon=True).start()

    @property
    def engine(self) -> Engine:
        """For migrations and tests; use cases go through :meth:`read` and :meth:`write`."""
        return self._writer_engine

    def on_commit(self, hook: Callable[[PutOut], None]) -> None:
        """Have ``hook`` called on the event loop, after each commit, with the events that the commit put out."""
        self._hooks.append(hook)

    async def write(self, work: Work[T], *, durable: bool = True) -> T:
        """Run ``work`` in a transaction that others may share, and return what it returned once committed.

        ``work`` must touch nothing but its connection: when a neighbour in the group fails, it is run again alone.
        With ``durable`` the commit is on disk when this returns. Raises what ``work`` raised (then nothing of it is
        kept), RetryLaterError when the database is away.
        """
        loop = asyncio.get_running_loop()
        unit = _Unit(work, durable, loop.create_future(), loop)
        self._queue.put(unit)
        result: T = await unit.future
        return result

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` on a connection that sees one consistent, committed state. Raises RetryLaterError."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    async def close(self) -> None:
        """Finish what is queued, then let go of every connection."""
        self._stop_checkpoints.set()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        self._readers.shutdown(wait=True)
        self._reader_engine.dispose()
        self._writer_engine.dispose()

    def _read(self, work: Work[T]) -> T:
        try:
            with self._reader_engine.connect() as connection:
                return work(connection)
        except DBAPIError as error:
            raise _translated(error) from error

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            group, closing = [first], False
            while len(group) < MAX_GROUP and not self._queue.empty():
                unit = self._queue.get()
                if unit is None:
                    closing = True
                    break
                group.append(unit)
            self._commit_group(group)
            if closing:
                return

    def _commit_group(self, group: list[_Unit]) -> None:
        try:
            results, put_out = self._transact(group)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is handed to whoever asked
            if len(group) == 1:
                _answer(group[0].loop, [(group[0], _translated(error))], ok=False)
            else:
                for unit in group:
                    self._commit_group([unit])
            return
        loop = group[0].loop
        if loop.is_closed():
            return
        loop.call_soon_threadsafe(self._committed, list(zip(group, results, strict=True)), put_out)

    def _transact(self, group: list[_Unit]) -> tuple[list[Any], PutOut | None]:
        with self._writer_engine.connect() as connection:
            if self.is_log:
                self._set_sync(connection, any(unit.durable for unit in group))
            connection.info.pop("put_out", None)
            with connection.begin() as transaction:
                results = [unit.work(connection) for unit in group]
                begin = perf_counter()
                transaction.commit()
            self._observe_commit(perf_counter() - begin)
            return results, connection.info.pop("put_out", None)

    def _set_sync(self, connection: Connection, durable: bool) -> None:
        if durable == self._synced:
            return
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        self._synced = durable

    def _committed(self, answers: list[tuple[_Unit, Any]], put_out: PutOut | None) -> None:
        if put_out is not None:
            for hook in self._hooks:
                hook(put_out)
        for unit, result in answers:
            if not unit.future.done():
                unit.future.set_result(result)

    def _checkpoint(self) -> None:
        wal = Path(f"{self._path}-wal")
        while not self._stop_checkpoints.wait(0.5):
            size = wal.stat().st_size if wal.exists() else 0
            if size > CHECKPOINT_BYTES:
                mode = "RESTART" if size > FORCED_CHECKPOINT_BYTES else "PASSIVE"
                with self._reader_engine.connect() as connection:
                    connection.exec_driver_sql(f"PRAGMA wal_checkpoint({mode})")


def _answer(loop: asyncio.AbstractEventLoop, answers: list[tuple[_Unit, Any]], *, ok: bool) -> None:
    def settle() -> None:
        for unit, value in answers:
            if not unit.future.done():
                unit.future.set_result(value) if ok else unit.future.set_exception(value)

    if not loop.is_closed():
        loop.call_soon_threadsafe(settle)


def _translated(error: BaseException) -> BaseException:
    """A database that is away is a RetryLaterError; anything else is passed on as it is."""
    if isinstance(error, OperationalError | InterfaceError) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    ):
        return RetryLaterError(f"database: {error.orig}")
    return error


def _engine(url: str, *, writer: bool) -> Engine:
    if make_url(url).get_backend_name() == "sqlite":
        engine = create_engine(
            url,
            pool_size=1 if writer else READERS + 1,
            max_overflow=0,
            pool_reset_on_return=None,  # every transaction is ended where it was begun
            connect_args={"timeout": 30, "check_same_thread": False, "cached_statements": 512},
        )
        event.listen(engine, "connect", _prepare_sqlite)
        begin = "BEGIN IMMEDIATE" if writer else "BEGIN"
        event.listen(engine, "begin", lambda connection: raw(connection, begin))
        return engine
    return create_engine(url, pool_size=1 if writer else READERS, max_overflow=0, pool_pre_ping=not writer)


def _prepare_sqlite(connection: Any, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "wal_autocheckpoint=0",
        "foreign_keys=ON",
        "temp_store=MEMORY",
        # Kilobytes for each connection. The file is not mapped: the process would seem to grow with it, for no speed.
        "cache_size=-8000",
        "mmap_size=0",
    ):
        connection.execute(f"PRAGMA {pragma}")
