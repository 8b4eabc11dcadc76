"""Faults raised at every await of every loop that the services share: it goes on, its work is done, the fault is shown.

:class:`Injector` wraps what a loop awaits. Each run raises at one await, the first, the second, and so on until a run
does its work with none left to raise at.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, product

import pytest

from schemas.envelope import Event
from schemas.instants import HOUR, MINUTE
from services.platform.bus.consume import MAX_TRIES, Loop
from services.platform.bus.port import Received
from services.platform.bus.relay import OutboxRelay
from services.platform.bus.tail import tail
from services.platform.failures import NeverRetryError, RetryLaterError
from services.platform.faults import SHOWN_FOR, Faults, supervise
from tests.fakes import DrivenClock, InjectedError, Injector

NAME = "test.loop"


def received(number: int) -> Received:
    return Received(Event("t", f"k{number}", f"e{number}", "t", "/t", "2016-05-08T00:00:00Z", b"{}"), 0, number)


@dataclass
class Counted:
    """Faults as a process has them, with the counts of its metric."""

    clock: DrivenClock = field(default_factory=DrivenClock)
    counts: dict[str, int] = field(default_factory=dict)
    faults: Faults = field(init=False)

    def __post_init__(self) -> None:
        self.faults = Faults(self.clock.now, self._count)

    def _count(self, loop: str) -> None:
        self.counts[loop] = self.counts.get(loop, 0) + 1


@dataclass
class Log:
    """A log of three events in two batches; what was fetched is handed out once, as both adapters do."""

    batches: list[list[Received]] = field(default_factory=lambda: [[received(1), received(2)], [received(3)]])
    committed: int = 0

    async def fetch(self, limit: int, wait_s: float) -> Sequence[Received]:
        await asyncio.sleep(0)
        return self.batches.pop(0) if self.batches else []

    async def commit(self, batch: Sequence[Received]) -> None:
        self.committed = batch[-1].position

    async def lag(self) -> int:
        return 0

    async def close(self) -> None:
        return None


@dataclass
class Work:
    """Takes everything but the event called ``poison``, which it can never take."""

    poison: str = ""
    done: set[str] = field(default_factory=set)
    given_up: dict[str, str] = field(default_factory=dict)

    async def handle(self, events: Sequence[Event]) -> None:
        if any(event.id == self.poison for event in events):
            raise NeverRetryError("poison")
        self.done |= {event.id for event in events}

    async def give_up(self, event: Event, reason: str) -> None:
        self.given_up[event.id] = reason


async def drive(clock: DrivenClock, run: Awaitable[None], done: Callable[[], bool]) -> None:
    """Run a loop, moving its clock on, until its work is done; then end it. It must not have ended by itself."""
    task = asyncio.ensure_future(run)
    for _ in range(200):
        if done():
            break
        await clock.advance(1)
    assert done(), "the work was not done"
    assert not task.done(), "the loop ended"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def every_await(scenario: Callable[[Injector, Counted], Awaitable[None]], *names: str) -> int:
    """Run ``scenario`` with a fault at the first await, the second, and so on; returns how many there are. After each
    the fault is counted and shown under one of ``names``. A fault is an error, or a cancellation of what is awaited."""
    total = 0
    for after, error in product((False, True), (InjectedError, asyncio.CancelledError)):
        number = 0
        while True:
            number += 1
            # A fetch that raises has handed nothing out: that is the port's promise.
            injector = Injector(number, after, "fetch" if after else "", error)
            counted = Counted()
            await scenario(injector, counted)
            if not injector.raised:
                break
            assert sum(counted.counts.values()) >= 1, f"the fault at await {number} ({injector.raised}) was not counted"
            assert set(counted.counts) <= set(names)
            assert counted.faults.shown().keys() == counted.counts.keys()
            assert number < 200
        total += number - 1
    return total


@pytest.mark.parametrize("poison", ["", "e2"])
async def test_a_consuming_loop_goes_on_whatever_its_awaits_raise(poison: str) -> None:
    async def scenario(injector: Injector, counted: Counted) -> None:
        log, work = Log(), Work(poison)
        loop = Loop(
            NAME, injector.wrap(log), injector.call(work.handle), injector.call(work.give_up),
            sleep=injector.call(counted.clock.sleep), faults=counted.faults,
        )  # fmt: skip
        run = supervise(NAME, loop.run, counted.faults, counted.clock.sleep)
        await drive(counted.clock, run, lambda: log.committed == 3)
        assert work.done | work.given_up.keys() == {"e1", "e2", "e3"}
        assert work.given_up.keys() <= {poison}
        loop.stopping = True

    assert await every_await(scenario, NAME) >= 9


async def test_an_event_that_always_raises_is_a_dead_letter_and_the_others_are_handled() -> None:
    counted, log, work = Counted(), Log(), Work()

    async def handle(events: Sequence[Event]) -> None:
        if any(event.id == "e2" for event in events):
            raise RecursionError("secret")
        await work.handle(events)

    loop = Loop(NAME, log, handle, work.give_up, sleep=counted.clock.sleep, faults=counted.faults)
    await drive(counted.clock, loop.run(), lambda: log.committed == 3)
    assert work.done == {"e1", "e3"}
    assert work.given_up.keys() == {"e2"}
    assert counted.counts == {NAME: 1 + MAX_TRIES}
    assert counted.faults.shown() == {NAME: "RecursionError"}


async def test_a_reason_that_cannot_be_kept_is_left_out_of_the_dead_letter() -> None:
    counted, log, work = Counted(), Log(), Work("e2")

    async def give_up(event: Event, reason: str) -> None:
        if reason == "poison":
            raise ValueError("a NUL in a text")
        await work.give_up(event, reason)

    loop = Loop(NAME, log, work.handle, give_up, sleep=counted.clock.sleep, faults=counted.faults)
    await drive(counted.clock, loop.run(), lambda: log.committed == 3)
    assert work.given_up == {"e2": "an internal error; the reason could not be kept (ValueError)"}


async def test_a_follower_goes_on_whatever_its_awaits_raise() -> None:
    async def scenario(injector: Injector, counted: Counted) -> None:
        seen: set[str] = set()

        async def on_event(event: Event) -> None:
            seen.add(event.id)

        async def run() -> None:
            await tail(
                injector.wrap(log), injector.call(on_event), injector.call(counted.clock.sleep), 0, NAME, counted.faults
            )

        log = Log()
        await drive(
            counted.clock,
            supervise(NAME, run, counted.faults, counted.clock.sleep),
            lambda: seen == {"e1", "e2", "e3"} and not log.batches,
        )

    assert await every_await(scenario, NAME) >= 5


async def test_an_event_that_a_follower_can_never_take_is_passed_over() -> None:
    counted, seen = Counted(), set[str]()

    async def on_event(event: Event) -> None:
        if event.id == "e2":
            raise OverflowError("secret")
        seen.add(event.id)

    run = tail(Log(), on_event, counted.clock.sleep, 0, NAME, counted.faults)
    await drive(counted.clock, run, lambda: seen == {"e1", "e3"})
    assert counted.counts == {NAME: 3}


@dataclass
class Outbox:
    """Two events that wait to be published; blocking, as the real one is."""

    rows: dict[int, Event] = field(default_factory=lambda: {n: received(n).event for n in (1, 2)})

    def lead(self) -> bool:
        return True

    def delete_and_fetch(self, done: Sequence[int], limit: int, wait_s: float) -> list[tuple[int, Event]]:
        for number in done:
            self.rows.pop(number, None)
        return sorted(self.rows.items())[:limit]

    def hang_up(self) -> None:
        return None

    def close(self) -> None:
        return None


async def relayed(outbox: Outbox, relay: OutboxRelay, counted: Counted, injector: Injector) -> None:
    """Run the relay until the outbox is empty and what was raised is counted."""
    task = asyncio.create_task(relay.run())
    async with asyncio.timeout(60):
        while (outbox.rows or (injector.raised and not counted.counts)) and not task.done():
            await counted.clock.advance(1)
            await asyncio.sleep(0.001)  # the outbox is asked on a thread
            if not outbox.rows:
                injector.disarm()
    assert not task.done(), "the relay ended"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_relay_goes_on_whatever_its_awaits_and_its_outbox_raise() -> None:
    async def scenario(injector: Injector, counted: Counted) -> None:
        outbox, published, work = Outbox(), set[str](), Work()

        async def publish(events: Sequence[Event]) -> None:
            published.update(event.id for event in events)

        relay = OutboxRelay(
            injector.wrap_blocking(outbox), injector.wrap(PublisherFake(publish)), injector.call(work.give_up),
            injector.call(counted.clock.sleep), faults=counted.faults,
        )  # fmt: skip
        await relayed(outbox, relay, counted, injector)
        assert published == {"e1", "e2"}

    assert await every_await(scenario, "bus.relay") >= 3


@dataclass
class PublisherFake:
    _publish: Callable[[Sequence[Event]], Awaitable[None]]

    async def publish(self, events: Sequence[Event]) -> None:
        await self._publish(events)


async def test_an_event_that_the_log_can_never_take_for_an_unforeseen_reason_is_a_dead_letter() -> None:
    counted, outbox, work, published = Counted(), Outbox(), Work(), set[str]()

    async def publish(events: Sequence[Event]) -> None:
        if any(event.id == "e1" for event in events):
            raise UnicodeError("secret")
        published.update(event.id for event in events)

    relay = OutboxRelay(outbox, PublisherFake(publish), work.give_up, counted.clock.sleep, faults=counted.faults)
    await relayed(outbox, relay, counted, Injector(0))
    assert (published, work.given_up) == ({"e2"}, {"e1": "an internal error (UnicodeError)"})


async def test_a_loop_that_raises_is_started_again_after_growing_pauses() -> None:
    counted, starts = Counted(), []

    async def run() -> None:
        starts.append(counted.clock.now())
        if len(starts) < 5:
            raise RuntimeError("secret")
        await asyncio.Event().wait()

    await drive(counted.clock, supervise(NAME, run, counted.faults, counted.clock.sleep), lambda: len(starts) == 5)
    pauses = [later - earlier for earlier, later in pairwise(starts)]
    assert pauses == [100_000, 200_000, 400_000, 800_000]


async def test_a_failure_is_shown_for_five_minutes_and_what_waits_for_the_world_is_none() -> None:
    counted = Counted()

    async def fail() -> None:
        raise KeyError("secret")

    async def wait() -> None:
        raise RetryLaterError("the database is away")

    assert not await counted.faults.guard("notify.sweep", fail)
    assert not await counted.faults.guard("notify.stay", wait)
    assert counted.faults.shown() == {"notify.sweep": "KeyError"}
    assert counted.counts == {"notify.sweep": 1}
    await counted.clock.advance((SHOWN_FOR - MINUTE) / 1_000_000)
    assert counted.faults.shown() == {"notify.sweep": "KeyError"}
    await counted.clock.advance(HOUR / 1_000_000)
    assert counted.faults.shown() == {}
