"""The embedded log forgets what every group is done with, and nothing that one still needs."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from schemas.envelope import Event
from schemas.topics import INCIDENTS, REGISTRY, Topic
from services.app import COMPACTING, TRIMMING
from services.notify.wiring.loops import COUNTING
from services.platform.bus import embedded
from services.platform.bus.embedded import COMPACT_S, TRIM_S, EmbeddedBus
from services.platform.db import outbox
from services.platform.db.engine import Database
from services.platform.db.tables import outbox as log
from tests.component.assembled import Assembled, assembled
from tests.scenario import registry_document, reports
from tests.tables import create_tables

OLD = "2016-05-01T00:00:00Z"


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(f"sqlite:///{tmp_path}/a.db")
    create_tables(opened.engine)
    yield opened
    await opened.close()


async def publish(bus: EmbeddedBus, count: int) -> None:
    await bus.publish([Event(INCIDENTS.name, f"k{n}", f"e{n}", "t", "/t", OLD, b"{}") for n in range(count)])


async def read(bus: EmbeddedBus, group: str, count: int) -> None:
    consumer = await bus.consumer(INCIDENTS, group)
    if count:
        await consumer.commit(await consumer.fetch(count, 0))


async def left(database: Database) -> int:
    return await database.read(lambda connection: connection.execute(outbox.COUNT).scalar_one())


async def test_a_group_that_was_renamed_does_not_hold_the_log_for_ever(database: Database) -> None:
    before = EmbeddedBus(database)
    await publish(before, 4)
    await read(before, "rules.old_name", 1)
    await before.close()
    bus = EmbeddedBus(database)
    await read(bus, "rules.new_name", 3)
    await bus.close()
    assert await bus.trim(strangers=False) == 3
    assert await left(database) == 1


async def test_a_group_of_a_service_that_runs_elsewhere_holds_the_log(database: Database) -> None:
    before = EmbeddedBus(database)
    await publish(before, 4)
    await read(before, "rules.incidents", 1)
    await before.close()
    bus = EmbeddedBus(database)
    await read(bus, "ingest.incidents", 4)
    await bus.close()
    assert await bus.trim() == 1


async def test_a_group_that_has_not_begun_holds_the_log(database: Database) -> None:
    bus = EmbeddedBus(database)
    await publish(bus, 4)
    await read(bus, "rules.incidents", 4)
    await read(bus, "notify.new", 0)
    await bus.close()
    assert await bus.trim() == 0
    assert await bus.trim(strangers=False) == 0


async def test_a_long_log_is_trimmed_in_slices(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "TRIM_SLICE", 2)
    bus = EmbeddedBus(database)
    await publish(bus, 7)
    await read(bus, "rules.incidents", 5)
    await bus.close()
    assert await bus.trim() == 5
    assert await left(database) == 2
    assert await bus.trim() == 0


async def test_of_a_compacted_topic_the_last_event_of_each_key_stays(database: Database) -> None:
    bus = EmbeddedBus(database)
    await bus.publish([Event(REGISTRY.name, f"k{n % 2}", f"e{n}", "t", "/t", OLD, b"{}") for n in range(5)])
    assert await bus.trim() == 0
    assert await bus.compact() == 3
    kept = select(log.c.id).order_by(log.c.seq)
    assert await database.read(lambda connection: list(connection.execute(kept).scalars())) == ["e3", "e4"]


async def test_a_process_trims_its_log_within_seconds_once_every_group_is_past_it(tmp_path: Path) -> None:
    async with assembled(tmp_path) as system:
        await system.call("POST", "/v1/incidents/batch", reports())
        await system.settle()
        assert await topics(system) >= {"incidents", "assessments", "alerts"}
        trimming = start(system, TRIMMING)
        # The counts lag behind: what they have not read stays.
        await system.assembly.runtime.bus.close()
        await until_trimmed(system, {"assessments"})
        await count(system)
        await system.assembly.runtime.bus.close()
        await until_trimmed(system, set())
        trimming.cancel()


async def test_a_process_compacts_its_log_every_hour(tmp_path: Path) -> None:
    async with assembled(tmp_path) as system:
        document = registry_document()
        await system.call("PUT", "/v1/registry", {**document, "parties": [*document["parties"], OTHER]})
        await system.call("PUT", "/v1/registry", document)
        before = await length(system, REGISTRY)
        compacting = start(system, COMPACTING)
        async with asyncio.timeout(20):
            while await length(system, REGISTRY) == before:
                # Again, since it may have been at work when the clock went on.
                await system.clock.advance(COMPACT_S)
        compacting.cancel()


OTHER = {"id": "other-party", "kind": "armed_group", "name": {"en": "Other party"}}


def start(system: Assembled, name: str) -> asyncio.Future[None]:
    (task,) = [task for task in system.service("front").tasks if task.name == name]
    return asyncio.ensure_future(task.run())


async def topics(system: Assembled) -> set[str]:
    statement = select(log.c.topic).distinct()
    return await system.assembly.runtime.database.read(lambda c: set(c.execute(statement).scalars()))


async def length(system: Assembled, topic: Topic) -> int:
    statement = select(log.c.seq).where(log.c.topic == topic.name)
    return await system.assembly.runtime.database.read(lambda c: len(c.execute(statement).all()))


async def count(system: Assembled) -> None:
    """Have the counts read what there is; they wait for more before each batch."""
    (counting,) = [loop for loop in system.service("notify").loops if loop.name == COUNTING]
    counted = asyncio.create_task(counting.step(0))
    while not counted.done():
        await system.clock.advance(0.1)
    await counted


async def until_trimmed(system: Assembled, but: set[str]) -> None:
    """Until only these are left of the topics that groups read."""
    async with asyncio.timeout(20):
        while (await topics(system)) & {"incidents", "assessments", "alerts"} != but:
            # Again, since it may have been at work when the clock went on.
            await system.clock.advance(TRIM_S)
