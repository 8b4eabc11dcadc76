"""The database as the use cases see it: a unit of work is a plain function of a connection.

Units that wait together are committed together (group commit): one writer thread takes all that are queued, runs
them in one transaction and commits once. On PostgreSQL each process has one, and concurrency between processes is the
database's. SQLite allows one writer, whose transaction on a small unit takes less than the way to the thread and back:
the event loop writes such a unit itself when the thread has nothing to do. Only the disk is waited for elsewhere.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from services.shared.db.driver import raw
from services.shared.db.patience import TCP, Patience, after_closing
from services.shared.db.put_out import PutOut
from services.shared.db.sync import Syncer
from services.shared.failures import RetryLaterError
from services.shared.faults import Faults

T = TypeVar("T")
Work = Callable[[Connection], T]

MAX_GROUP: Final = 64
#: So many reports, or so many of anything that follows from one, are written in a few milliseconds.
SMALL: Final = 256
READERS: Final = 4
#: The write-ahead log is folded back off the commit path once it is this large, and by force at the second mark.
CHECKPOINT_BYTES: Final = 4 * 1024 * 1024
FORCED_CHECKPOINT_BYTES: Final = 128 * 1024 * 1024
CHECKPOINT_S: Final = 0.5
#: How long a writer waits for another process that writes to the same file, and how often it looks, seconds.
BUSY_S: Final = 30
BUSY_STEP_S: Final = 0.02
#: Asks for the one right to write at once, so that nothing has been done when another process has it.
_BEGIN: Final = "BEGIN IMMEDIATE"


@dataclass(slots=True)
class _Unit:
    work: Work[Any]
    durable: bool
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class Database:
    """Reads and writes of one process.

    ``is_log``: events that commit are also the log of the embedded bus, so a write that can be derived again from the
    log (``durable=False``) need not wait for the disk; every other database syncs every commit. There, consumers may
    see what has committed before it is on disk: whoever tells the world of it waits for :meth:`settled` first.
    """

    def __init__(
        self,
        url: str,
        observe_commit: Callable[[float], object] = lambda _: None,
        observe_sync: Callable[[float], object] = lambda _: None,
        faults: Faults | None = None,
    ) -> None:
        self._faults = faults or Faults()
        self._observe_commit = observe_commit
        self.dialect = make_url(url).get_backend_name()
        self.is_log = self.dialect == "sqlite"
        self._patience = Patience()
        self._writer_engine = _engine(url, self._patience, writer=True)
        self._reader_engine = _engine(url, self._patience, writer=False)
        self._queue: queue.SimpleQueue[_Unit | None] = queue.SimpleQueue()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="db-read")
        self._hooks: list[Callable[[PutOut], None]] = []
        self._writer: Connection | None = None
        self._turn = threading.Lock()
        #: Transactions of the thread, counted by the thread, and those of them that the loop has told of, by the loop:
        #: it commits none itself before, since events are handed on in the order of their commits.
        self._committed_there = self._told = 0
        self._path = make_url(url).database if self.is_log else None
        self._syncer = Syncer(self._path, observe_sync) if self._path else None
        self._thread = threading.Thread(target=self._run, name="db-write", daemon=True)
        self._thread.start()
        self._stop_checkpoints = threading.Event()
        if self.is_log:
            threading.Thread(target=self._checkpoint, name="db-checkpoint", daemon=True).start()

    @property
    def engine(self) -> Engine:
        """For migrations and tests; use cases go through :meth:`read` and :meth:`write`."""
        return self._writer_engine

    @property
    def file(self) -> str | None:
        """The file of an embedded database, empty where it is in memory; None for a server."""
        return (self._path or "") if self.is_log else None

    def wipe_free_pages(self) -> None:
        """Write the file anew without what was deleted or overwritten; blocking. A server sees to that itself."""
        if self.is_log:
            with self._turn, self._writer_engine.connect() as connection:
                driver = connection.connection
                driver.cursor().execute("VACUUM")
                driver.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def on_commit(self, hook: Callable[[PutOut], None]) -> None:
        """Have ``hook`` called on the event loop, after each commit, with the events that the commit put out."""
        self._hooks.append(hook)

    async def write(self, work: Work[T], *, durable: bool = True, rows: int | None = None) -> T:
        """Run ``work`` in a transaction that others may share, and return what it returned once committed.

        ``work`` must touch nothing but its connection: when a neighbour in the group fails, it is run again alone.
        With ``durable`` the commit is on disk when this returns. ``rows``: about how many reports it writes, or of
        anything that follows from one; the event loop may write a few itself (see :data:`SMALL`).

        Raises what ``work`` raised (then nothing of it is kept), RetryLaterError when the database is away; when it
        hangs, ``work`` may be done all the same.
        """
        small = self.is_log and rows is not None and rows <= SMALL
        if small and self._queue.empty() and self._turn.acquire(blocking=False):
            done, result = False, None
            try:
                if self._told == self._committed_there:
                    done, result = self._write_here(work)
            finally:
                self._turn.release()
            if done:
                if durable and self._syncer is not None:
                    await self._syncer.reach()
                return result  # type: ignore[return-value]
        loop = asyncio.get_running_loop()
        unit = _Unit(work, durable, loop.create_future(), loop)
        self._queue.put(unit)
        answer: T = await (unit.future if self.is_log else self._patience.wait(unit.future))
        return answer

    async def settled(self) -> None:
        """Return once every durable write that had committed before is on disk. Raises RetryLaterError."""
        if self._syncer is not None:
            await self._syncer.settle()

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` on a connection that sees one consistent, committed state. Raises RetryLaterError."""
        reading = asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)
        return await (reading if self.is_log else self._patience.wait(reading))

    async def close(self) -> None:
        """Finish what is queued, then let go of every connection. What a database that hangs does not answer soon is
        given up."""
        self._stop_checkpoints.set()
        self._queue.put(None)
        giving_up = after_closing(self._patience.hang_up)
        await asyncio.to_thread(self._end_threads)
        giving_up.cancel()
        if self._writer is not None:
            self._writer.close()
        if self._syncer is not None:
            self._syncer.close()
        self._reader_engine.dispose()
        self._writer_engine.dispose()

    def _end_threads(self) -> None:
        self._thread.join()
        self._readers.shutdown(wait=True, cancel_futures=True)

    def _read(self, work: Work[T]) -> T:
        try:
            with self._reader_engine.connect() as connection:
                return work(connection)
        except (DBAPIError, sqlite3.OperationalError) as error:
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

    def _write_here(self, work: Work[T]) -> tuple[bool, T | None]:
        """Whether it could be done, and what came of it. Whoever calls has the turn."""
        try:
            (result,), put_out = self._transact([work])
        except OperationalError as error:
            if _is_locked(error):
                # Another process writes to the file: the thread can wait for it.
                return False, None
            raise _translated(error) from error
        except (DBAPIError, sqlite3.OperationalError) as error:
            raise _translated(error) from error
        self._hand_on(put_out)
        return True, result

    def _commit_group(self, group: list[_Unit]) -> None:
        if not self.is_log and not (group := [unit for unit in group if not unit.future.done()]):
            return  # whoever asked gave up while the database was silent
        try:
            with self._turn:
                # Another process may be writing to the same file.
                results, put_out = patiently(lambda: self._transact([unit.work for unit in group]))
                self._committed_there += 1
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is handed to whoever asked
            if len(group) == 1:
                self._refuse(group[0], _translated(error))
            else:
                for unit in group:
                    self._commit_group([unit])
            return
        try:
            if self._syncer is not None and any(unit.durable for unit in group):
                self._syncer.force()
        except RetryLaterError as error:
            results = [error if unit.durable else result for unit, result in zip(group, results, strict=True)]
        self._tell(group, results, put_out)

    def _refuse(self, unit: _Unit, error: BaseException) -> None:
        if not unit.loop.is_closed():
            unit.loop.call_soon_threadsafe(lambda: None if unit.future.done() else unit.future.set_exception(error))

    def _tell(self, group: list[_Unit], results: list[Any], put_out: PutOut | None) -> None:
        loop = group[0].loop
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._committed, group, results, put_out)

    def _transact(self, group: list[Work[Any]]) -> tuple[list[Any], PutOut | None]:
        connection = self._writer or self._open_writer()
        connection.info.pop("put_out", None)
        try:
            if self.is_log:
                raw(connection, _BEGIN)
            else:
                # Also what goes past SQLAlchemy is in its transaction.
                connection.begin()
            results = [work(connection) for work in group]
            begin = perf_counter()
            _commit(connection)
        except BaseException as error:
            self._undo(connection, error)
            raise
        self._observe_commit(perf_counter() - begin)
        return results, connection.info.pop("put_out", None)

    def _open_writer(self) -> Connection:
        connection = self._writer = self._writer_engine.connect()
        if self.is_log:
            # The event loop must not wait for another process; the thread asks again.
            raw(connection, "PRAGMA busy_timeout=0")
        return connection

    def _undo(self, connection: Connection, error: BaseException) -> None:
        broken = isinstance(error, DBAPIError) and not isinstance(error, IntegrityError) and not _is_locked(error)
        # Statements that go past SQLAlchemy raise the driver's errors.
        broken = broken or isinstance(error, sqlite3.OperationalError)
        try:
            if self.is_log:
                connection.connection.rollback()
            connection.rollback()
        except DBAPIError:
            broken = True
        if broken:
            # The next transaction gets a new one.
            self._writer = None
            connection.invalidate()
            connection.close()

    def _committed(self, group: list[_Unit], results: list[Any], put_out: PutOut | None) -> None:
        self._told += 1
        self._hand_on(put_out)
        for unit, result in zip(group, results, strict=True):
            if unit.future.done():
                continue
            if isinstance(result, BaseException):
                unit.future.set_exception(result)
            else:
                unit.future.set_result(result)

    def _hand_on(self, put_out: PutOut | None) -> None:
        if put_out is not None:
            for hook in self._hooks:
                try:
                    hook(put_out)
                except Exception as error:  # noqa: BLE001 - what has committed is answered all the same
                    self._faults.note("database.committed", error)

    def _checkpoint(self) -> None:
        wal = Path(f"{self._path}-wal")
        while not self._stop_checkpoints.wait(CHECKPOINT_S):
            try:
                self._fold_if_large(wal)
            except Exception as error:  # noqa: BLE001 - recorded, counted and shown
                self._faults.note("database.checkpoint", error)

    def _fold_if_large(self, wal: Path) -> None:
        size = wal.stat().st_size if wal.exists() else 0
        if size > FORCED_CHECKPOINT_BYTES:
            # Readers held it back. No writer can be at work then, so the event loop must not try to be one.
            with self._turn:
                self._fold("RESTART")
        elif size > CHECKPOINT_BYTES:
            self._fold("PASSIVE")
            self._fold("PASSIVE")
            # Little came meanwhile; with it folded the log begins anew instead of growing on.
            with self._turn:
                self._fold("PASSIVE")

    def _fold(self, mode: str) -> None:
        with self._reader_engine.connect() as connection:
            connection.exec_driver_sql(f"PRAGMA wal_checkpoint({mode})")


