"""The embedded bus: the outbox table is the log. What commits is on it; a restart reads on where it stopped.

One process, one SQLite file. Events that just committed are kept in a short memory, so that a consumer which keeps
up never reads the table.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

from sqlalchemy import Connection, delete, exists, func, select

from schemas.envelope import Event
from schemas.topics import TOPICS, Topic
from services.platform.bus.port import Received
from services.platform.bus.tail import tail
from services.platform.db import outbox
from services.platform.db.committed_events import CommittedEvents
from services.platform.db.engine import Database
from services.platform.db.tables import outbox as log
from services.platform.db.tables import positions
from services.platform.db.upsert import upsert
from services.platform.failures import RetryLaterError
from services.platform.faults import Faults, supervise

#: Recent events kept per topic, in memory: so many, and of their data so many bytes.
RECENT: Final = 4096
RECENT_BYTES: Final = 8 * 1024 * 1024
#: Positions of groups are saved this often and at the end, seconds. After a crash, what was not saved is read again.
SAVE_S: Final = 0.2
#: Events that every group is done with are forgotten this often, seconds, and so many at once: writers wait for no
#: more.
TRIM_S: Final = 5.0
TRIM_SLICE: Final = 1_000
#: So are events of compacted topics that another one has replaced, seconds: to find them takes a look at all of these.
COMPACT_S: Final = 3600.0
#: A tail is woken by new events; this is only how long it waits at a time.
TAIL_S: Final = 60.0
#: Before the end of the log is known, no position is past it.
_UNKNOWN: Final = 2**62


_COMPACTED: Final = frozenset(topic.name for topic in TOPICS.values() if topic.compacted)


def _forget(topic: str, reached: int, connection: Connection) -> int:
    """Forget the first events of a topic up to a number; how many."""
    first = select(log.c.seq).where(log.c.topic == topic, log.c.seq <= reached).order_by(log.c.seq).limit(TRIM_SLICE)
    return connection.execute(delete(log).where(log.c.seq.in_(first))).rowcount


def _end_of_log(connection: Connection) -> int:
    return connection.execute(select(func.max(log.c.seq))).scalar() or 0


class _Recent:
    """The newest events of one topic, without gaps from ``after`` on, and the signal that more arrived."""

    def __init__(self, after: int) -> None:
        self.events: deque[tuple[int, Event]] = deque()
        self.after = after
        self.dropped = self.size = 0
        self.arrived = asyncio.Event()

    def add(self, seq: int, event: Event) -> None:
        self.events.append((seq, event))
        self.size += len(event.data)
        while len(self.events) > RECENT or self.size > RECENT_BYTES:
            self.dropped, gone = self.events.popleft()
            self.size -= len(gone.data)
            self.after = max(self.after, self.dropped)

    def forget(self, seq: int) -> None:
        """Up to ``seq`` there are events that were too many to be held."""
        self.events.clear()
        self.size, self.dropped = 0, seq
        self.after = max(self.after, seq)

    def since(self, seq: int, limit: int) -> list[tuple[int, Event]]:
        first = len(self.events)
        for index in range(len(self.events) - 1, -1, -1):
            if self.events[index][0] <= seq:
                break
            first = index
        return [self.events[i] for i in range(first, min(first + limit, len(self.events)))]


class EmbeddedBus:
    """Bus over one :class:`Database`. Capability: one partition, one member per group."""

    def __init__(self, database: Database, faults: Faults | None = None) -> None:
        self._database = database
        self._faults = faults or Faults()
        self._recent: dict[str, _Recent] = {}
        self._looking = asyncio.Lock()
        self._done: dict[tuple[str, str], int] = {}
        self._unsaved: set[tuple[str, str]] = set()
        #: The groups of this process, each with its topic.
        self.wired: set[tuple[str, str]] = set()
        self._saving: asyncio.TimerHandle | asyncio.Task[None] | None = None
        database.on_commit(self._remember)

    async def publish(self, events: Sequence[Event]) -> None:
        batch = list(events)
        await self._database.write(lambda connection: outbox.append(connection, batch))

    async def consumer(self, topic: Topic, group: str) -> "EmbeddedConsumer":
        def position(connection: Connection) -> int:
            found = connection.execute(
                select(positions.c.seq).where(positions.c.group == group, positions.c.topic == topic.name)
            ).scalar()
            return max(found or 0, self._done.get((group, topic.name), 0))

        self.wired.add((group, topic.name))
        return EmbeddedConsumer(self, self._database, topic.name, group, await self._database.read(position))

    async def tail(self, topic: Topic, on_event: Callable[[Event], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        reader = EmbeddedConsumer(self, self._database, topic.name, "", 0)
        while batch := await reader.fetch(1000, 0):
            for received in batch:
                await on_event(received.event)

        name = f"bus.tail.{topic.name}"
        run = partial(tail, reader, on_event, asyncio.sleep, TAIL_S, name, self._faults)
        task = asyncio.create_task(supervise(name, run, self._faults, asyncio.sleep), name=name)

        async def stop() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        return stop

    async def healthy(self) -> bool:
        await self._database.read(lambda connection: connection.execute(select(func.max(log.c.seq))).scalar())
        return True

    async def close(self) -> None:
        """Save the positions of the groups. The database is its owner's to close."""
        if self._saving is not None:
            self._saving.cancel()
        await self._save()

    def note(self, group: str, topic: str, seq: int) -> None:
        """A group is done with its topic up to ``seq``; saved soon, for all groups at once."""
        self._done[group, topic] = seq
        self._unsaved.add((group, topic))
        if self._saving is None:
            self._saving = asyncio.get_running_loop().call_later(SAVE_S, self._begin_saving)

    def _begin_saving(self) -> None:
        self._saving = asyncio.create_task(self._save(), name="save positions")

    async def _save(self) -> None:
        keys, self._unsaved = self._unsaved, set()
        rows = [{"group": group, "topic": topic, "seq": self._done[group, topic]} for group, topic in sorted(keys)]
        self._saving = None
        if not rows:
            return
        try:
            await self._database.write(lambda c: c.execute(upsert(c, positions), rows), durable=False, rows=len(rows))
        except Exception as error:  # noqa: BLE001 - recorded, counted and shown
            if not isinstance(error, RetryLaterError):
                self._faults.note("bus.positions", error)
            for group, topic in keys:
                self.note(group, topic, self._done[group, topic])

    async def trim(self, *, strangers: bool = True) -> int:
        """Forget the events that every group of their topic is done with; returns how many.

        Groups of this process count, also those that have not begun; of the others, those that once were there, unless
        ``strangers`` is false: a group that was renamed would hold the log for ever. Of compacted topics none is
        forgotten: see :meth:`compact`.
        """
        done = await self._database.read(lambda connection: self._done_with(connection, strangers))
        forgotten = 0
        for topic in sorted(done.keys() - _COMPACTED):
            gone = TRIM_SLICE
            while gone == TRIM_SLICE:
                work = partial(_forget, topic, done[topic])
                gone = await self._database.write(work, durable=False, rows=TRIM_SLICE)
                forgotten += gone
        return forgotten

    async def compact(self) -> int:
        """Forget the events of compacted topics but the last of each key; returns how many."""
        newer = log.alias("newer")
        replaced = exists().where(newer.c.topic == log.c.topic, newer.c.key == log.c.key, newer.c.seq > log.c.seq)
        statement = delete(log).where(log.c.topic.in_(_COMPACTED), replaced)
        return await self._database.write(lambda connection: connection.execute(statement).rowcount, durable=False)

    def _done_with(self, connection: Connection, strangers: bool) -> dict[str, int]:
        """By topic, up to where every group that counts is done."""
        reached = {(row.topic, row.group): row.seq for row in connection.execute(select(positions))}
        groups = {(topic, group) for group, topic in self.wired} | (set(reached) if strangers else set())
        done: dict[str, int] = {}
        for topic, group in groups:
            seq = reached.get((topic, group), 0)
            done[topic] = min(seq, done.get(topic, seq))
        return done

    async def watch(self, topic: str) -> _Recent:
        """The short memory of a topic; it starts where the table ends at the moment of the first call."""
        known = self._recent.get(topic)
        if known is not None and known.after != _UNKNOWN:
            return known
        async with self._looking:
            if topic not in self._recent:
                # The memory must exist before the end is read: what commits in between is then in both.
                memory = self._recent[topic] = _Recent(after=_UNKNOWN)
                end = await self._database.read(_end_of_log)
                memory.after = max(end, memory.dropped)
        return self._recent[topic]

    def _remember(self, committed_events: CommittedEvents) -> None:
        for topic, seq in committed_events.left_out.items():
            if (memory := self._recent.get(topic)) is not None:
                memory.forget(seq)
                memory.arrived.set()
        for seq, event in committed_events.events:
            memory = self._recent.get(event.topic)
            if memory is not None:
                memory.add(seq, event)
                memory.arrived.set()


