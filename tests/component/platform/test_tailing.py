"""Tailing a topic: poison becomes a dead letter and is passed over, a repetition changes nothing."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.codec import decode
from schemas.envelope import Event
from schemas.events import KeyChanged
from schemas.topics import KEYS, SERVICE_STATUS
from services.platform.bus.dead_letters import DeadLetters
from services.platform.bus.embedded import EmbeddedBus
from services.platform.db.engine import Database
from services.platform.failures import RetryLaterError
from services.platform.paging import PageQuery
from services.platform.process.runtime import Runtime
from services.platform.security.keys import KeyRing, hash_secret
from services.platform.settings.config import Settings
from services.status.board import StatusBoard
from tests.fakes import DrivenClock
from tests.tables import create_tables

MADE = KeyChanged("k1", "desk", "monitor", hash_secret("s"), "2016-05-08T00:00:00Z")
REVOKED = KeyChanged("k1", "desk", "monitor", hash_secret("s"), "2016-05-08T00:00:00Z", None, "2016-05-09T00:00:00Z")


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[Runtime]:
    clock = DrivenClock()
    database = Database(f"sqlite:///{tmp_path}/a.db")
    create_tables(database.engine)
    settings = Settings(database_url="", public_url="")
    yield Runtime(settings, clock, database, EmbeddedBus(database), KeyRing(clock), DeadLetters(database, clock))
    await database.close()


def event(number: int, data: bytes) -> Event:
    return Event(KEYS.name, f"k{number}", f"e{number}", KEYS.type, "/tests", "2016-05-08T00:00:00Z", data)


async def test_what_cannot_be_read_is_a_dead_letter_and_what_follows_it_is_handed_on(runtime: Runtime) -> None:
    seen: list[str] = []
    arrived = asyncio.Event()

    async def on_event(event: Event) -> None:
        if event.id == "e3":
            raise ZeroDivisionError("of our own making")
        decode(event)
        seen.append(event.id)
        arrived.set()

    good = b'{"id":"k","name":"n","role":"monitor","hash":"h","created_at":"2016-05-08T00:00:00Z"}'
    await runtime.bus.publish([event(1, b"{"), event(2, good)])
    stop = await runtime.tail(KEYS, "keys", on_event)
    assert seen == ["e2"]
    arrived.clear()
    await runtime.bus.publish([event(3, good), event(4, good)])
    async with asyncio.timeout(60):
        await arrived.wait()
    await stop()
    assert seen == ["e2", "e4"]
    letters = {letter.event_id: letter for letter in await runtime.dead_letters.list(PageQuery())}
    assert letters.keys() == {"e1", "e3"}
    assert {letter.consumer for letter in letters.values()} == {"keys"}
    assert "ZeroDivisionError: of our own making" in letters["e3"].reason


async def test_when_the_database_is_away_nothing_is_a_dead_letter(runtime: Runtime) -> None:
    async def on_event(_event: Event) -> None:
        raise RetryLaterError("the database is away")

    await runtime.bus.publish([event(1, b"{}")])
    with pytest.raises(RetryLaterError):
        await runtime.tail(KEYS, "keys", on_event)
    assert await runtime.dead_letters.count() == 0


def test_a_revoked_key_stays_revoked_when_the_log_repeats_that_it_was_made() -> None:
    ring = KeyRing(DrivenClock())
    for change in (MADE, REVOKED, MADE):
        ring.apply(change)
    assert ring.find("s") is None
    assert len(ring) == 0


@pytest.mark.parametrize("data", [b"{", b'{"service":"rules","instance":"a","at":"noon","state":"ok"}'])
async def test_what_is_no_report_of_status_is_passed_over(runtime: Runtime, data: bytes) -> None:
    board = StatusBoard(runtime.bus, runtime.clock, "me")
    poison = Event(SERVICE_STATUS.name, "k", "e", SERVICE_STATUS.type, "/t", "2016-05-08T00:00:00Z", data)
    await board.receive(poison)
    assert board.parts() == {}
