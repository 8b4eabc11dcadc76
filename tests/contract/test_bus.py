"""One contract for the log, run on both adapters: the embedded one and a real Kafka."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from schemas.envelope import Event
from schemas.events import IncidentReported
from schemas.topics import Topic
from services.platform.bus.embedded import EmbeddedBus
from services.platform.bus.kafka import KafkaBus
from services.platform.bus.kafka_topics import create_topics, new_topic
from services.platform.bus.port import Bus, Consumer, Received
from services.platform.db.engine import Database
from services.platform.failures import RetryLaterError
from tests.parts.kafka import Kafka
from tests.tables import create_tables

_numbers = itertools.count()


@dataclass
class Log:
    """A bus and one topic on it that nobody else uses."""

    bus: Bus
    topic: Topic

    def event(self, number: int, key: str = "a") -> Event:
        return Event(
            topic=self.topic.name,
            key=key,
            id=f"e{number}",
            type="trucewatch.test",
            source="/trucewatch/tests",
            time="2016-05-08T00:00:00Z",
            data=b'{"n":%d}' % number,
            traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )

    async def put(self, *numbers: int, key: str = "a") -> None:
        await self.bus.publish([self.event(n, key) for n in numbers])


async def taken(consumer: Consumer, count: int, within_s: float = 15) -> list[Received]:
    """The next ``count`` events or more, in however many batches they come."""
    found: list[Received] = []
    async with asyncio.timeout(within_s):
        while len(found) < count:
            found += await consumer.fetch(1000, 1.0)
    return found


def ids(batch: list[Received]) -> list[str]:
    return [received.event.id for received in batch]


async def _embedded(directory: Path) -> AsyncIterator[Bus]:
    database = Database(f"sqlite:///{directory / 'bus.db'}")
    create_tables(database.engine)
    yield EmbeddedBus(database)
    await database.close()


async def _kafka(broker: Kafka, topic: Topic) -> AsyncIterator[Bus]:
    await create_topics(broker.bootstrap, [new_topic(topic.name, 3, {})])
    bus = KafkaBus(broker.bootstrap)
    yield bus
    await bus.close()


@pytest.fixture(params=["embedded", "kafka"])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Log]:
    topic = Topic(f"test-{next(_numbers)}", IncidentReported, "trucewatch.test", "key", "every")
    opening = _embedded(tmp_path) if request.param == "embedded" else _kafka(request.getfixturevalue("kafka"), topic)
    async for bus in opening:
        yield Log(bus, topic)


@pytest.fixture
async def join(log: Log) -> AsyncIterator[Callable[[str], "asyncio.Future[Consumer]"]]:
    """Join a group; every member leaves at the end."""
    members: list[Consumer] = []

    async def joined(group: str) -> Consumer:
        members.append(await log.bus.consumer(log.topic, group))
        return members[-1]

    yield lambda group: asyncio.ensure_future(joined(group))
    for member in members:
        await member.close()


Join = Callable[[str], "asyncio.Future[Consumer]"]


async def test_an_event_comes_out_as_it_went_in(log: Log, join: Join) -> None:
    event = log.event(1, key="مفتاح/1")
    await log.bus.publish([event])
    (received,) = await taken(await join("g"), 1)
    assert received.event == event


async def test_a_dead_letter_carries_its_reason(log: Log, join: Join) -> None:
    event = Event(log.topic.name, "k", "1", "t", "/s", "2016-05-08T00:00:00Z", b"not json", reason="не читается")
    await log.bus.publish([event])
    (received,) = await taken(await join("g"), 1)
    assert received.event.reason == "не читается"


async def test_order_holds_within_a_key(log: Log, join: Join) -> None:
    for first in range(0, 600, 50):
        await log.bus.publish([log.event(n, key=f"k{n % 7}") for n in range(first, first + 50)])
    found = await taken(await join("g"), 600)
    assert len(found) == 600
    for key in range(7):
        mine = [int(r.event.id[1:]) for r in found if r.event.key == f"k{key}"]
        assert mine == sorted(mine)


async def test_one_key_stays_on_one_partition(log: Log, join: Join) -> None:
    await log.put(*range(20), key="same")
    assert len({received.partition for received in await taken(await join("g"), 20)}) == 1


async def test_a_fetch_brings_no_more_than_its_limit(log: Log, join: Join) -> None:
    await log.put(*range(10))
    member = await join("g")
    assert ids(list(await member.fetch(4, 10))) == ["e0", "e1", "e2", "e3"]
    assert ids(await taken(member, 6)) == ["e4", "e5", "e6", "e7", "e8", "e9"]


async def test_what_was_not_committed_is_handed_out_again(log: Log, join: Join) -> None:
    await log.put(1, 2, 3, 4)
    first = await join("g")
    batch = await taken(first, 4)
    await first.commit(batch[:2])
    await first.close()
    assert ids(await taken(await join("g"), 2)) == ["e3", "e4"]


async def test_groups_do_not_share(log: Log, join: Join) -> None:
    await log.put(1, 2)
    one, other = await join("one"), await join("other")
    await one.commit(await taken(one, 2))
    assert ids(await taken(other, 2)) == ["e1", "e2"]


async def test_a_fetch_with_nothing_to_bring_returns_after_its_wait(log: Log, join: Join) -> None:
    member = await join("g")
    await member.fetch(10, 0)
    assert list(await member.fetch(10, 0.2)) == []


async def test_a_waiting_fetch_returns_as_soon_as_something_comes(log: Log, join: Join) -> None:
    member = await join("g")
    await member.fetch(10, 0)
    waiting = asyncio.create_task(member.fetch(10, 60))
    await log.put(1)
    async with asyncio.timeout(60):
        assert ids(list(await waiting)) == ["e1"]


async def test_lag_is_what_the_group_has_not_committed(log: Log, join: Join) -> None:
    await log.put(1, 2, 3)
    member = await join("g")
    batch = await taken(member, 3)
    assert await member.lag() == 3
    await member.commit(batch[:2])
    assert await member.lag() == 1
    await member.commit(batch)
    assert await member.lag() == 0


async def test_committing_nothing_is_allowed(log: Log, join: Join) -> None:
    await (await join("g")).commit([])


async def test_publishing_nothing_is_allowed(log: Log) -> None:
    await log.bus.publish([])


async def test_a_tail_has_caught_up_when_it_returns_and_follows_from_there(log: Log) -> None:
    await log.put(*range(30))
    seen: list[str] = []
    more = asyncio.Event()

    async def on_event(event: Event) -> None:
        seen.append(event.id)
        if len(seen) == 32:
            more.set()

    stop = await log.bus.tail(log.topic, on_event)
    assert seen == [f"e{n}" for n in range(30)]
    await log.put(30, 31)
    async with asyncio.timeout(60):
        await more.wait()
    await stop()
    await log.put(32)
    assert seen == [f"e{n}" for n in range(32)]


async def test_what_a_tail_cannot_take_yet_is_offered_again_and_nothing_overtakes_it(log: Log) -> None:
    seen: list[str] = []
    tries = itertools.count()

    async def on_event(event: Event) -> None:
        if event.id == "e1" and next(tries) < 2:
            raise RetryLaterError("the database is away")
        seen.append(event.id)

    stop = await log.bus.tail(log.topic, on_event)
    await log.put(1, 2)
    async with asyncio.timeout(60):
        while len(seen) < 2:  # noqa: ASYNC110 - a log offers no event to wait for
            await asyncio.sleep(0.01)
    await stop()
    assert seen == ["e1", "e2"]


async def test_a_tail_of_an_empty_topic_returns(log: Log) -> None:
    async def on_event(event: Event) -> None:
        raise AssertionError(event)

    async with asyncio.timeout(60):
        stop = await log.bus.tail(log.topic, on_event)
    await stop()


async def test_every_tail_sees_everything(log: Log) -> None:
    await log.put(1, 2)
    seen: list[list[str]] = [[], []]
    for mine in seen:

        async def on_event(event: Event, mine: list[str] = mine) -> None:
            mine.append(event.id)

        await (await log.bus.tail(log.topic, on_event))()
    assert seen == [["e1", "e2"], ["e1", "e2"]]


async def test_a_large_event_goes_through(log: Log, join: Join) -> None:
    big = Event(log.topic.name, "k", "1", "t", "/s", "2016-05-08T00:00:00Z", b"x" * 3_000_000)
    await log.bus.publish([big])
    (received,) = await taken(await join("g"), 1)
    assert len(received.event.data) == 3_000_000


async def test_the_log_is_healthy(log: Log) -> None:
    assert await log.bus.healthy()
