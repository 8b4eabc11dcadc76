"""Dead letters on both databases: buried once, whoever buries; listed until they are retried."""

import asyncio

from sqlalchemy import select

from schemas.envelope import Event
from schemas.topics import INCIDENTS
from services.shared.bus.dead import Graveyard
from services.shared.config import normal_url
from services.shared.db.engine import Database
from services.shared.db.tables import metadata, outbox
from tests.fakes import DrivenClock
from tests.parts.postgres import Postgres

POISON = Event(INCIDENTS.name, "k", "e1", INCIDENTS.type, "/tests", "2016-05-08T00:00:00Z", b"{")


async def topics(database: Database) -> list[str]:
    statement = select(outbox.c.topic).order_by(outbox.c.seq)
    return await database.read(lambda connection: list(connection.execute(statement).scalars()))


async def test_two_processes_that_bury_the_same_at_once_bury_it_once(postgres: Postgres) -> None:
    """On PostgreSQL alone: the embedded form has one process."""
    with postgres.database() as uri:
        pair = [Database(normal_url(uri)) for _ in range(2)]
        metadata.create_all(pair[0].engine)
        await bury_at_once(pair)
        for database in pair:
            await database.close()


async def bury_at_once(databases: list[Database]) -> None:
    yards = [Graveyard(one, DrivenClock()) for one in databases]
    for number in range(20):
        event = Event(INCIDENTS.name, "k", f"e{number}", INCIDENTS.type, "/tests", "2016-05-08T00:00:00Z", b"{")
        await asyncio.gather(*(yard.bury("rules", event, "no JSON") for yard in yards))
    assert await yards[0].count() == 20
    assert await topics(databases[0]) == ["incidents.dead"] * 20


async def test_what_dies_again_after_a_retry_is_listed_again(database: Database) -> None:
    clock = DrivenClock()
    yard = Graveyard(database, clock)
    await yard.bury("rules", POISON, "no JSON")
    (letter,) = await yard.list(None, 10)
    assert await yard.retry(letter.id, lambda _: None)
    assert await yard.list(None, 10) == []
    await clock.advance(5)
    await yard.bury("rules", POISON, "still no JSON")
    (again,) = await yard.list(None, 10)
    assert (again.id, again.reason) == (letter.id, "still no JSON")
    assert again.died_at > letter.died_at
    assert await topics(database) == ["incidents.dead", "incidents"]


async def test_what_is_buried_again_without_a_retry_stays_as_it_was(database: Database) -> None:
    clock = DrivenClock()
    yard = Graveyard(database, clock)
    await yard.bury("rules", POISON, "no JSON")
    before = await yard.list(None, 10)
    await clock.advance(5)
    await yard.bury("rules", POISON, "no JSON")
    assert await yard.list(None, 10) == before