def _in_transaction(connection: Connection) -> bool:
    driver = connection.connection.driver_connection
    return isinstance(driver, sqlite3.Connection) and driver.in_transaction


def _commit(connection: Connection) -> None:
    """What only the driver knows of, SQLAlchemy cannot commit."""
    if connection.in_transaction():
        connection.commit()
    else:
        connection.connection.commit()


def _is_locked(error: DBAPIError) -> bool:
    """Whether another process has the right to write. Nothing was done then: each transaction asks for it first."""
    return getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY


def patiently(attempt: Callable[[], T]) -> T:
    """What came of ``attempt``, which is made again while another process has the right to write, for
    :data:`BUSY_S`; blocking."""
    end = monotonic() + BUSY_S
    while True:
        try:
            return attempt()
        except OperationalError as error:
            if not _is_locked(error) or monotonic() > end:
                raise
            sleep(BUSY_STEP_S)


def _translated(error: BaseException) -> BaseException:
    """A database that is away, or whose disk is full, is a RetryLaterError; anything else is passed on as it is."""
    if isinstance(error, sqlite3.OperationalError):
        return RetryLaterError(f"database: {error}")
    if isinstance(error, OperationalError | InterfaceError) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    ):
        return RetryLaterError(f"database: {error.orig}")
    return error


def _engine(url: str, patience: Patience, *, writer: bool) -> Engine:
    if make_url(url).get_backend_name() == "sqlite":
        engine = create_engine(
            url,
            pool_size=2 if writer else READERS + 1,
            max_overflow=0,
            pool_reset_on_return=None,  # every transaction is ended where it was begun
            connect_args={"timeout": BUSY_S, "check_same_thread": False, "cached_statements": 512},
        )
        event.listen(engine, "connect", _prepare_sqlite)
        begin = _BEGIN if writer else "BEGIN"
        event.listen(engine, "begin", lambda c: None if _in_transaction(c) else raw(c, begin))
        return engine
    engine = create_engine(
        url, pool_size=2 if writer else READERS, max_overflow=0, pool_pre_ping=True, connect_args=TCP
    )
    event.listen(engine, "do_connect", patience.admit)
    event.listen(engine, "connect", patience.prepare)
    event.listen(engine, "after_cursor_execute", patience.hear)
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
