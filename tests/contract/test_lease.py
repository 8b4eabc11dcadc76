"""Leases, on both databases."""

import asyncio

from services.platform.db.engine import Database
from services.platform.db.lease import drop_lease, holder_of, take_lease


async def test_of_two_that_ask_one_is_told_yes(database: Database) -> None:
    taken = await asyncio.gather(
        *(database.write(lambda c, who=who: take_lease(c, "sweep", who, 100, 200)) for who in ("a", "b"))  # type: ignore[misc]
    )
    assert sorted(taken) == [False, True]


async def test_a_lease_is_renewed_by_its_holder_and_passes_on_at_its_end(database: Database) -> None:
    assert await database.write(lambda c: take_lease(c, "sweep", "a", 100, 200))
    assert await database.write(lambda c: take_lease(c, "sweep", "a", 150, 250))
    assert not await database.write(lambda c: take_lease(c, "sweep", "b", 249, 350))
    assert await database.write(lambda c: take_lease(c, "sweep", "b", 250, 350))
    assert await database.read(lambda c: holder_of(c, "sweep", 300)) == "b"


async def test_a_lease_let_go_is_free_at_once(database: Database) -> None:
    assert await database.write(lambda c: take_lease(c, "sweep", "a", 100, 200))
    await database.write(lambda c: drop_lease(c, "sweep", "b"))
    assert await database.read(lambda c: holder_of(c, "sweep", 150)) == "a"
    await database.write(lambda c: drop_lease(c, "sweep", "a"))
    assert await database.write(lambda c: take_lease(c, "sweep", "b", 150, 300))