class EmbeddedConsumer:
    """The one member of a group. ``position`` is the last ``seq`` handed out."""

    def __init__(self, bus: EmbeddedBus, database: Database, topic: str, group: str, position: int) -> None:
        self._bus = bus
        self._database = database
        self._topic = topic
        self._group = group
        self._position = position
        self._committed = position

    async def fetch(self, limit: int, wait_s: float) -> Sequence[Received]:
        memory = await self._bus.watch(self._topic)
        # Twice: what arrived while the table was being read is in the memory, and nothing can arrive between the
        # second look, which does not wait, and the clearing.
        batch = await self._available(memory, limit) or await self._available(memory, limit)
        if not batch and wait_s > 0:
            memory.arrived.clear()
            try:
                async with asyncio.timeout(wait_s):
                    await memory.arrived.wait()
            except TimeoutError:
                return []
            batch = await self._available(memory, limit)
        if batch:
            self._position = batch[-1].position
        return batch

    async def commit(self, batch: Sequence[Received]) -> None:
        if not batch or not self._group:
            return
        self._committed = batch[-1].position
        self._bus.note(self._group, self._topic, self._committed)

    async def lag(self) -> int:
        topic, committed = self._topic, self._committed

        def count(connection: Connection) -> int:
            statement = select(func.count()).select_from(log).where(log.c.topic == topic, log.c.seq > committed)
            return connection.execute(statement).scalar_one()

        return await self._database.read(count)

    async def close(self) -> None:
        """Nothing is held between calls."""

    async def _available(self, memory: _Recent, limit: int) -> list[Received]:
        if self._position >= memory.after:
            return [Received(event, 0, seq) for seq, event in memory.since(self._position, limit)]
        end = memory.after
        batch = await self._database.read(lambda connection: self._stored(connection, limit))
        if not batch:
            self._position = max(self._position, end)
        return batch

    def _stored(self, connection: Connection, limit: int) -> list[Received]:
        statement = (
            select(log).where(log.c.topic == self._topic, log.c.seq > self._position).order_by(log.c.seq).limit(limit)
        )
        return [
            Received(Event(r.topic, r.key, r.id, r.type, r.source, r.time, r.data, r.traceparent, r.reason), 0, r.seq)
            for r in connection.execute(statement)
        ]
