"""Attempts of long ago are let go of where an installation says so, and nothing else is."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select

from schemas.instants import DAY
from services.notify.sql import forget_attempts
from services.notify.sql.forget_attempts import NAME, PERIOD_S, OldAttempts
from services.notify.sql.tables import attempts
from services.platform.db.engine import Database
from tests.component.assembled import assembled
from tests.fakes import DrivenClock


async def keep(database: Database, ages: dict[str, int], now: int) -> None:
    """A message for each, with an attempt of so many days ago and one of the day after that."""
    rows = [
        {
            "delivery_id": id, "number": number, "at": now - (days + 1 - number) * DAY, "status": 500, "failure": None,
            "latency": 1, "reason": "answered 500", "excerpt": b"",
        }
        for id, days in ages.items()
        for number in (1, 2)
    ]  # fmt: skip
    await database.write(lambda connection: connection.execute(attempts.insert(), rows))


async def left(database: Database) -> list[tuple[str, int]]:
    key = (attempts.c.delivery_id, attempts.c.number)
    return await database.read(lambda c: [(row[0], row[1]) for row in c.execute(select(*key).order_by(*key))])


@pytest.mark.parametrize("size", [1, 3, 1_000])
async def test_attempts_older_than_that_go_and_the_others_stay(
    database: Database, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(forget_attempts, "SLICE", size)
    now = DrivenClock().now()
    await keep(database, {"a": 90, "b": 3, "c": 31, "d": 30, "e": 40}, now)
    await OldAttempts(database, lambda: now, None).forget()
    assert len(await left(database)) == 10
    await OldAttempts(database, lambda: now, 30).forget()
    assert await left(database) == [("b", 1), ("b", 2), ("c", 2), ("d", 1), ("d", 2)]


async def test_a_process_looks_for_them_every_hour(tmp_path: Path) -> None:
    async with assembled(tmp_path, attempts_days=7) as system:
        database = system.assembly.runtime.database
        (task,) = [task for task in system.service("notify").tasks if task.name == NAME]
        await keep(database, {"fresh": 3}, system.clock.now())
        running = asyncio.ensure_future(task.run())
        # One pass is made at the start: the second message is found by another one.
        for id in ("first", "second"):
            await keep(database, {id: 400}, system.clock.now())
            async with asyncio.timeout(30):
                while await left(database) != [("fresh", 1), ("fresh", 2)]:
                    await asyncio.sleep(0.1)
                    await system.clock.advance(PERIOD_S)
        running.cancel()
