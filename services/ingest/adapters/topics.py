"""Topics that partners produce reports to, shared by partition between the ingest processes, taken once in effect.

The place up to which a partition was taken moves in the transaction that takes its records, so that a repetition, by a
crash or a rebalance, changes nothing. A refused record is on the ``.dead`` topic before that, with its problem.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol

import msgspec

from schemas.envelope import Event
from schemas.instants import format_instant
from schemas.topics import DEAD_SUFFIX
from services.connectors import topic as connector
from services.connectors.model import RowContext
from services.ingest.adapters.domain import Adapter, AdapterState
from services.ingest.adapters.use_cases import Inbound
from services.ingest.use_cases import Command, IntakeOutcome
from services.platform.bus.consume import BACKOFF, Loop
from services.platform.bus.port import PartnerLog
from services.platform.clock import Clock
from services.platform.failures import RetryLaterError
from services.platform.faults import Faults, supervise
from services.platform.http.problems import Problem

NAME: Final = "ingest.topics"
PERIOD_S: Final = 1.0
#: Records of one transaction.
BATCH: Final = 200
REFUSED: Final = "trucewatch.record.refused"
SOURCE: Final = "/trucewatch/ingest"
#: Characters of a failure that are kept.
MAX_FAILURE: Final = 300


class TopicRecord(msgspec.Struct, frozen=True):
    """One record of a partner's topic: its place, its fate, and what of it may be kept."""

    partition: int
    offset: int
    key: str
    fate: Command | Problem
    kept: Mapping[str, Any]


class TopicStore(Protocol):
    """The records taken of each partner's topic."""

    async def next_offsets(self, adapter: str, topic: str) -> Mapping[int, int]:
        """The first offset of each partition that was not taken yet."""
        ...

    async def take(self, adapter: Adapter, topic: str, records: Sequence[TopicRecord]) -> Sequence[IntakeOutcome]:
        """Take records in, in order, with their places and the counts of the adapter, all or nothing; records before
        the next offset are passed over. Raises RetryLaterError."""
        ...


class KnownAdapters(Protocol):
    """The adapters that there are."""

    async def find(self, id: str) -> Adapter | None: ...

    async def all(self) -> Sequence[tuple[Adapter, AdapterState]]: ...

    async def change_state(self, id: str, change: Callable[[AdapterState], AdapterState]) -> None: ...


@dataclass(frozen=True, slots=True)
class TopicIntake:
    """Takes the records of one topic in for one adapter. ``count`` is told of the outcomes."""

    adapters: KnownAdapters
    store: TopicStore
    inbound: Inbound
    log: PartnerLog
    count: Callable[[Iterable[IntakeOutcome]], None]
    id: str
    topic: str

    async def handle(self, events: Sequence[Event]) -> None:
        """Take records in. Harmless to repetition. Raises RetryLaterError."""
        adapter = await self.adapters.find(self.id)
        if adapter is None or adapter.topic != self.topic:
            raise RetryLaterError(f"adapter {self.id} does not read the topic {self.topic} any more")
        following = await self.store.next_offsets(self.id, self.topic)
        records = [
            self._read(adapter, event, partition, offset)
            for event, (partition, offset) in ((event, place_of(event)) for event in events)
            if offset >= following.get(partition, 0)
        ]
        if refused := [one for one in records if isinstance(one.fate, Problem)]:
            now = format_instant(self.inbound.admission.now())
            await self.log.publish([_dead(self.topic, one, now) for one in refused])
        if records:
            self.count(await self.store.take(adapter, self.topic, records))

    async def give_up(self, event: Event, reason: str) -> None:
        """Keep a record that fails in an unforeseen way as a dead letter, by its digest."""
        adapter = await self.adapters.find(self.id)
        if adapter is not None:
            problem = Problem(500, "Not taken", reason)
            record = TopicRecord(*place_of(event), event.key, problem, _digest(event))
            await self.log.publish([_dead(self.topic, record, format_instant(self.inbound.admission.now()))])
            await self.store.take(adapter, self.topic, [record])

    def _read(self, adapter: Adapter, event: Event, partition: int, offset: int) -> TopicRecord:
        try:
            record = connector.read_value(event.data)
        except ValueError:
            problem = Problem(422, "Not valid", "The record is not valid UTF-8 JSON.")
            return TopicRecord(partition, offset, event.key, problem, _digest(event))
        context = RowContext(adapter.tables, self.inbound.admission.local.zone)
        outcome = connector.read_topic_record(record, context)
        fate = self.inbound.decide(adapter, outcome)
        assert fate is not None, "a record is a report, or refused"
        return TopicRecord(partition, offset, event.key, fate, connector.strip(record, context))


