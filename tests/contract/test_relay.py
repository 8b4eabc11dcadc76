"""The way from the outbox to the log: a real PostgreSQL, a log that a test can take away."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from sqlalchemy import text

from schemas.envelope import Event
from services.platform.bus import relay as relaying
from services.platform.bus.relay import OutboxRelay
from services.platform.db import outbox
from services.platform.db.engine import Database
from services.platform.db.notices import tell_relay
from services.platform.db.postgres_outbox import PostgresOutbox
from services.platform.failures import NeverRetryError, RetryLaterError
from services.platform.settings.config import normal_url
from tests.parts.postgres import Postgres
from tests.tables import create_tables


def event(number: int, topic: str = "incidents") -> Event:
    return Event(topic, "k", f"e{number}", "t", "/s", "2016-05-08T00:00:00Z", b"\x00{}", "00-a-b-01")


@dataclass
class Log:
    """A log that takes what it is given, unless it is away or a single event is too large for it."""

    events: list[Event] = field(default_factory=list)
    away: bool = False
    too_large: frozenset[str] = frozenset()
    most_at_once: int = 10_000

    async def publish(self, events: Sequence[Event]) -> None:
        if self.away:
            raise RetryLaterError("the log is away")
        if len(events) > self.most_at_once:
            raise RetryLaterError("not in time")
        if any(e.id in self.too_large for e in events):
            raise NeverRetryError("too large")
        self.events += events

    @property
    def ids(self) -> list[str]:
        return [e.id for e in self.events]


@dataclass
class DeadLettersFake:
    letters: list[tuple[str, str]] = field(default_factory=list)

    async def give_up(self, event: Event, reason: str) -> None:
        self.letters.append((event.id, reason))


@pytest.fixture
def url(postgres: Postgres) -> Iterator[str]:
    with postgres.database() as uri:
        yield normal_url(uri)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    opened = Database(url)
    create_tables(opened.engine)
    yield opened
    await opened.close()


async def put(database: Database, *events: Event) -> None:
    await database.write(lambda connection: outbox.append(connection, list(events)))


async def left(database: Database) -> int:
    return await database.read(lambda connection: connection.execute(outbox.COUNT).scalar_one())


@asynccontextmanager
async def running(*relays: OutboxRelay) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(relay.run()) for relay in relays]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def relay(url: str, log: Log, dead_letters: DeadLettersFake | None = None) -> OutboxRelay:
    return OutboxRelay(PostgresOutbox(url), log, (dead_letters or DeadLettersFake()).give_up)


async def until(condition: Callable[[], bool], within_s: float = 10) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - a database offers no event to wait for
            await asyncio.sleep(0.01)


async def test_what_commits_is_published_in_order_and_leaves_the_outbox(url: str, database: Database) -> None:
    log = Log()
    await put(database, *(event(n) for n in range(3)))
    async with running(relay(url, log)):
        await until(lambda: len(log.events) == 3)
        await put(database, event(3), event(4))
        await until(lambda: len(log.events) == 5)
        assert log.events == [event(n) for n in range(5)]
        await put(database, event(5))
        await until(lambda: len(log.events) == 6)
    assert log.ids == [f"e{n}" for n in range(6)]


async def test_a_commit_wakes_the_relay_at_once(url: str, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relaying, "IDLE_S", 3600)
    log = Log()
    async with running(relay(url, log)):
        for number in range(20):
            await put(database, event(number))
            # Not by its timer: that is an hour away.
            await until(lambda number=number: len(log.events) == number + 1, 60)  # type: ignore[misc]


async def test_a_notice_that_fails_is_left_out(database: Database) -> None:
    with database.engine.connect() as connection:
        connection.execute(text("SELECT pg_backend_pid()"))
        connection.connection.driver_connection.close()  # type: ignore[union-attr]
        tell_relay(connection)
        connection.invalidate()


async def test_of_two_relays_one_works_and_the_other_takes_over(url: str, database: Database) -> None:
    log = Log()
    first, second = relay(url, log), relay(url, log)
    async with running(second):
        async with running(first):
            await until(lambda: first.leading or second.leading)
            await put(database, *(event(n) for n in range(100)))
            await until(lambda: len(log.events) >= 100)
            assert not (first.leading and second.leading)
            # The next one publishes again all that is published but not yet deleted.
            async with asyncio.timeout(10):
                while await left(database):  # noqa: ASYNC110 - a database offers no event to wait for
                    await asyncio.sleep(0.01)
        await put(database, event(100))
        await until(lambda: "e100" in log.ids)
    assert log.ids == [f"e{n}" for n in range(101)]


async def test_notices_do_not_pile_up_in_who_leads_nor_in_who_waits_to_lead(url: str, database: Database) -> None:
    leading, waiting = PostgresOutbox(url), PostgresOutbox(url)
    assert await asyncio.to_thread(leading.lead)
    for number in range(50):
        await put(database, event(number))
        assert not await asyncio.to_thread(waiting.lead)
        # It always finds something, so it never has to wait for a notice.
        assert await asyncio.to_thread(leading.delete_and_fetch, [], 10, 0)
    for candidate in (leading, waiting):
        assert candidate._connection is not None
        assert len(candidate._connection._notifies_backlog or ()) <= 1
        candidate.close()


async def test_a_relay_that_stands_still_loses_its_right_to_the_next(url: str, database: Database) -> None:
    """As a process does that is stopped: alive, connected, and silent."""
    frozen = PostgresOutbox(url, silence_s=1)
    assert await asyncio.to_thread(frozen.lead)
    log = Log()
    await put(database, event(0))
    async with running(relay(url, log)):
        await until(lambda: log.ids == ["e0"])
    with pytest.raises(RetryLaterError):
        await asyncio.to_thread(frozen.delete_and_fetch, [], 1, 0)
    frozen.close()


async def test_while_the_log_is_away_nothing_is_lost(url: str, database: Database) -> None:
    log = Log(away=True)
    candidate = relay(url, log)
    async with running(candidate):
        await put(database, event(0))
        await until(lambda: candidate.failing is not None)
        assert await left(database) == 1
        log.away = False
        await until(lambda: log.ids == ["e0"])
        await until(lambda: candidate.failing is None)


async def test_a_batch_that_takes_too_long_is_made_smaller_and_order_holds(url: str, database: Database) -> None:
    log = Log(most_at_once=7)
    await put(database, *(event(n) for n in range(100)))
    async with running(relay(url, log)):
        await until(lambda: len(log.events) == 100, 60)
    assert log.ids == [f"e{n}" for n in range(100)]


async def test_when_the_database_comes_back_the_relay_goes_on(url: str, database: Database, postgres: Postgres) -> None:
    log = Log()
    candidate = relay(url, log)
    async with running(candidate):
        await put(database, event(0))
        await until(lambda: log.ids == ["e0"])
        postgres.kill()
        await until(lambda: candidate.failing is not None)
        await asyncio.to_thread(postgres.start)
        await put_stubbornly(database, event(1))
        await until(lambda: log.ids[-1] == "e1")


async def put_stubbornly(database: Database, *events: Event) -> None:
    while True:
        try:
            return await put(database, *events)
        except RetryLaterError:
            await asyncio.sleep(0.05)


async def test_an_event_that_the_log_can_never_take_is_a_dead_letter_and_the_others_go_on(
    url: str, database: Database
) -> None:
    log, dead_letters = Log(too_large=frozenset({"e1", "e2"})), DeadLettersFake()
    await put(database, event(0), event(1), event(2, "incidents.dead"), event(3))
    async with running(relay(url, log, dead_letters)):
        await until(lambda: log.ids == ["e0", "e3"])
    assert dead_letters.letters == [("e1", "too large")]
