"""The database and the embedded bus, on a real SQLite file."""

import asyncio
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from schemas.envelope import Event
from schemas.topics import INCIDENTS, Topic
from services.platform.bus import embedded
from services.platform.bus.embedded import EmbeddedBus
from services.platform.db import checkpoints, engine, outbox, sync
from services.platform.db import committed_events as committed_events
from services.platform.db.engine import Database
from services.platform.db.migrate import upgrade
from services.platform.failures import RetryLaterError
from tests.tables import create_tables


def event(n: int, topic: Topic = INCIDENTS) -> Event:
    return Event(topic.name, f"k{n % 3}", f"id{n}", topic.type, "/t", "2016-05-08T00:00:00Z", b"{}")


async def test_what_is_published_is_consumed_once_and_again_only_if_not_committed(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/a.db")
    create_tables(database.engine)
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
    create_tables(database.engine)

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


LEASE = text("INSERT INTO leases VALUES ('x', 'me', 0)")


async def test_a_small_write_is_done_at_once_and_is_on_disk_when_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced: list[bytes] = []
    monkeypatch.setattr(sync, "_force", lambda _file: forced.append((tmp_path / "a.db-wal").read_bytes()))
    database = Database(f"sqlite:///{tmp_path}/a.db")
    create_tables(database.engine)
    writing = asyncio.create_task(database.write(lambda c: c.execute(LEASE).rowcount, rows=1))
    await asyncio.sleep(0)
    assert await database.read(lambda c: c.execute(text("SELECT holder FROM leases")).scalars().all()) == ["me"]
    assert await writing == 1
    assert len(forced) == 1
    assert b"xme" in forced[0], "what was forced to disk holds the row"
    await database.write(lambda c: c.execute(text("DELETE FROM leases")), rows=1, durable=False)
    await database.settled()
    assert len(forced) == 1, "nobody waits for the disk"
    await database.close()


async def test_a_disk_that_fails_is_told_and_the_next_write_tries_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [OSError("no space left"), OSError("no space left")]

    def force(_file: int) -> None:
        if faults:
            raise faults.pop()

    monkeypatch.setattr(sync, "_force", force)
    database = Database(f"sqlite:///{tmp_path}/a.db")
    create_tables(database.engine)
    bus = EmbeddedBus(database)
    consumer = await bus.consumer(INCIDENTS, "g")
    assert await consumer.fetch(1, 0) == []
    for n, rows in enumerate((1, None)):
        with pytest.raises(RetryLaterError, match="no space left"):
            await database.write(lambda c, n=n: outbox.append(c, [event(n)]), rows=rows)  # type: ignore[misc]
    assert [r.event.id for r in await consumer.fetch(9, 1)] == ["id0", "id1"], "it has committed all the same"
    await database.write(lambda c: c.execute(LEASE), rows=1)
    await database.close()


@pytest.mark.parametrize("rows", [1, None])
async def test_a_closed_database_asks_to_retry_later(tmp_path: Path, rows: int | None) -> None:
    database = Database(f"sqlite:///{tmp_path}/a.db")
    create_tables(database.engine)
    await database.write(lambda c: c.execute(text("INSERT INTO leases VALUES ('x', 'y', 0)")), rows=rows)
    await database.close()
    async with asyncio.timeout(60):
        with pytest.raises(RetryLaterError, match="closed"):
            await database.write(lambda c: c.execute(text("DELETE FROM leases")), rows=rows)
        with pytest.raises(RetryLaterError, match="closed"):
            await database.read(lambda c: c.execute(text("SELECT 1")).scalar())


async def test_a_small_write_waits_in_the_thread_while_another_process_writes(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/a.db")
    create_tables(database.engine)
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO leases VALUES ('x', 'other', 0)")
    writing = asyncio.create_task(database.write(lambda c: c.execute(text("UPDATE leases SET holder='me'")), rows=1))
    assert await database.read(lambda c: c.execute(text("SELECT count(*) FROM leases")).scalar()) == 0
    assert not writing.done()
    other.execute("COMMIT")
    other.close()
    await writing
    assert await database.read(lambda c: c.execute(text("SELECT holder FROM leases")).scalars().all()) == ["me"]
    await database.close()


async def test_who_migrates_a_new_file_waits_for_another_process_that_is_making_it(tmp_path: Path) -> None:
    """SQLite waits for a lock, but not for this one: now and then, of processes that started together one gave up."""
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    database = Database(f"sqlite:///{tmp_path}/a.db")
    opening = asyncio.create_task(asyncio.to_thread(upgrade, database.engine))
    await asyncio.wait({opening}, timeout=0.2)
    assert not opening.done()
    other.execute("COMMIT")
    other.close()
    await opening
    await database.close()


async def test_what_the_thread_has_committed_is_told_before_what_the_loop_commits_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, a small write overtook one that was still being forced to disk, and a consumer never saw the other."""
    disk = threading.Event()
    monkeypatch.setattr(sync, "_force", lambda _file: disk.wait())
    database = Database(f"sqlite:///{tmp_path}/a.db")
    create_tables(database.engine)
    consumer = await EmbeddedBus(database).consumer(INCIDENTS, "g")
    assert await consumer.fetch(1, 0) == []
    large = asyncio.create_task(database.write(lambda c: outbox.append(c, [event(0)])))
    while not await database.read(lambda c: c.execute(text("SELECT count(*) FROM outbox")).scalar()):
        pass
    small = asyncio.create_task(database.write(lambda c: outbox.append(c, [event(1)]), rows=1, durable=False))
    await asyncio.sleep(0)
    disk.set()
    await asyncio.gather(large, small)
    found = [*await consumer.fetch(1, 1), *await consumer.fetch(1, 1)]
    assert [received.event.id for received in found] == ["id0", "id1"]
    await database.close()


@pytest.mark.parametrize("rows", [1, None])
async def test_a_failing_write_leaves_nothing_and_the_next_one_is_whole(tmp_path: Path, rows: int | None) -> None:
    database = Database(f"sqlite:///{tmp_path}/a.db")
    create_tables(database.engine)

    def bad(connection: Connection) -> None:
        connection.execute(LEASE)
        connection.execute(text("INSERT INTO nowhere VALUES (1)"))

    with pytest.raises(RetryLaterError, match="nowhere"):
        await database.write(bad, rows=rows)
    await database.write(lambda c: c.execute(LEASE), rows=rows)
    with pytest.raises(IntegrityError):
        await database.write(lambda c: c.execute(LEASE), rows=rows)
    assert await database.read(lambda c: c.execute(text("SELECT count(*) FROM leases")).scalar()) == 1
    await database.close()


async def test_two_groups_that_begin_to_read_a_topic_at_once_both_get_every_event(tmp_path: Path) -> None:
    """Once, the second took the end of the log for known before it was, and never read again."""
    database = Database(f"sqlite:///{tmp_path}/a.db")
    create_tables(database.engine)
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
    create_tables(database.engine)
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
    monkeypatch.setattr(committed_events, "PASSED_ON_BYTES", 7)
    database = Database(f"sqlite:///{tmp_path}/a.db")
    create_tables(database.engine)
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


class SlowCheckpoints(checkpoints.Checkpoints):
    """They begin at once and end only after the database was told to close."""

    begun = threading.Event()
    ended = False

    def _checkpoint_if_large(self) -> None:
        self.begun.set()
        self._stopped.wait()
        time.sleep(0.05)
        SlowCheckpoints.ended = True


async def test_a_checkpoint_under_way_ends_before_the_database_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "CHECKPOINT_S", 0.01)
    monkeypatch.setattr(engine, "Checkpoints", SlowCheckpoints)
    database = Database(f"sqlite:///{tmp_path}/a.db")
    await asyncio.to_thread(SlowCheckpoints.begun.wait)
    await database.close()
    assert SlowCheckpoints.ended
