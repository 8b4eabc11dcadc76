"""Items that wait together are written together, and a bad one harms nobody."""

import asyncio
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
