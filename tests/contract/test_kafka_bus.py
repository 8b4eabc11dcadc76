"""Abilities and faults that only Kafka has: shared work, strangers' records, a broker that is away."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from pathlib import Path
from typing import Final

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import GroupCoordinatorNotAvailableError
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event
from msgspec import structs

from schemas.codec import UnreadableEventError, decode
from schemas.envelope import Event
from schemas.events import IncidentReported
from schemas.topics import DEAD_SUFFIX, INCIDENTS, TOPICS, Topic
from services.platform.bus import kafka as kafka_bus
from services.platform.bus.kafka import PUBLISH_S, KafkaBus
from services.platform.bus.kafka_reader import MAX_UNANSWERED, KafkaReader
from services.platform.bus.kafka_records import partition_of
from services.platform.bus.kafka_topics import create_topics, new_topic
from services.platform.bus.port import Received
from services.platform.failures import RetryLaterError
from tests.parts.kafka import Kafka
from tests.parts.machine import exceeds

#: A call that has not come back by then hangs: the broker is paused until the test is over.
HUNG_S: Final = 120.0
_numbers = itertools.count()


def event(topic: Topic, number: int) -> Event:
    return Event(
        topic.name, f"k{number}", f"e{number}", "trucewatch.test", "/tests", "2016-05-08T00:00:00Z", b'{"n":1}'
    )


async def fresh_topic(broker: Kafka, partitions: int = 4) -> Topic:
    topic = Topic(f"own-{next(_numbers)}", IncidentReported, "trucewatch.test", "key", "every")
    await create_topics(broker.bootstrap, [new_topic(topic.name, partitions, {})])
    return topic


@contextlib.asynccontextmanager
async def opened(broker: Kafka) -> AsyncIterator[KafkaBus]:
    bus = KafkaBus(broker.bootstrap)
    try:
        yield bus
    finally:
        await bus.close()


async def frame(reader: asyncio.StreamReader) -> bytes:
    """A request or an answer of Kafka's protocol, with its length before it."""
    size = await reader.readexactly(4)
    return size + await reader.readexactly(int.from_bytes(size))


async def read_once(bus: KafkaBus) -> None:
    reader = await bus.consumer(INCIDENTS, "broken-off")
    try:
        await reader.fetch(1, 0.1)
    finally:
        await reader.close()


async def drain(reader: KafkaReader, into: list[Received], *, commit: bool = True) -> None:
    while True:
        batch = await reader.fetch(50, 0.2)
        if commit:
            await reader.commit(batch)
        into.extend(batch)


async def until(condition: Callable[[], bool], within_s: float) -> None:
    began = time.monotonic()
    while not condition():  # a broker offers no event to wait for
        if exceeds(time.monotonic() - began, within_s):
            raise TimeoutError
        await asyncio.sleep(0.02)


async def test_topics_are_made_with_their_settings_and_making_them_again_changes_nothing(kafka: Kafka) -> None:
    async with opened(kafka) as bus:
        await bus.start()
        await bus.start()
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    wanted = [name for topic in TOPICS for name in (topic, topic + DEAD_SUFFIX)]
    described = {t["topic"]: len(t["partitions"]) for t in await admin.describe_topics(wanted)}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in ("registry", "incidents", "incidents.dead")]
    (answer,) = await admin.describe_configs(resources)
    await admin.close()
    settings = {r[3]: {entry[0]: entry[1] for entry in r[4]} for r in answer.resources}
    assert set(described) == set(wanted)
    assert (described["incidents"], described["registry"], described["incidents.dead"]) == (12, 1, 1)
    assert settings["registry"]["cleanup.policy"] == "compact"
    assert settings["incidents"]["cleanup.policy"] == "delete"
    assert settings["incidents"]["retention.ms"] == str(INCIDENTS.retention_h * 3_600_000)


