"""Items that wait together are written together, and a bad one harms nobody."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from services.shared.db.engine import Database
from services.shared.db.group import GroupWriter
from services.shared.failures import RetryLaterError


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


async def test_nobody_waits_longer_than_promised_for_a_database_that_hangs(database: Database, tmp_path: Path) -> None:
    flush, patience_s = Flushes(), 0.2
    writer = GroupWriter(database, flush, patience_s=patience_s)

    async def ask(number: int, after_s: float) -> float:
        await asyncio.sleep(after_s)
        begin = time.monotonic()
        with pytest.raises(RetryLaterError):
            await writer.write([number])
        return time.monotonic() - begin

    other = sqlite3.connect(tmp_path / "group.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waited = await asyncio.gather(*(ask(number, number * 0.05) for number in range(12)))
    assert max(waited) < patience_s + 1.0
    other.execute("COMMIT")
    other.close()
    assert await writer.write([50]) == [100]
    assert flush.seen == [[0], [50]]


async def test_a_database_that_is_only_slow_refuses_nobody(database: Database) -> None:
    class Slow(Flushes):
        def __call__(self, connection: Connection, items: Sequence[int]) -> list[int]:
            time.sleep(0.1)
            return super().__call__(connection, items)

    writer = GroupWriter(database, Slow(), limit=1, patience_s=1.0)
    for _ in range(4):
        assert await asyncio.gather(*(writer.write([n]) for n in range(4))) == [[2 * n] for n in range(4)]
