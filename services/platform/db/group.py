"""Items that wait together are written together, in one unit of work and one commit."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Generic, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from services.platform.db.engine import Database
from services.platform.db.timeouts import ANSWER_S
from services.platform.failures import RetryLaterError

I = TypeVar("I")  # noqa: E741 - an item
O = TypeVar("O")  # noqa: E741 - its outcome

Flush = Callable[[Connection, Sequence[I]], Sequence[O]]
_Asked = tuple[Sequence[I], asyncio.Future[Sequence[O]]]

#: How often a flush is tried that loses the race for a key against another process.
MAX_RACES: Final = 8


class GroupWriter(Generic[I, O]):
    """Feeds ``flush``, which writes items in order in one transaction and returns one outcome each, in order.

    ``flush`` must touch nothing but its connection, since it may be run again. While one flush is under way, new
    items wait for the next, which takes all that wait, up to about ``limit``.

    Calls raise RetryLaterError after ``timeout_s``, whatever the database does. One timer serves all of them.
    """

    def __init__(
        self, database: Database, flush: Flush[I, O], limit: int = 256, *, timeout_s: float = ANSWER_S
    ) -> None:
        self._database = database
        self._flush = flush
        self._limit = limit
        self._timeout_s = timeout_s
        self._waiting: deque[_Asked[I, O]] = deque()
        self._under_way: list[_Asked[I, O]] = []
        self._flushing: asyncio.Task[None] | None = None
        #: When the longest waiting came, of those who wait for their flush, and of those whose flush is under way.
        self._waiting_since = self._under_way_since = 0.0
        self._watch: asyncio.TimerHandle | None = None

    async def write(self, items: Sequence[I]) -> Sequence[O]:
        """The outcomes of ``items`` once they are durable. All of ``items`` are in one transaction.

        Raises what ``flush`` raises for these items alone, RetryLaterError when the database is away. When it hangs,
        the items may be written all the same.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Sequence[O]] = loop.create_future()
        if not self._waiting:
            self._waiting_since = loop.time()
            if self._watch is None:
                self._watch_until(self._waiting_since + self._timeout_s)
        self._waiting.append((items, future))
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._work_off(), name="group writer")
        return await future

    async def _work_off(self) -> None:
        try:
            while self._waiting:
                self._under_way_since = self._waiting_since
                self._under_way = self._take()
                await self._write_group(self._under_way)
        finally:
            self._under_way = []
            self._flushing = None

    def _watch_until(self, end: float) -> None:
        self._watch = asyncio.get_running_loop().call_at(end, self._refuse_late)

    def _refuse_late(self) -> None:
        """Refuse all who have waited too long, and look again when the next might have."""
        late = asyncio.get_running_loop().time() - self._timeout_s
        error = RetryLaterError(f"the database gave no answer within {self._timeout_s} s")
        if self._under_way and self._under_way_since <= late:
            _refuse(self._under_way, error)
            self._under_way = []
        if self._waiting and self._waiting_since <= late:
            _refuse(self._waiting, error)
            self._waiting.clear()
        since = [self._under_way_since] * bool(self._under_way) + [self._waiting_since] * bool(self._waiting)
        self._watch = None
        if since:
            self._watch_until(min(since) + self._timeout_s)

    def _take(self) -> list[_Asked[I, O]]:
        group: list[_Asked[I, O]] = []
        size = 0
        while self._waiting and (not group or size + len(self._waiting[0][0]) <= self._limit):
            group.append(self._waiting.popleft())
            size += len(group[-1][0])
        return group

    async def _write_group(self, group: list[_Asked[I, O]]) -> None:
        try:
            outcomes = await self._race([item for items, _ in group for item in items])
        except Exception as error:  # noqa: BLE001 - raised to the callers
            if len(group) == 1 or isinstance(error, RetryLaterError):
                _refuse(group, error)
            else:
                for one in group:
                    await self._write_group([one])
            return
        start = 0
        for items, future in group:
            if not future.done():
                future.set_result(outcomes[start : start + len(items)])
            start += len(items)

    async def _race(self, items: list[I]) -> Sequence[O]:
        for _ in range(MAX_RACES):
            try:
                return await self._database.write(lambda c: self._flush(c, items), rows=len(items))
            except IntegrityError as error:
                # Another process was first with one of the keys: the next try sees what it wrote.
                lost = error
        raise RetryLaterError(f"the same keys are being written elsewhere: {lost}")


def _refuse(group: Iterable[_Asked[I, O]], error: Exception) -> None:
    for _, future in group:
        if not future.done():
            future.set_exception(error)