async def test_two_members_share_the_partitions_and_a_third_takes_over_what_one_leaves(kafka: Kafka) -> None:
    topic = await fresh_topic(kafka)
    async with opened(kafka) as bus:
        one, other = await bus.consumer(topic, "g"), await bus.consumer(topic, "g")
        got: list[list[Received]] = [[], [], []]
        tasks = [asyncio.create_task(drain(one, got[0])), asyncio.create_task(drain(other, got[1]))]
        await bus.publish([event(topic, n) for n in range(40)])
        await until(lambda: {r.event.id for r in got[0] + got[1]} == {f"e{n}" for n in range(40)}, 30)
        await until(lambda: len(one.partitions) == 2 and len(other.partitions) == 2, 30)
        await bus.publish([event(topic, n) for n in range(40, 80)])
        await until(lambda: len({r.event.id for r in got[0] + got[1]}) == 80, 30)
        assert all(len(mine) > 0 for mine in got[:2])
        tasks[0].cancel()
        await one.close()
        third = await bus.consumer(topic, "g")
        tasks.append(asyncio.create_task(drain(third, got[2])))
        await until(lambda: len(third.partitions) == 2, 30)
        await bus.publish([event(topic, n) for n in range(80, 120)])
        await until(lambda: len({r.event.id for mine in got for r in mine}) == 120, 30)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await other.close()
        await third.close()


async def test_a_commit_after_the_partition_went_to_another_is_no_error(kafka: Kafka) -> None:
    topic = await fresh_topic(kafka, partitions=1)
    async with opened(kafka) as bus:
        await bus.publish([event(topic, n) for n in range(3)])
        slow, quick = await bus.consumer(topic, "g"), await bus.consumer(topic, "g")
        batch = await slow.fetch(10, 10)
        taking = asyncio.create_task(quick.fetch(10, 5))
        await until(lambda: bool(slow.partitions) != bool(quick.partitions), 30)
        await slow.commit(batch)
        await slow.close()
        assert len(await taking) in (0, 3)
        await quick.close()


async def test_a_commit_after_every_partition_of_the_batch_went_to_another_is_no_error(kafka: Kafka) -> None:
    topic = await fresh_topic(kafka, partitions=2)
    async with opened(kafka) as bus:
        await bus.publish([event(topic, n) for n in range(20)])
        slow, quick = await bus.consumer(topic, "g"), await bus.consumer(topic, "g")
        batch: list[Received] = []
        while {r.partition for r in batch} != {0, 1}:
            batch += await slow.fetch(50, 10)
        taking = asyncio.create_task(drain(quick, []))
        await until(lambda: len(slow.partitions) == len(quick.partitions) == 1, 30)
        await slow.commit([r for r in batch if r.partition in quick.partitions])
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
        await slow.close()
        await quick.close()


async def test_asking_for_the_lag_joins_no_second_member(kafka: Kafka) -> None:
    topic = await fresh_topic(kafka)
    async with opened(kafka) as bus:
        reader = await bus.consumer(topic, "g")
        with pytest.raises(RetryLaterError):
            await reader.lag()
        joining = asyncio.create_task(reader.fetch(10, 5))
        while not joining.done():
            await asyncio.gather(reader.lag(), return_exceptions=True)
            await asyncio.sleep(0.01)
        assert reader.partitions == {0, 1, 2, 3}
        assert await reader.lag() == 0
        await reader.close()


async def test_a_record_on_the_log_is_a_cloudevent_to_strangers(kafka: Kafka) -> None:
    topic = await fresh_topic(kafka, partitions=1)
    sent = Event(
        topic.name, "incident-1", "e-1", "trucewatch.test", "/trucewatch/ingest", "2016-05-08T00:00:00Z",
        b'{"a": 1}', "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )  # fmt: skip
    async with opened(kafka) as bus:
        await bus.publish([sent])
    async with AIOKafkaConsumer(
        topic.name, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest"
    ) as consumer:
        record = await consumer.getone()
    parsed = from_kafka_event(KafkaMessage(headers=dict(record.headers), key=record.key, value=record.value))
    assert record.key == b"incident-1"
    assert (parsed.get_id(), parsed.get_source(), parsed.get_type()) == ("e-1", "/trucewatch/ingest", "trucewatch.test")
    assert (parsed.get_subject(), parsed.get_datacontenttype()) == ("incident-1", "application/json")
    assert parsed.get_data() == {"a": 1}
    shown = kafka.console_consumer(topic.name, 1)
    assert "ce_specversion:1.0" in shown
    assert "traceparent:00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" in shown
    assert '\tincident-1\t{"a": 1}' in shown


async def test_a_strangers_record_is_handed_out_as_unreadable_and_stops_nobody(kafka: Kafka) -> None:
    async with opened(kafka) as bus:
        await bus.start()
        async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as stranger:
            await stranger.send_and_wait("service-status", b"\xff\xfe", key=b"\xff")
            await stranger.send_and_wait("service-status", None, key=b"tombstone")
        reader = await bus.consumer(TOPICS["service-status"], f"strays-{next(_numbers)}")
        found: list[Received] = []
        while len(found) < 2:
            found += await reader.fetch(10, 5)
        await reader.close()
    for received in found:
        with pytest.raises(UnreadableEventError):
            decode(received.event)
    assert found[0].event.id.startswith("service-status/0/")


async def test_while_the_broker_is_away_everything_says_so_in_time_and_all_is_well_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_bus, "PUBLISH_S", PUBLISH_S)
    with Kafka(tmp_path / "kafka") as broker:
        topic = await fresh_topic(broker, partitions=2)
        bus = KafkaBus(broker.bootstrap)
        reader = KafkaReader(broker.bootstrap, topic, "g", silence_s=1)
        await bus.publish([event(topic, 1)])
        await reader.commit(await reader.fetch(10, 10))
        broker.kill()
        await assert_away(bus, reader, topic)
        broker.start()
        await eventually(bus.publish, [event(topic, 3)])
        assert await bus.healthy()
        found = await next_ids(reader)
        while "e3" not in found:
            found += await next_ids(reader)
        # The broker had gone when e2 was sent; a send that timed out may have landed all the same.
        assert set(found) <= {"e2", "e3"}
        await reader.close()
        await bus.close()


