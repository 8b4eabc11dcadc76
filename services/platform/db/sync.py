"""SQLite's write-ahead log, forced to disk beside the commits instead of by each of them.

A commit under ``synchronous=NORMAL`` is whole and in order in the log's file, which the system writes when it likes;
forcing that file to disk makes everything up to there as durable as ``synchronous=FULL`` does. Apart from the commit it
holds nobody up, and once does for all who wait. Source: https://www.sqlite.org/wal.html, "Performance Considerations".
"""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Final

from services.platform.failures import RetryLaterError

#: The system's own calls: macOS has no ``fdatasync``.
_force: Final = getattr(os, "fdatasync", os.fsync)


class Syncer:
    """Forces the log of one database file to disk."""

    def __init__(self, path: str, observe: Callable[[float], object] = lambda _: None) -> None:
        self._observe = observe
        self._log = Path(f"{path}-wal")
        self._open: tuple[int, int] | None = None
        self._turn = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="db-sync")
        self._waiting: list[asyncio.Future[None]] = []
        self._working: asyncio.Task[None] | None = None

    def force(self) -> None:
        """Have everything that has committed on disk; blocking. Raises RetryLaterError: it has committed all the same,
        and the next call finds that."""
        try:
            # The writer's thread and ours: neither may close the file under the other.
            with self._turn:
                self._force()
        except OSError as error:
            raise RetryLaterError(f"database: the log cannot be forced to disk: {error}") from error

    def _force(self) -> None:
        inode = self._log.stat().st_ino
        if self._open is None or self._open[1] != inode:
            self._reopen(inode)
        assert self._open is not None
        begin = perf_counter()
        _force(self._open[0])
        self._observe(perf_counter() - begin)

    async def reach(self) -> None:
        """Have everything that has committed on disk. Raises RetryLaterError."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        if self._working is None:
            self._working = asyncio.create_task(self._work_off(), name="force to disk")
        await future

    async def settle(self) -> None:
        """Return once nobody waits who was waiting at the call. Raises RetryLaterError."""
        if self._waiting or self._working is not None:
            await self.reach()

    def close(self) -> None:
        """After the last commit; blocking."""
        self._thread.shutdown(wait=True)
        if self._open is not None:
            os.close(self._open[0])

    async def _work_off(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                try:
                    await loop.run_in_executor(self._thread, self.force)
                except Exception as error:  # noqa: BLE001 - raised to the callers
                    _answer(waiting, error)
                else:
                    _answer(waiting, None)
        finally:
            self._working = None

    def _reopen(self, inode: int) -> None:
        """The file is a new one: its name in the directory has to last as well."""
        if self._open is not None:
            os.close(self._open[0])
        self._open = (os.open(self._log, os.O_RDWR), inode)
        directory = os.open(self._log.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _answer(waiting: list[asyncio.Future[None]], error: Exception | None) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(None) if error is None else future.set_exception(error)
