"""Items that wait together are written together, and a bad one harms nobody."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from services.platform.db.engine import Database
from services.platform.db.group import GroupWriter
from services.platform.failures import RetryLaterError


class Flushes:
    """Doubles each number, refuses negative ones, and remembers what came together."""

    def __init__(self) -> None:
        self.seen: list[list[int]] = []
        self.races = 0

    def __call__(self, connection: Connection, items: Sequence[int]) -> list[int]:
        self.seen.append(list(items))
        connection.execute(text("SELECT 1"))
        if self.races:
            self.races -= 1
            raise IntegrityError("INSERT", {}, Exception("taken"))
        if min(items) < 0:
            raise ValueError("negative")
        return [2 * item for item in items]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(f"sqlite:///{tmp_path}/group.db")
    yield opened
    await opened.close()


async def test_what_waits_is_taken_together(database: Database) -> None:
    flush = Flushes()
    writer = GroupWriter(database, flush)
    assert await asyncio.gather(*(writer.write([n, n]) for n in range(50))) == [[2 * n, 2 * n] for n in range(50)]
    assert len(flush.seen) <= 3
    assert await writer.write([7]) == [14]


async def test_a_group_stays_within_the_limit_unless_one_asks_for_more(database: Database) -> None:
    flush = Flushes()
    writer = GroupWriter(database, flush, limit=10)
    await asyncio.gather(*(writer.write([n] * 4) for n in range(6)), writer.write([9] * 25))
    assert [len(items) for items in flush.seen] == [8, 8, 8, 25]


async def test_a_bad_item_fails_alone(database: Database) -> None:
    writer = GroupWriter(database, Flushes())
    results = await asyncio.gather(*(writer.write([n]) for n in (1, -1, 2)), return_exceptions=True)
    assert (results[0], results[2]) == ([2], [4])
    assert isinstance(results[1], ValueError)


async def test_a_lost_race_is_run_again_and_at_last_put_off(database: Database) -> None:
    flush = Flushes()
    writer = GroupWriter(database, flush)
    flush.races = 3
    assert await writer.write([1]) == [2]
    flush.races = 1000
    with pytest.raises(RetryLaterError):
        await writer.write([1])


async def test_who_stopped_waiting_holds_up_nobody(database: Database) -> None:
    writer = GroupWriter(database, Flushes())
    gone = asyncio.create_task(writer.write([1]))
    await asyncio.sleep(0)
    gone.cancel()
    assert await writer.write([2]) == [4]


class LoopTime:
    """The time of the running event loop, which only the test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 0.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.seconds)


async def test_nobody_waits_longer_than_promised_for_a_database_that_hangs(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush, timeout_s, time = Flushes(), 0.2, LoopTime(monkeypatch)
    writer = GroupWriter(database, flush, timeout_s=timeout_s)

    async def ask(number: int, after_s: float) -> float:
        await asyncio.sleep(after_s)
        begin = time.seconds
        with pytest.raises(RetryLaterError):
            await writer.write([number])
        return time.seconds - begin

    other = sqlite3.connect(tmp_path / "group.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    asked = [asyncio.create_task(ask(number, number * 0.05)) for number in range(12)]
    while not all(task.done() for task in asked):
        await asyncio.sleep(0)
        time.seconds += 0.001
    assert max(await asyncio.gather(*asked)) < timeout_s + 0.01
    other.execute("COMMIT")
    other.close()
    assert await writer.write([50]) == [100]
    assert flush.seen == [[0], [50]]


async def test_a_database_that_is_only_slow_refuses_nobody(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    time = LoopTime(monkeypatch)

    class Slow(Flushes):
        def __call__(self, connection: Connection, items: Sequence[int]) -> list[int]:
            time.seconds += 0.1
            return super().__call__(connection, items)

    writer = GroupWriter(database, Slow(), limit=1, timeout_s=1.0)
    for _ in range(4):
        assert await asyncio.gather(*(writer.write([n]) for n in range(4))) == [[2 * n] for n in range(4)]
