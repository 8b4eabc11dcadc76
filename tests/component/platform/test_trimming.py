"""The embedded log forgets what every group is done with, and nothing that one still needs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.envelope import Event
from schemas.topics import INCIDENTS
from services.platform.bus.embedded import EmbeddedBus
from services.platform.db import outbox
from services.platform.db.engine import Database
from tests.tables import create_tables

OLD, LIMIT = "2016-05-01T00:00:00Z", "2016-05-08T00:00:00Z"


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
    assert await bus.trim(LIMIT, strangers=False) == 3
    assert await left(database) == 1


async def test_a_group_of_a_service_that_runs_elsewhere_holds_the_log(database: Database) -> None:
    before = EmbeddedBus(database)
    await publish(before, 4)
    await read(before, "rules.incidents", 1)
    await before.close()
    bus = EmbeddedBus(database)
    await read(bus, "ingest.incidents", 4)
    await bus.close()
    assert await bus.trim(LIMIT) == 1


async def test_a_group_that_has_not_begun_holds_the_log(database: Database) -> None:
    bus = EmbeddedBus(database)
    await publish(bus, 4)
    await read(bus, "rules.incidents", 4)
    await read(bus, "notify.new", 0)
    await bus.close()
    assert await bus.trim(LIMIT) == 0
    assert await bus.trim(LIMIT, strangers=False) == 0
