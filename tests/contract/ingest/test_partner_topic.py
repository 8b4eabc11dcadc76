"""Topics of partners on a real broker, fed by a plain producer that knows nothing of us, on both databases."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from cloudevents.core.bindings.kafka import KafkaMessage, to_binary_event, to_structured_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from sqlalchemy import select

from schemas.envelope import Event
from services.connectors.model import AdapterMap
from services.ingest.adapters.bootstrap import AdapterService, build_adapters
from services.ingest.adapters.domain import Adapter, Secrets
from services.ingest.adapters.topics import TopicIntake, group_of
from services.ingest.admission import Admission
from services.ingest.bootstrap import _take
from services.ingest.domain import name_incident
from services.ingest.sql import SqlIncidents
from services.ingest.use_cases import Command, IntakeOutcome, Revision
from services.platform.bus.dead_letters import DeadLetters
from services.platform.bus.embedded import EmbeddedBus
from services.platform.bus.kafka import KafkaBus
from services.platform.bus.kafka_topics import create_topics, new_topic
from services.platform.clock import SystemClock
from services.platform.db.engine import Database
from services.platform.db.group import GroupWriter
from services.platform.db.tables import dead_letters, outbox
from services.platform.paging import PageQuery
from services.platform.process.runtime import Runtime
from services.platform.security.keys import KeyRing
from services.platform.settings.config import Settings
from tests.component.ingest.running import report
from tests.parts.kafka import Kafka

PARTNER: Final = "Partner with a log"
_numbers = itertools.count()


def told(external_id: str, **changes: Any) -> dict[str, Any]:
    return report(external_id=external_id, **changes)


@dataclass
class Feed:
    """One adapter that reads a topic, and a partner who produces to it."""

    database: Database
    broker: Kafka
    service: AdapterService
    topic: str
    id: str
    producer: AIOKafkaProducer

    async def produce(self, *values: Any, key: str | None = None, partition: int | None = None) -> None:
        for value in values:
            body = value if isinstance(value, bytes) else json.dumps(value).encode()
            await self.producer.send_and_wait(self.topic, body, key and key.encode(), partition=partition)

    async def send(self, message: KafkaMessage) -> None:
        headers = [(name, value) for name, value in message.headers.items()]
        await self.producer.send_and_wait(self.topic, message.value, headers=headers)

    async def put(self, version: int = 1, **tables: Any) -> None:
        adapter = Adapter(
            self.id, version, "kafka", PARTNER, AdapterMap(**tables), None, self.topic, False, False, 0, 0
        )
        await self.service.store.put(adapter, Secrets(), lambda _: None)

    async def revisions(self, *external_ids: str) -> list[Revision | None]:
        ids = [name_incident(PARTNER, one) for one in external_ids]
        found = await self.database.read(lambda connection: SqlIncidents(connection).latest(ids))
        return [found.get(one) for one in ids]

    async def numbers(self, *external_ids: str) -> list[int]:
        return [0 if one is None else one.revision for one in await self.revisions(*external_ids)]

    async def until_read(self, records: int) -> None:
        """Until so many records are taken or refused."""
        assert self.service.topics is not None
        while True:
            await self.service.topics.step()
            state = await self.service.store.state(self.id)
            if state.read + state.refused >= records:
                return
            await asyncio.sleep(0.05)

    async def dead(self, count: int) -> list[Any]:
        async with AIOKafkaConsumer(
            self.topic + ".dead", bootstrap_servers=self.broker.bootstrap, auto_offset_reset="earliest"
        ) as consumer:
            return [await consumer.getone() for _ in range(count)]


@asynccontextmanager
async def adapters(database: Database, log: KafkaBus) -> AsyncIterator[AdapterService]:
    clock = SystemClock()
    runtime = Runtime(
        Settings("", "http://ingest"), clock, database, EmbeddedBus(database), KeyRing(clock),
        DeadLetters(database, clock), partner_log=log,
    )  # fmt: skip
    writer = GroupWriter[Command, IntakeOutcome](database, _take)
    service = await build_adapters(runtime, Admission(clock.now, runtime.local_time), writer, lambda _: None)
    try:
        yield service
    finally:
        for stop in service.stop:
            await stop()


@pytest.fixture
async def feed(database: Database, kafka: Kafka) -> AsyncIterator[Feed]:
    topic = f"partner.reports-{next(_numbers)}"
    await create_topics(kafka.bootstrap, [new_topic(topic, 2, {})])
    log = KafkaBus(kafka.bootstrap)
    async with adapters(database, log) as service, AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
        yield Feed(database, kafka, service, topic, f"feed-{topic}", producer)
    await log.close()


def cloud_event(data: Any) -> CloudEvent:
    attributes = {
        "id": "their-1", "source": "/their/system", "type": "their.report", "specversion": "1.0",
        "datacontenttype": "application/json",
    }  # fmt: skip
    return CloudEvent(attributes, data)


async def test_reports_come_as_posted_and_as_cloudevents_in_both_modes(feed: Feed) -> None:
    await feed.put()
    await feed.produce(told("posted"))
    await feed.send(to_binary_event(cloud_event(told("binary")), JSONFormat()))
    await feed.send(to_structured_event(cloud_event(told("structured")), JSONFormat()))
    await feed.until_read(3)
    found = await feed.revisions("posted", "binary", "structured")
    assert [one and (one.revision, one.partner, one.report.act) for one in found] == [(1, PARTNER, "shelling")] * 3


@pytest.mark.parametrize("codec", ["gzip", "lz4", "snappy", "zstd"])
async def test_records_come_packed_by_any_codec_of_kafka(feed: Feed, codec: str) -> None:
    await feed.put()
    async with AIOKafkaProducer(bootstrap_servers=feed.broker.bootstrap, compression_type=codec) as packing:
        sent = [await packing.send(feed.topic, json.dumps(told(f"{codec}-{n}")).encode(), b"key") for n in range(20)]
        await asyncio.gather(*sent)
    await feed.until_read(20)
    assert await feed.numbers(*(f"{codec}-{n}" for n in range(20))) == [1] * 20


async def test_an_operators_tables_map_any_json_and_what_is_not_mapped_is_never_stored(feed: Feed) -> None:
    await feed.put(
        fields={
            "external_id": "ref", "occurred": "when", "act": "what/kind", "location": "where", "perpetrators": "who",
            "casualties.killed": "dead",
        },
        choices={"act": {"shell": "shelling"}},
        names={"regime": "syria"},
        form="Their system",
        grade="B2",
    )  # fmt: skip
    theirs = {
        "ref": "T-1", "when": "2016-05-08T13:40:00+03:00", "what": {"kind": "shell"},
        "where": {"lat": 36.2, "lon": 37.1},
        "who": "regime", "dead": 2, "reporter": "Amina Q.", "phone": "+963 11 000",
    }  # fmt: skip
    await feed.produce(theirs, {**theirs, "ref": "T-2", "what": {"kind": "flood"}})
    await feed.until_read(2)
    [one] = await feed.revisions("T-1")
    assert one is not None
    assert (one.report.act, one.report.perpetrators, one.report.casualties.killed) == ("shelling", ("syria",), 2)
    assert (one.report.source.name, one.report.source.grade) == ("Their system", "B2")
    [letter] = await letters(feed)
    [record] = await feed.dead(1)
    rows = await feed.database.read(
        lambda c: list(c.execute(select(outbox.c.data))) + list(c.execute(select(dead_letters.c.event)))
    )
    for personal in (b"Amina", b"+963"):
        assert not [row for row in rows if personal in bytes(row[0])]
        assert personal not in record.value
    assert "flood" in letter.reason


async def letters(feed: Feed) -> Sequence[Any]:
    found = await DeadLetters(feed.database, SystemClock()).list(PageQuery())
    return [one for one in found if one.key == feed.id]


async def test_what_is_refused_is_on_dead_with_its_problem_and_is_read_again_once_it_is_mended(feed: Feed) -> None:
    await feed.put()
    await feed.produce(b"not json", told("bad", act="flooding"), told("good"), key="their key")
    await feed.produce(told("bad", act="flooding"), None, key="their key")
    await feed.until_read(5)
    dead = await feed.dead(4)
    headers = [dict(record.headers) for record in dead]
    problems = [json.loads(header["problem"]) for header in headers]
    assert [problem["status"] for problem in problems] == [422] * 4
    assert problems[1]["errors"][0]["pointer"] == "/act"
    assert {record.key for record in dead} == {b"their key"}
    # Each is named after its place, so that a repetition is known.
    assert len({header["ce_id"] for header in headers}) == 4
    assert headers[0]["ce_id"].decode().startswith(f"{feed.topic}/")
    assert len(await letters(feed)) == 4
    state = await feed.service.store.state(feed.id)
    assert (state.read, state.refused) == (1, 4)
    await feed.put(2, choices={"act": {"flooding": "other"}})
    [letter, *_] = [one for one in await letters(feed) if "/act" in one.reason]
    raw = await feed.database.read(
        lambda c: c.execute(select(dead_letters.c.event).where(dead_letters.c.id == letter.id)).scalar()
    )
    assert raw is not None
    await feed.service.handle([msgspec.msgpack.decode(raw, type=Event)])
    assert await feed.numbers("bad") == [1]


async def events_of(feed: Feed, count: int) -> list[Event]:
    """The records on the topic, read by a group of its own."""
    log = KafkaBus(feed.broker.bootstrap)
    reader = await log.partner_consumer(feed.topic, f"beside-{next(_numbers)}")
    found: list[Event] = []
    while len(found) < count:
        found += [received.event for received in await reader.fetch(100, 1)]
    await reader.close()
    await log.close()
    return found


async def test_what_comes_again_changes_nothing_and_an_edit_back_is_a_revision(feed: Feed) -> None:
    await feed.put()
    await feed.produce(*(told("edited", casualties={"killed": killed}) for killed in (1, 2, 1)), b"{", partition=0)
    await feed.until_read(4)
    assert await feed.numbers("edited") == [3]
    assert feed.service.topics is not None
    intake = feed.service.topics.intake(feed.id, feed.topic)
    events = await events_of(feed, 4)
    await intake.handle(events)
    await asyncio.gather(*(intake.handle(events[start:]) for start in range(4)))
    assert await feed.numbers("edited") == [3]
    state = await feed.service.store.state(feed.id)
    assert (state.read, state.refused) == (3, 1)
    assert len(await letters(feed)) == 1


async def test_two_that_have_the_same_partition_at_once_take_each_record_once(feed: Feed) -> None:
    await feed.put()
    await feed.produce(*(told("edited", casualties={"killed": killed}) for killed in (1, 2, 1, 2, 1)), partition=1)
    events = await events_of(feed, 5)
    assert feed.service.topics is not None
    members: list[TopicIntake] = [feed.service.topics.intake(feed.id, feed.topic) for _ in range(3)]
    async with adapters(feed.database, KafkaBus(feed.broker.bootstrap)) as other:
        assert other.topics is not None
        members.append(other.topics.intake(feed.id, feed.topic))
        await asyncio.gather(*(one.handle(events[:4]) for one in members), *(one.handle(events) for one in members))
    assert await feed.numbers("edited") == [5]


async def test_an_adapter_whose_topic_is_missing_says_so_and_begins_when_it_is_there(feed: Feed, kafka: Kafka) -> None:
    feed.topic = f"later-{next(_numbers)}"
    await feed.put()
    await until(feed, lambda failure: f"there is no topic {feed.topic}" in failure)
    await create_topics(kafka.bootstrap, [new_topic(feed.topic, 1, {})])
    await feed.produce(told("late"))
    await feed.until_read(1)
    await until(feed, lambda failure: not failure)
    assert await feed.numbers("late") == [1]


async def until(feed: Feed, holds: Callable[[str], bool]) -> None:
    assert feed.service.topics is not None
    while not holds((await feed.service.store.state(feed.id)).failure):
        await feed.service.topics.step()
        await asyncio.sleep(0.05)


async def test_an_adapter_that_is_put_again_goes_on_from_where_it_was(feed: Feed) -> None:
    await feed.put()
    await feed.produce(told("one", casualties={"killed": 1}), told("one", casualties={"killed": 2}), partition=0)
    await feed.until_read(2)
    await feed.service.store.delete(feed.id, lambda _: None)
    assert feed.service.topics is not None
    await feed.service.topics.step()
    await feed.put()
    await feed.produce(told("two"), partition=0)
    await feed.until_read(1)
    assert await feed.numbers("one", "two") == [2, 1]
    assert group_of(feed.id) == f"ingest.adapters.{feed.id}"
