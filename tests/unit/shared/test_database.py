"""The database and the embedded bus, on a real SQLite file."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from schemas.envelope import Event
from schemas.topics import INCIDENTS, Topic
from services.shared.bus import embedded
from services.shared.bus.embedded import EmbeddedBus
from services.shared.db import put_out
from services.shared.db.engine import Database
from services.shared.db.tables import metadata


def event(n: int, topic: Topic = INCIDENTS) -> Event:
    return Event(topic.name, f"k{n % 3}", f"id{n}", topic.type, "/t", "2016-05-08T00:00:00Z", b"{}")


async def test_what_is_published_is_consumed_once_and_again_only_if_not_committed(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/a.db")
    metadata.create_all(database.engine)
    bus = EmbeddedBus(database)
    consumer = await bus.consumer(INCIDENTS, "g")
    await bus.publish([event(n) for n in range(5)])
    first = await consumer.fetch(3, 1)
    assert [r.event.id for r in first] == ["id0", "id1", "id2"]
    await consumer.commit(first)
    assert [r.event.id for r in await consumer.fetch(10, 1)] == ["id3", "id4"]
    again = await bus.consumer(INCIDENTS, "g")
    assert [r.event.id for r in await again.fetch(10, 1)] == ["id3", "id4"]
    assert await again.lag() == 2
    await database.close()


async def test_a_failing_unit_harms_no_neighbour_of_its_group(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/a.db")
    metadata.create_all(database.engine)

    def bad(connection: Connection) -> None:
        connection.execute(text("INSERT INTO leases VALUES ('x', 'bad', 0)"))
        raise ValueError("no")

    def good(connection: Connection) -> int:
        connection.execute(text("INSERT INTO leases VALUES ('y', 'good', 0)"))
        return 1

    results = await asyncio.gather(*(database.write(w) for w in (bad, good)), return_exceptions=True)
    assert isinstance(results[0], ValueError)
    assert results[1] == 1
    rows = await database.read(lambda c: c.execute(text("SELECT name FROM leases")).scalars().all())
    assert rows == ["y"]
    with pytest.raises(ValueError, match="no"):
        await database.write(bad)
    await database.close()


async def test_two_groups_that_begin_to_read_a_topic_at_once_both_get_every_event(tmp_path: Path) -> None:
    """Once, the second took the end of the log for known before it was, and never read again."""
    database = Database(f"sqlite:///{tmp_path}/a.db")
    metadata.create_all(database.engine)
    bus = EmbeddedBus(database)
    consumers = [await bus.consumer(INCIDENTS, group) for group in ("a", "b", "c")]
    fetching = [asyncio.create_task(consumer.fetch(10, 5)) for consumer in consumers]
    await asyncio.sleep(0)
    await bus.publish([event(1)])
    for batch in await asyncio.gather(*fetching):
        assert [received.event.id for received in batch] == ["id1"]
    await database.close()


async def test_positions_are_written_soon_and_at_the_end(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/a.db")
    metadata.create_all(database.engine)
    bus = EmbeddedBus(database)
    await bus.publish([event(n) for n in range(4)])
    consumer = await bus.consumer(INCIDENTS, "g")
    await consumer.commit(await consumer.fetch(2, 1))
    written = text("SELECT seq FROM positions WHERE \"group\" = 'g'")
    while (await database.read(lambda c: c.execute(written).scalar())) is None:
        pass
    await consumer.commit(await consumer.fetch(1, 1))
    await bus.close()
    after = EmbeddedBus(database)
    again = await after.consumer(INCIDENTS, "g")
    assert [r.event.id for r in await again.fetch(10, 1)] == ["id3"]
    await database.close()


async def test_what_is_too_much_for_the_short_memory_is_read_from_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much one transaction puts out, or several."""
    monkeypatch.setattr(embedded, "RECENT_BYTES", 5)
    monkeypatch.setattr(put_out, "HANDED_ON_BYTES", 7)
    database = Database(f"sqlite:///{tmp_path}/a.db")
    metadata.create_all(database.engine)
    bus = EmbeddedBus(database)
    consumer = await bus.consumer(INCIDENTS, "g")
    assert await consumer.fetch(10, 0) == []
    await bus.publish([event(n) for n in range(9)])
    assert len((await bus.watch(INCIDENTS.name)).events) == 2
    found = [*await consumer.fetch(4, 1), *await consumer.fetch(4, 1), *await consumer.fetch(4, 1)]
    assert [r.event.id for r in found] == [f"id{n}" for n in range(9)]
    await bus.publish([event(9)])
    assert [r.event.id for r in await consumer.fetch(4, 1)] == ["id9"]
    waiting = asyncio.create_task(consumer.fetch(9, 5))
    await asyncio.sleep(0)
    await bus.publish([event(n) for n in range(10, 17)])
    assert [r.event.id for r in await waiting] == [f"id{n}" for n in range(10, 17)]
    await database.close()
