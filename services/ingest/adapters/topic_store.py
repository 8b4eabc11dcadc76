"""The records taken of each partner's topic, as rows: records, places and counts in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from services.ingest.adapters.domain import Adapter, note_taken
from services.ingest.adapters.refused import GROUP, describe_problem, received_event
from services.ingest.adapters.sql import change_state, topic_offsets
from services.ingest.adapters.topics import TopicRecord
from services.ingest.sql import SqlAnswers, SqlIncidents
from services.ingest.use_cases import IntakeOutcome, Recorded, take
from services.platform.bus.dead_letters import DeadLetters
from services.platform.clock import Clock
from services.platform.db.engine import Database
from services.platform.db.group import GroupWriter
from services.platform.db.upsert import insert_new, upsert
from services.platform.http.problems import Problem

_PER_TRANSACTION: Final = 1


@dataclass(frozen=True, slots=True)
class _Batch:
    adapter: Adapter
    topic: str
    records: Sequence[TopicRecord]


class SqlTopicStore:
    """See :class:`TopicStore`."""

    def __init__(self, database: Database, dead_letters: DeadLetters, clock: Clock) -> None:
        self._database, self._dead_letters, self._clock = database, dead_letters, clock
        self._writer = GroupWriter[_Batch, Sequence[IntakeOutcome]](database, self._flush, _PER_TRANSACTION)

    async def next_offsets(self, adapter: str, topic: str) -> Mapping[int, int]:
        return await self._database.read(lambda connection: _read_offsets(connection, adapter, topic))

    async def take(self, adapter: Adapter, topic: str, records: Sequence[TopicRecord]) -> Sequence[IntakeOutcome]:
        [outcomes] = await self._writer.write([_Batch(adapter, topic, records)])
        return outcomes

    def _flush(self, connection: Connection, batches: Sequence[_Batch]) -> list[Sequence[IntakeOutcome]]:
        return [self._take(connection, batch) for batch in batches]

    def _take(self, connection: Connection, batch: _Batch) -> Sequence[IntakeOutcome]:
        id, now = batch.adapter.id, self._clock.now()
        partitions = {record.partition for record in batch.records}
        following = _lock_offsets(connection, id, batch.topic, partitions)
        fresh = [record for record in batch.records if record.offset >= following[record.partition]]
        incidents = SqlIncidents(connection)
        commands = [record.fate for record in fresh if not isinstance(record.fate, Problem)]
        outcomes = take(incidents, SqlAnswers(connection), commands, incidents)
        refused = [record for record in fresh if isinstance(record.fate, Problem)]
        for record in refused:
            self._keep(connection, id, batch.topic, record, now)
        _write_offsets(connection, id, batch.topic, {record.partition: record.offset + 1 for record in fresh})
        recorded = [outcome for outcome in outcomes if isinstance(outcome, Recorded)]
        new = any(outcome.fresh for outcome in recorded)
        if fresh:
            change_state(
                connection,
                id,
                lambda s: note_taken(s, now, read=len(recorded), refused=len(refused), new=new, sent=True),
            )
        return outcomes

    def _keep(self, connection: Connection, adapter: str, topic: str, record: TopicRecord, now: int) -> None:
        assert isinstance(record.fate, Problem)
        place = f"{topic}/{record.partition}/{record.offset}"
        event = received_event(adapter, record.kept, now, id=place)
        self._dead_letters.keep(connection, GROUP, event, f"{place}: {describe_problem(record.fate)}")


def _read_offsets(connection: Connection, adapter: str, topic: str, *, lock: bool = False) -> dict[int, int]:
    statement = select(topic_offsets.c.partition, topic_offsets.c.next).where(
        topic_offsets.c.adapter == adapter, topic_offsets.c.topic == topic
    )
    ordered = statement.order_by(topic_offsets.c.partition)
    return {row[0]: row[1] for row in connection.execute(ordered.with_for_update() if lock else ordered)}


def _lock_offsets(connection: Connection, adapter: str, topic: str, partitions: set[int]) -> dict[int, int]:
    """The offsets of a topic, which no other process takes from until this transaction ends."""
    for partition in sorted(partitions):
        row = {"adapter": adapter, "topic": topic, "partition": partition, "next": 0}
        connection.execute(insert_new(connection, topic_offsets).values(row))
    return _read_offsets(connection, adapter, topic, lock=True)


def _write_offsets(connection: Connection, adapter: str, topic: str, following: Mapping[int, int]) -> None:
    for partition, offset in sorted(following.items()):
        row = {"adapter": adapter, "topic": topic, "partition": partition, "next": offset}
        connection.execute(upsert(connection, topic_offsets).values(row))
