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
from time import perf_counter
from typing import Any, Final, TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from services.platform.db.checkpoints import Checkpoints
from services.platform.db.committed_events import CommittedEvents
from services.platform.db.connecting import (
    BEGIN,
    READERS,
    commit,
    is_locked,
    make_engine,
    retry_while_locked,
    translated,
)
from services.platform.db.driver import raw
from services.platform.db.notices import tell_relay
from services.platform.db.sync import Syncer
from services.platform.db.timeouts import AnswerTimeouts, after_closing
from services.platform.failures import RetryLaterError
from services.platform.faults import Faults

T = TypeVar("T")
Work = Callable[[Connection], T]

MAX_GROUP: Final = 64
#: Maximum rows written on the event loop.
SMALL: Final = 256


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
    see what has committed before it is on disk: what is sent out of the process waits for :meth:`settled` first.
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
        self._timeouts = AnswerTimeouts()
        self._writer_engine = make_engine(url, self._timeouts, writer=True)
        self._reader_engine = make_engine(url, self._timeouts, writer=False)
        self._queue: queue.SimpleQueue[_Unit | None] = queue.SimpleQueue()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="db-read")
        self._hooks: list[Callable[[CommittedEvents], None]] = []
        self._writer: Connection | None = None
        self._turn = threading.Lock()
        self._closed = False
        #: Transactions that the thread committed, and those of them that the loop has passed to the hooks. The loop
        #: commits none itself before they are equal, since events are passed on in the order of their commits.
        self._committed_by_thread = self._passed_on = 0
        self._path = make_url(url).database if self.is_log else None
        self._syncer = Syncer(self._path, observe_sync) if self._path else None
        self._thread = threading.Thread(target=self._run, name="db-write", daemon=True)
        self._thread.start()
        self._checkpoints = Checkpoints(self._path or "", self._reader_engine, self._turn, self._faults)
        if self.is_log:
            self._checkpoints.start()

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

    def on_commit(self, hook: Callable[[CommittedEvents], None]) -> None:
        """Have ``hook`` called on the event loop, after each commit, with the events that the commit put out."""
        self._hooks.append(hook)

    async def write(self, work: Work[T], *, durable: bool = True, rows: int | None = None) -> T:
        """Run ``work`` in a transaction that others may share, and return what it returned once committed.

        ``work`` must touch nothing but its connection: when a neighbour in the group fails, it is run again alone.
        With ``durable`` the commit is on disk when this returns. ``rows``: about how many reports it writes, or of
        anything that follows from one; the event loop may write a few itself (see :data:`SMALL`).

        Raises what ``work`` raised (then nothing of it is kept), RetryLaterError when the database is away or closed;
        when it hangs, ``work`` may be done all the same.
        """
        self._check_open()
        small = self.is_log and rows is not None and rows <= SMALL
        if small and self._queue.empty() and self._turn.acquire(blocking=False):
            done, result = False, None
            try:
                if self._passed_on == self._committed_by_thread:
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
        answer: T = await (unit.future if self.is_log else self._timeouts.wait(unit.future))
        return answer

    async def settled(self) -> None:
        """Return once every durable write that had committed before is on disk. Raises RetryLaterError."""
        if self._syncer is not None:
            await self._syncer.settle()

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` on a connection that sees one consistent, committed state. Raises RetryLaterError."""
        self._check_open()
        reading = asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)
        return await (reading if self.is_log else self._timeouts.wait(reading))

    async def close(self) -> None:
        """Finish what is queued, then close every connection. A database that does not answer soon is given up."""
        self._closed = True
        self._checkpoints.stop()
        self._queue.put(None)
        giving_up = after_closing(self._timeouts.hang_up)
        await asyncio.to_thread(self._end_threads)
        giving_up.cancel()
        if self._writer is not None:
            self._writer.close()
        if self._syncer is not None:
            self._syncer.close()
        self._reader_engine.dispose()
        self._writer_engine.dispose()

    def _check_open(self) -> None:
        if self._closed:
            raise RetryLaterError("database: it is closed")

    def _end_threads(self) -> None:
        self._thread.join()
        if self.is_log:
            self._checkpoints.join()
        self._readers.shutdown(wait=True, cancel_futures=True)

    def _read(self, work: Work[T]) -> T:
        try:
            with self._reader_engine.connect() as connection:
                return work(connection)
        except (DBAPIError, sqlite3.OperationalError) as error:
            raise translated(error) from error

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
        """Whether it could be done, and the result. The caller holds the turn."""
        try:
            (result,), committed_events = self._transact([work])
        except OperationalError as error:
            if is_locked(error):
                # Another process writes to the file: the thread can wait for it.
                return False, None
            raise translated(error) from error
        except (DBAPIError, sqlite3.OperationalError) as error:
            raise translated(error) from error
        self._pass_on(committed_events)
        return True, result

    def _commit_group(self, group: list[_Unit]) -> None:
        if not self.is_log and not (group := [unit for unit in group if not unit.future.done()]):
            return  # the callers gave up while the database was silent
        try:
            with self._turn:
                # Another process may be writing to the same file.
                results, committed_events = retry_while_locked(lambda: self._transact([unit.work for unit in group]))
                self._committed_by_thread += 1
        except BaseException as error:  # noqa: BLE001 - raised to the callers
            if len(group) == 1:
                self._refuse(group[0], translated(error))
            else:
                for unit in group:
                    self._commit_group([unit])
            return
        try:
            if self._syncer is not None and any(unit.durable for unit in group):
                self._syncer.force()
        except RetryLaterError as error:
            results = [error if unit.durable else result for unit, result in zip(group, results, strict=True)]
        self._answer(group, results, committed_events)
        if committed_events is not None and not self.is_log and self._writer is not None:
            tell_relay(self._writer)

    def _refuse(self, unit: _Unit, error: BaseException) -> None:
        if not unit.loop.is_closed():
            unit.loop.call_soon_threadsafe(lambda: None if unit.future.done() else unit.future.set_exception(error))

    def _answer(self, group: list[_Unit], results: list[Any], committed_events: CommittedEvents | None) -> None:
        loop = group[0].loop
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._committed, group, results, committed_events)

    def _transact(self, group: list[Work[Any]]) -> tuple[list[Any], CommittedEvents | None]:
        connection = self._writer or self._open_writer()
        connection.info.pop("committed_events", None)
        try:
            if self.is_log:
                raw(connection, BEGIN)
            else:
                # Statements that bypass SQLAlchemy are in this transaction too.
                connection.begin()
            results = [work(connection) for work in group]
            begin = perf_counter()
            commit(connection)
        except BaseException as error:
            self._undo(connection, error)
            raise
        self._observe_commit(perf_counter() - begin)
        return results, connection.info.pop("committed_events", None)

    def _open_writer(self) -> Connection:
        connection = self._writer = self._writer_engine.connect()
        if self.is_log:
            # The event loop must not wait for another process; the thread retries.
            raw(connection, "PRAGMA busy_timeout=0")
        return connection

    def _undo(self, connection: Connection, error: BaseException) -> None:
        broken = isinstance(error, DBAPIError) and not isinstance(error, IntegrityError) and not is_locked(error)
        # Statements that bypass SQLAlchemy raise the driver's errors.
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

    def _committed(self, group: list[_Unit], results: list[Any], committed_events: CommittedEvents | None) -> None:
        self._passed_on += 1
        self._pass_on(committed_events)
        for unit, result in zip(group, results, strict=True):
            if unit.future.done():
                continue
            if isinstance(result, BaseException):
                unit.future.set_exception(result)
            else:
                unit.future.set_result(result)

    def _pass_on(self, committed_events: CommittedEvents | None) -> None:
        if committed_events is not None:
            for hook in self._hooks:
                try:
                    hook(committed_events)
                except Exception as error:  # noqa: BLE001 - what has committed is answered all the same
                    self._faults.note("database.committed", error)