async def test_a_broker_that_hangs_is_noticed_and_closing_does_not_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_bus, "PUBLISH_S", PUBLISH_S)
    with Kafka(tmp_path / "kafka") as broker:
        topic = await fresh_topic(broker, partitions=2)
        bus = KafkaBus(broker.bootstrap)
        reader = KafkaReader(broker.bootstrap, topic, "g", silence_s=1)
        await bus.publish([event(topic, 1)])
        await reader.fetch(10, 10)
        with broker.paused():
            await assert_away(bus, reader, topic)
            async with asyncio.timeout(HUNG_S):
                await reader.close()
                await bus.close()
    leftovers = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert leftovers == []


async def test_publishing_ends_in_time_although_the_producer_sends_nothing_any_more(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unforeseen error ends aiokafka's sender; more than a batch for one partition then waits for the first."""
    monkeypatch.setattr(kafka_bus, "PUBLISH_S", PUBLISH_S)
    topic = await fresh_topic(kafka, partitions=1)
    large = [structs.replace(event(topic, number), data=b"1" * (kafka_bus.BATCH_BYTES * 2 // 3)) for number in range(3)]
    async with opened(kafka) as bus, asyncio.timeout(60):
        await bus.publish(large)
        assert bus._producer is not None
        bus._producer._sender.sender_task.cancel()
        with pytest.raises(RetryLaterError, match="publishing"):
            await bus.publish(large)
        await bus.publish(large)


async def test_a_reader_that_stands_still_while_the_log_grows_says_so_and_starts_over(kafka: Kafka) -> None:
    topic = await fresh_topic(kafka, partitions=1)
    async with opened(kafka) as bus:
        reader = KafkaReader(kafka.bootstrap, topic, "g", silence_s=0.2)
        await bus.publish([event(topic, 1)])
        await reader.commit(await reader.fetch(10, 10))
        # As it was met in the wild: the fetcher forgets a partition that it still has, and says nothing.
        deafen(reader)
        await bus.publish([event(topic, 2)])
        with pytest.raises(RetryLaterError, match="stuck"):
            await fetch_for_ever(reader)
        assert reader.restarts == 1
        assert await next_ids(reader) == ["e2"]
        await reader.close()


async def test_a_partition_that_is_lost_while_its_place_is_asked_for_is_no_error(kafka: Kafka) -> None:
    topic = await fresh_topic(kafka, partitions=2)
    async with opened(kafka) as bus:
        reader = KafkaReader(kafka.bootstrap, topic, None, silence_s=0)
        await bus.publish([event(topic, 1)])
        assert await next_ids(reader) == ["e1"]
        lose_a_partition_when_asked(reader)
        assert await reader.fetch(10, 0.1) == []
        assert len(reader.partitions) == 1
        await reader.close()


async def test_what_another_member_did_while_it_had_a_partition_is_no_lag_when_it_comes_back(kafka: Kafka) -> None:
    topic = await fresh_topic(kafka, partitions=2)
    async with opened(kafka) as bus:
        one, other = await bus.consumer(topic, "g"), await bus.consumer(topic, "g")
        mine: list[Received] = []
        reading = asyncio.create_task(drain(one, mine))
        await bus.publish([event(topic, n) for n in range(8)])
        await until(lambda: len(mine) == 8, 30)
        assert await one.lag() == 0
        theirs: list[Received] = []
        helping = asyncio.create_task(drain(other, theirs))
        await until(lambda: len(one.partitions) == len(other.partitions) == 1, 30)
        (gone,) = other.partitions
        more = [event(topic, n) for n in range(8, 40) if partition_of(f"k{n}", 2) == gone]
        await bus.publish(more)
        await until(lambda: len(theirs) == len(more) > 5, 30)  # each of them is committed
        helping.cancel()
        await other.close()
        await until(lambda: len(one.partitions) == 2, 30)
        assert await one.lag() == 0
        reading.cancel()
        await one.close()


def lose_a_partition_when_asked(reader: KafkaReader) -> None:
    """As in a rebalance: between the question where the log ends and the question where the reader stands."""
    inner = reader._inner
    assert inner is not None
    ask = inner.end_offsets

    async def end_offsets(partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        inner.end_offsets = ask
        ends: dict[TopicPartition, int] = await ask(partitions)
        inner.assign([tp for tp in ends if tp.partition == partition_of("k1", 2)])
        return ends

    inner.end_offsets = end_offsets


def deafen(reader: KafkaReader) -> None:
    """Stop its fetcher, as a lost partition leader does; everything else of the consumer goes on."""
    assert reader._inner is not None
    for tp in reader._inner.assignment():
        reader._inner.pause(tp)


async def next_ids(reader: KafkaReader) -> list[str]:
    async with asyncio.timeout(30):
        while True:
            try:
                found = await reader.fetch(10, 1)
            except RetryLaterError:
                continue
            if found:
                return [received.event.id for received in found]


async def assert_away(bus: KafkaBus, reader: KafkaReader, topic: Topic) -> None:
    async with asyncio.timeout(HUNG_S):
        with pytest.raises(RetryLaterError):
            await bus.publish([event(topic, 2)])
        assert not await bus.healthy()
    with pytest.raises(RetryLaterError):
        await fetch_for_ever(reader)


async def fetch_for_ever(reader: KafkaReader) -> None:
    async with asyncio.timeout(40):
        while True:
            assert await reader.fetch(10, 0.2) == []


async def eventually(publish: Callable[[list[Event]], Awaitable[None]], events: list[Event]) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                return await publish(events)
            except RetryLaterError:
                await asyncio.sleep(0.2)


class SlowToAnswer(KafkaReader):
    """Reads from Kafka; the broker's answer about committed offsets comes only when it is let through."""

    def __init__(self, bootstrap: str, topic: Topic, group: str) -> None:
        super().__init__(bootstrap, topic, group)
        self.asked, self.let_through = asyncio.Event(), asyncio.Event()

    def _made(self) -> AIOKafkaConsumer:
        made = super()._made()
        ask = made.committed

        async def committed(tp: TopicPartition) -> int | None:
            answer: int | None = await ask(tp)
            self.asked.set()
            await self.let_through.wait()
            return answer

        made.committed = committed
        return made


async def test_a_commit_while_the_lag_is_asked_for_counts(kafka: Kafka) -> None:
    topic = await fresh_topic(kafka, partitions=1)
    async with opened(kafka) as bus:
        await bus.publish([event(topic, n) for n in range(3)])
    reader = SlowToAnswer(kafka.bootstrap, topic, "slow-to-answer")
    try:
        batch: list[Received] = []
        async with asyncio.timeout(30):
            while len(batch) < 3:
                batch.extend(await reader.fetch(50, 0.2))
            asking = asyncio.create_task(reader.lag())
            await reader.asked.wait()
            await reader.commit(batch)
            reader.let_through.set()
            assert await asking == 0
            assert await reader.lag() == 0
    finally:
        await reader.close()


async def test_a_reader_whose_coordination_ended_by_an_unforeseen_error_reads_on(kafka: Kafka) -> None:
    """uvloop raises a bare RuntimeError for a connection that closed while it was written to."""
    topic = await fresh_topic(kafka, partitions=1)
    async with opened(kafka) as bus:
        await bus.publish([event(topic, 0)])
        reader = KafkaReader(kafka.bootstrap, topic, "coordination-ended")
        try:
            async with asyncio.timeout(60):
                inner = await reader._opened()
                inner._coordinator._pending_exception = RuntimeError("the handler is closed")
                with pytest.raises(RetryLaterError, match="the handler is closed"):
                    await reader.fetch(50, 0.2)
                assert reader._inner is None
                assert await _fetched(reader)
        finally:
            await reader.close()


async def test_a_reader_whose_client_waits_for_metadata_for_ever_starts_over(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same RuntimeError ends aiokafka's task that refreshes the metadata. What waits for it waits for ever."""
    topic = await fresh_topic(kafka, partitions=1)
    async with opened(kafka) as bus:
        await bus.publish([event(topic, 0)])
        reader = KafkaReader(kafka.bootstrap, topic, "metadata-ended")
        try:
            async with asyncio.timeout(90):
                batch = await _fetched(reader)
                inner = reader._inner
                assert inner is not None
                inner._client._sync_task.cancel()

                async def unknown(*_: object) -> None:
                    raise GroupCoordinatorNotAvailableError

                monkeypatch.setattr(inner._client, "coordinator_lookup", unknown)
                inner._coordinator.coordinator_dead()
                for _ in range(MAX_UNANSWERED):
                    with pytest.raises(RetryLaterError, match="no answer"):
                        await reader.commit(batch)
                assert reader._inner is None
                await reader.commit(await _fetched(reader))
                assert await reader.lag() == 0
        finally:
            await reader.close()


@pytest.mark.parametrize("stubborn", [False, True])
async def test_a_task_of_aiokafka_that_was_cancelled_ends_no_reader(kafka: Kafka, stubborn: bool) -> None:
    """Closing waits for aiokafka's tasks. One that was cancelled cancels nobody who waits for it, and is not waited for
    without a bound where it does not end."""
    topic, released = await fresh_topic(kafka, partitions=1), asyncio.Event()
    async with opened(kafka) as bus:
        await bus.publish([event(topic, 0)])
        reader = KafkaReader(kafka.bootstrap, topic, f"cancelled-{stubborn}")
        try:
            async with asyncio.timeout(60):
                inner = await reader._opened()
                inner._coordinator._coordination_task.cancel()
                if stubborn:
                    await asyncio.wait([inner._coordinator._coordination_task])
                    inner._coordinator._coordination_task = asyncio.create_task(_stay(released))
                await reader._abandon()
                assert await _fetched(reader)
        finally:
            released.set()
            await reader.close()


async def test_a_client_whose_metadata_failed_leaves_no_connection_open(kafka: Kafka) -> None:
    """Its own ending waits for the task first, raises what that raised, and comes to no connection."""
    async with opened(kafka) as bus:
        assert await bus.healthy()
        client = bus._producer.client  # type: ignore[union-attr]
        client._sync_task.cancel()
        client._sync_task = asyncio.create_task(_fail())
        connections = list(client._conns.values())
    assert connections
    assert not any(connection.connected() for connection in connections)


async def _fail() -> None:
    raise ConnectionAbortedError


async def _stay(released: asyncio.Event) -> None:
    while not released.is_set():
        with contextlib.suppress(asyncio.CancelledError):
            await released.wait()


async def _fetched(reader: KafkaReader) -> list[Received]:
    batch: list[Received] = []
    while not batch:
        batch.extend(await reader.fetch(50, 0.2))
    return batch


@pytest.mark.parametrize("opening", [KafkaBus.start, KafkaBus.healthy, read_once])
async def test_a_start_that_is_broken_off_leaves_no_connection_open(
    kafka: Kafka, opening: Callable[[KafkaBus], Coroutine[None, None, object]]
) -> None:
    """The first connection asks for the brokers, and no ending of aiokafka's knows of it meanwhile."""
    asked, closed = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        broker_reader, broker_writer = await asyncio.open_connection(*kafka.bootstrap.split(":"))
        broker_writer.write(await frame(reader))
        writer.write(await frame(broker_reader))
        await frame(reader)
        asked.set()
        if await reader.read() == b"":
            closed.set()
        for each in (broker_writer, writer):
            each.close()
            await each.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        bus = KafkaBus(f"{host}:{port}")
        task = asyncio.create_task(opening(bus))
        await asyncio.wait_for(asked.wait(), HUNG_S)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await bus.close()
        await asyncio.wait_for(closed.wait(), HUNG_S)
