"""Work that falls due: messages, groups, the messages of processes that died. One pass is :meth:`Sweeper.sweep`.

:mod:`services.notify.sending.scheduler` says when; the tables say what. A pass that is missed or made
twice changes nothing.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

from services.notify.kinds.kind import Job
from services.notify.sending.dispatch import Dispatcher
from services.platform.faults import Faults

log = logging.getLogger(__name__)

#: Lanes that one claim takes from, so that no other write waits long.
LANES_AT_ONCE: Final = 100

Tick = Callable[[int], Awaitable[object]]


class ClaimStore(Protocol):
    async def due_lanes(self, now: int, without: frozenset[str], limit: int) -> Sequence[str]: ...

    async def claim(self, rooms: Mapping[str, int], now: int) -> Sequence[Job]: ...

    async def adopt(self, now: int, *, alone: bool) -> int: ...


class OwnClaims(Protocol):
    async def claimed(self, more_than: int) -> Sequence[str]: ...

    async def release(self, ids: Sequence[str], now: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Sweeper:
    """``flushes`` by name make the messages that gather alerts or prove quiet; they run before what is due is claimed.
    ``catch_up`` brings what this process knows of subscriptions up to what others made of them. Each step fails alone:
    ``faults`` has it under ``notify.`` and its name."""

    claims: ClaimStore
    dispatcher: Dispatcher
    catch_up: Callable[[], Awaitable[object]]
    flushes: Mapping[str, Tick] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)

    async def sweep(self, now: int) -> int:
        """Everything that is due at ``now``; returns how many messages were handed to the sender."""
        await self.faults.guard("notify.read_subscriptions", self.catch_up)
        for name, flush in self.flushes.items():
            await self.faults.guard(f"notify.{name}", partial(flush, now))
        claimed = 0

        async def claim() -> None:
            nonlocal claimed
            claimed = await self.claim_due(now)

        await self.faults.guard("notify.claim_due", claim)
        return claimed

    async def claim_due(self, now: int) -> int:
        """Claim what is due, lane by lane, as far as there is room."""
        if self.dispatcher.paused:
            return 0
        total, seen = 0, set[str]()
        while True:
            without = frozenset(seen) | self.dispatcher.closed()
            lanes = await self.claims.due_lanes(now, without, LANES_AT_ONCE)
            taken = await self.claim_from(lanes, now)
            seen.update(lanes)
            total += taken
            if len(lanes) < LANES_AT_ONCE:
                return total

    async def claim_from(self, lanes: Sequence[str], now: int) -> int:
        """Claim what is due in these lanes."""
        rooms = {lane: room for lane in lanes if (room := self.dispatcher.room(lane)) > 0}
        if not rooms:
            return 0
        jobs = await self.claims.claim(rooms, now)
        if jobs:
            # Another process may have queued them, for a subscription that was made or moved a moment ago.
            await self.catch_up()
        self.dispatcher.offer(jobs)
        counts: dict[str, int] = {}
        for job in jobs:
            counts[job.lane] = counts.get(job.lane, 0) + 1
        for lane, count in counts.items():
            if count >= rooms[lane]:
                self.dispatcher.expect_more(lane)
        return len(jobs)

    async def feed_hungry(self, now: int) -> None:
        """Refill the lanes that ran low, at once, so that a long queue flows without waiting for the next pass."""
        while self.dispatcher.hungry:
            lanes = [self.dispatcher.hungry.pop() for _ in range(min(len(self.dispatcher.hungry), LANES_AT_ONCE))]
            try:
                await self.claim_from(lanes, now)
            except BaseException:
                self.dispatcher.hungry.update(lanes)
                raise


@dataclass(slots=True)
class StrandedClaims:
    """Messages that this process claimed and does not have: the claim was committed, and the answer to it was lost
    with the connection. They are let go once they were missing in two looks, so that none is on its way into memory."""

    claims: OwnClaims
    dispatcher: Dispatcher
    _missing: frozenset[str] = frozenset()

    async def release(self, now: int) -> None:
        claimed = await self.claims.claimed(more_than=self.dispatcher.size)
        missing = frozenset(id for id in claimed if not self.dispatcher.holds(id))
        stranded = missing & self._missing
        if stranded:
            log.warning("%d messages were claimed and never came into memory: they are queued again", len(stranded))
            await self.claims.release(sorted(stranded), now)
        self._missing = missing - stranded


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """The steps of every few seconds that keep a process known as alive, and tidy up. Each fails alone: ``faults`` has
    it under ``notify.`` and its name."""

    steps: Mapping[str, Tick]
    faults: Faults

    async def tick(self, now: int) -> None:
        for name, step in self.steps.items():
            await self.faults.guard(f"notify.{name}", partial(step, now))
