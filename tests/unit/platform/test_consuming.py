"""The consuming loop: offsets move last, and they do move."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from schemas.envelope import Event
from services.platform.bus.consume import Loop
from services.platform.bus.port import Received
from services.platform.failures import RetryLaterError


def received(number: int) -> Received:
    return Received(Event("t", "k", f"e{number}", "t", "/t", "2016-05-08T00:00:00Z", b"{}"), 0, number)


@dataclass
class Log:
    """A consumer that is handed these batches; while it is away nothing can be committed."""

    batches: list[list[Received]]
    away: bool = False
    committed: list[int] = field(default_factory=list)

    async def fetch(self, limit: int, wait_s: float) -> Sequence[Received]:
        if not self.batches:
            await asyncio.sleep(0)
            return []
        return self.batches.pop(0)

    async def commit(self, batch: Sequence[Received]) -> None:
        if self.away:
            raise RetryLaterError("the log is away")
        self.committed.append(batch[-1].position)

    async def lag(self) -> int:
        return 0

    async def close(self) -> None:
        return None


@dataclass
class Work:
    done: list[str] = field(default_factory=list)

    async def handle(self, events: Sequence[Event]) -> None:
        self.done += [event.id for event in events]

    async def give_up(self, _event: Event, _reason: str) -> None:
        raise AssertionError("nothing here is poison")


async def test_what_could_not_be_committed_is_committed_when_the_log_is_back_though_nothing_more_comes() -> None:
    log, work = Log([[received(1), received(2)]], away=True), Work()
    loop = Loop("test", log, work.handle, work.give_up)
    with pytest.raises(RetryLaterError):
        await loop.step(0)
    assert (work.done, log.committed) == (["e1", "e2"], [])
    log.away = False
    assert await loop.step(0) == 0
    assert (work.done, log.committed) == (["e1", "e2"], [2])
    await loop.step(0)
    assert log.committed == [2]


async def test_a_long_backlog_leaves_others_their_turn_after_each_batch() -> None:
    log, work = Log([[received(number)] for number in range(5)]), Work()
    loop = Loop("test", log, work.handle, work.give_up, limit=1)
    seen: list[int] = []

    async def other() -> None:
        while len(work.done) < 5:
            seen.append(len(work.done))
            await asyncio.sleep(0)

    running = asyncio.create_task(loop.run())
    await other()
    running.cancel()
    assert seen == [0, 1, 2, 3, 4]


async def test_while_the_log_cannot_commit_nothing_more_is_fetched() -> None:
    log, work = Log([[received(1)], [received(2)]], away=True), Work()
    loop = Loop("test", log, work.handle, work.give_up)
    for _ in range(3):
        with pytest.raises(RetryLaterError):
            await loop.step(0)
    assert work.done == ["e1"]
    log.away = False
    assert await loop.step(0) == 1
    assert log.committed == [1, 2]