def place_of(event: Event) -> tuple[int, int]:
    """Partition and offset of a record of a partner's topic."""
    _, partition, offset = event.id.rsplit("/", 2)
    return int(partition), int(offset)


def _digest(event: Event) -> dict[str, str]:
    return {"sha256": hashlib.sha256(event.data).hexdigest()}


def _dead(topic: str, record: TopicRecord, now: str) -> Event:
    """The refused record for the partner to see: what may be kept of it, its place as the id, its problem."""
    assert isinstance(record.fate, Problem)
    return Event(
        topic + DEAD_SUFFIX,
        record.key,
        id=f"{topic}/{record.partition}/{record.offset}",
        type=REFUSED,
        source=SOURCE,
        time=now,
        data=msgspec.json.encode(record.kept),
        problem=msgspec.json.encode(record.fate.body()).decode(),
    )


@dataclass(slots=True)
class _Reading:
    """A topic that this process reads."""

    topic: str
    task: "asyncio.Task[None]"
    loop: Loop | None = None
    failure: str = ""

    @property
    def failing(self) -> str:
        return self.failure or (self.loop.failing or "" if self.loop else "")


@dataclass(slots=True)
class TopicReaders:
    """Reads the topic of each adapter that has one, for as long as it has it. ``intake`` makes what takes it in."""

    adapters: KnownAdapters
    log: PartnerLog
    intake: Callable[[str, str], TopicIntake]
    clock: Clock
    faults: Faults
    _reading: dict[str, _Reading] = field(default_factory=dict)

    async def step(self) -> None:
        """Begin and end to read as adapters come, change and go, and tell how it goes."""
        pairs = [(adapter, state) for adapter, state in await self.adapters.all() if adapter.topic is not None]
        wanted = {adapter.id: adapter.topic for adapter, _ in pairs}
        for id in [id for id, reading in self._reading.items() if wanted.get(id) != reading.topic]:
            await self._end(id)
        for adapter, state in pairs:
            if adapter.id not in self._reading and adapter.topic is not None:
                self._begin(adapter.id, adapter.topic)
            await self._say(adapter.id, self._reading[adapter.id], state)

    async def close(self) -> None:
        """End every reading, and leave the groups."""
        await asyncio.gather(*map(self._end, list(self._reading)))

    def _begin(self, id: str, topic: str) -> None:
        run = partial(self._read, id, topic)
        task = asyncio.create_task(supervise(NAME, run, self.faults, self.clock.sleep), name=f"topic of {id}")
        self._reading[id] = _Reading(topic, task)

    async def _end(self, id: str) -> None:
        reading = self._reading.pop(id)
        reading.task.cancel()
        await asyncio.gather(reading.task, return_exceptions=True)

    async def _read(self, id: str, topic: str) -> None:
        reading, intake = self._reading[id], self.intake(id, topic)

        def note(error: RetryLaterError) -> None:
            reading.failure = str(error)

        consumer = await BACKOFF.retry(partial(self.log.partner_consumer, topic, group_of(id)), self.clock.sleep, note)
        reading.failure = ""
        try:
            reading.loop = Loop(
                NAME, consumer, intake.handle, intake.give_up, limit=BATCH, sleep=self.clock.sleep, faults=self.faults
            )
            await reading.loop.run()
        finally:
            await consumer.close()

    async def _say(self, id: str, reading: _Reading, state: AdapterState) -> None:
        failing, now = reading.failing, self.clock.now()
        if failing and not state.failure:
            await self.adapters.change_state(
                id, lambda s: msgspec.structs.replace(s, failing_since=now, failure=failing[:MAX_FAILURE])
            )
        elif state.failure and not failing and reading.loop is not None:
            await self.adapters.change_state(id, lambda s: msgspec.structs.replace(s, failing_since=0, failure=""))


def group_of(id: str) -> str:
    """The consumer group of an adapter."""
    return f"ingest.adapters.{id}"
