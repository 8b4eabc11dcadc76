"""Dead letters on both databases: added once, however many processes add it; listed until they are retried."""

import asyncio

from msgspec import structs
from sqlalchemy import select

from schemas.envelope import Event
from schemas.events import Actor, OperatorActed
from schemas.topics import DEAD_SUFFIX, INCIDENTS
from services.platform.bus.dead_letters import DeadLetters
from services.platform.db.engine import Database
from services.platform.db.tables import metadata, outbox
from services.platform.paging import PageQuery
from services.platform.settings.config import normal_url
from tests.fakes import DrivenClock
from tests.parts.postgres import Postgres

RETRIED = OperatorActed("2016-05-08T00:00:00Z", Actor("o1", "duty"), "dead_letter.retried", "dead-letters/1", {})
POISON = Event(INCIDENTS.name, "k", "e1", INCIDENTS.type, "/tests", "2016-05-08T00:00:00Z", b"{")


async def topics(database: Database) -> list[str]:
    statement = select(outbox.c.topic).order_by(outbox.c.seq)
    return await database.read(lambda connection: list(connection.execute(statement).scalars()))


async def test_two_processes_that_give_up_the_same_at_once_add_it_once(postgres: Postgres) -> None:
    """On PostgreSQL alone: the embedded form has one process."""
    with postgres.database() as uri:
        pair = [Database(normal_url(uri)) for _ in range(2)]
        metadata.create_all(pair[0].engine)
        await add_at_once(pair)
        for database in pair:
            await database.close()


async def add_at_once(databases: list[Database]) -> None:
    several = [DeadLetters(one, DrivenClock()) for one in databases]
    for number in range(20):
        event = Event(INCIDENTS.name, "k", f"e{number}", INCIDENTS.type, "/tests", "2016-05-08T00:00:00Z", b"{")
        await asyncio.gather(*(dead_letters.add("rules", event, "no JSON") for dead_letters in several))
    assert await several[0].count() == 20
    assert await topics(databases[0]) == ["incidents.dead"] * 20


async def test_what_dies_again_after_a_retry_is_listed_again(database: Database) -> None:
    clock = DrivenClock()
    dead_letters = DeadLetters(database, clock)
    await dead_letters.add("rules", POISON, "no JSON")
    (letter,) = await dead_letters.list(PageQuery())
    assert await dead_letters.retry(letter.id, RETRIED)
    assert await dead_letters.list(PageQuery()) == []
    await clock.advance(5)
    await dead_letters.add("rules", POISON, "still no JSON")
    (again,) = await dead_letters.list(PageQuery())
    assert (again.id, again.reason) == (letter.id, "still no JSON")
    assert again.died_at > letter.died_at
    assert await topics(database) == ["incidents.dead", "incidents", "audit"]


async def test_what_is_given_up_again_without_a_retry_stays_as_it_was(database: Database) -> None:
    clock = DrivenClock()
    dead_letters = DeadLetters(database, clock)
    await dead_letters.add("rules", POISON, "no JSON")
    before = await dead_letters.list(PageQuery())
    await clock.advance(5)
    await dead_letters.add("rules", POISON, "no JSON")
    assert await dead_letters.list(PageQuery()) == before


async def test_what_is_given_up_from_a_topic_of_dead_letters_is_kept_and_put_on_no_further_one(
    database: Database,
) -> None:
    """There is no such topic, and the relay would wait for it with everything else."""
    dead_letters = DeadLetters(database, DrivenClock())
    await dead_letters.add("ingest.dead", structs.replace(POISON, topic=INCIDENTS.name + DEAD_SUFFIX), "no JSON")
    assert await dead_letters.count() == 1
    assert await topics(database) == []
