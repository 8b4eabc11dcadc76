"""The sender's engine: a lane for each endpoint, so that a slow, dead or busy one costs the others nothing.

Owners take turns, and of each its lanes (:mod:`services.notify.shares`): endpoints of one owner cost another nothing.
A lane has a window of attempts at once that grows while it answers promptly and shrinks when it fails, and a breaker
that rests it after failures in a row. Lanes take turns. An attempt that has not been answered within a second gives
its place back to the prompt ones and stops its lane from starting more. What is beyond a lane's room stays in the
table. Revisions of one alert go out one after the other, each only after the fate of the one before is recorded.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Container, Sequence
from typing import Final, Protocol

from msgspec import Struct

from schemas.instants import SECOND
from services.notify.domain.attempt import (
    TO_CONTACT,
    Job,
    Outcome,
    fail_inside,
    give_up,
    hold,
    is_off,
    is_void,
    put_back,
    settle,
    strip,
)
from services.notify.domain.delivery import Answer, Judgement
from services.notify.domain.subscription import Email, Subscription
from services.notify.lane import SLOW_S, Lane
from services.notify.shares import Shares
from services.shared.clock import Clock
from services.shared.db.engine import SMALL
from services.shared.failures import RetryLaterError

log = logging.getLogger(__name__)

#: Messages of one lane in memory, and when it asks for more; messages of all lanes in memory.
ROOM: Final = 256
LOW: Final = 64
MOST: Final = 100_000
#: Attempts at once: prompt ones, and all together; how often it is looked at which have become slow, seconds.
PROMPT: Final = 128
IN_FLIGHT: Final = 480
WATCH_S: Final = 0.25
#: Outcomes gather for so long before they are recorded, so many at once: as many as are written without a thread.
RECORDED_AT_ONCE: Final = SMALL
RECORDING_LINGERS_S: Final = 0.02
#: When a message is looked at again that could not be made.
LATER_S: Final = 2

Find = Callable[[str], Subscription | None]
Settled = Callable[[Sequence["Noted"]], Awaitable[None]]
OnFault = Callable[[str, Exception], None]


class Courier(Protocol):
    async def attempt(self, job: Job, subscription: Subscription) -> tuple[Answer, Judgement]:
        """Make the message, send it once, and say what the answer means. Raises RetryLaterError when it could not be
        made yet."""
        ...


class Queue(Protocol):
    async def record(self, outcomes: Sequence[Outcome]) -> None: ...


class Noted(Struct, frozen=True):
    """An outcome to be recorded. ``led``: its alert's later revisions were waiting for it."""

    outcome: Outcome
    judgement: Judgement | None = None
    led: bool = False


class _Full:
    """Lanes that take no more: those named, and those of owners that hold their share."""

    def __init__(self, names: frozenset[str], takes: Callable[[str], bool]) -> None:
        self._names, self._takes = names, takes

    def __contains__(self, lane: object) -> bool:
        return lane in self._names or not self._takes(str(lane))


class Dispatcher:
    """Belongs to the event loop. ``settled`` is told what was recorded; ``on_hungry`` that a lane can take more;
    ``on_fault`` which part failed in an unforeseen way: that message has a recorded failure, and sending goes on."""

    def __init__(
        self,
        courier: Courier,
        queue: Queue,
        find: Find,
        clock: Clock,
        chance: Callable[[], float],
        settled: Settled,
        on_hungry: Callable[[], None] = lambda: None,
        *,
        places: int = PROMPT,
        on_fault: OnFault = lambda part, error: log.error("%s failed", part, exc_info=error),
    ) -> None:
        self._courier, self._store, self._find = courier, queue, find
        self._clock, self._chance, self._settled, self._on_hungry = clock, chance, settled, on_hungry
        self._on_fault = on_fault
        self._lanes: dict[str, Lane] = {}
        self._shares = Shares(places, IN_FLIGHT, MOST)
        self._full: set[str] = set()
        self._rested: set[str] = set()
        self._held: Counter[str] = Counter()
        self._owners: dict[str, str] = {}
        self._prompt: dict[object, tuple[Lane, float]] = {}
        self._watch: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._outcomes: list[Noted] = []
        self._recording: asyncio.Task[None] | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False
        self.paused = False
        self.hungry: set[str] = set()
        self.attempted = self.failed = 0

    def full(self) -> Container[str]:
        """Lanes that take no more: without room, or at rest."""
        for name in self._full:
            self._lanes[name].has_more = True
        return _Full(self.closed(), self._takes)

    def _takes(self, name: str) -> bool:
        """Whether the owner of a lane may have more messages in memory."""
        if self._halted:
            return False
        lane = self._lanes.get(name)
        return not self._shares.is_full(self._owner_of(name) if lane is None else lane.owner)

    def _owner_of(self, lane: str) -> str:
        subscription = self._find(lane.removesuffix("!"))
        return "" if subscription is None else subscription.owner

    def closed(self) -> frozenset[str]:
        """The lanes by name that take no more now."""
        now = self._clock.now()
        return frozenset((*self._full, *(name for name in self._rested if self._lanes[name].rests_until > now)))

    def room(self, name: str) -> int:
        """How many more messages of a lane may be held in memory; one that comes out of its rest is tried with one."""
        lane = self._lanes.get(name)
        if not self._takes(name):
            return 0
        if lane is None:
            return ROOM
        return max(1 - lane.size, 0) if lane.rest_s else max(ROOM - lane.size, 0)

    def offer(self, jobs: Sequence[Job]) -> None:
        """Take jobs that this process has claimed, in order."""
        for job in jobs:
            lane = self._lanes.get(job.lane)
            if lane is None:
                lane = self._lanes[job.lane] = Lane(job.lane, self._owner_of(job.lane))
            lane.queue.append(job)
            self._shares.enlist(lane)
            self._shares.hold(lane.owner, 1)
            self._owners[job.id] = lane.owner
            if lane.size >= ROOM:
                self._full.add(lane.name)
        if jobs:
            self._held.update(job.id for job in jobs)
            self._idle.clear()
            self._pump()

    @property
    def _halted(self) -> bool:
        return self._stopping or self.paused

    def pause(self, paused: bool) -> None:
        """Start no attempts, and take no messages, until it is no longer so; what is under way ends."""
        was, self.paused = self.paused, paused
        if was and not paused:
            self._pump()

    def revive(self, name: str) -> None:
        """Try a lane at rest again: its owner says that it is well."""
        lane = self._lanes.get(name)
        if lane is not None:
            lane.forgive()
            self._rested.discard(name)

    def expect_more(self, name: str) -> None:
        """The table holds more of this lane than was taken."""
        lane = self._lanes.get(name)
        if lane is not None:
            lane.has_more = True

    @property
    def size(self) -> int:
        """Messages in memory, under way or waiting."""
        return self._shares.size

    def holds(self, id: str) -> bool:
        """Whether the message is in memory, under way or waiting."""
        return id in self._held

    async def idle(self) -> None:
        """Until nothing is in memory and everything is recorded."""
        await self._idle.wait()

    async def stop(self, grace_s: float = 1.5) -> None:
        """Start nothing more, let what is under way end, record it. The rest is found in the table again."""
        self._stopping = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._recording is not None:
            await asyncio.wait([self._recording], timeout=grace_s)

    def _pump(self) -> None:
        """Start attempts, one a lane in turn, as long as there is a place."""
        while (picked := self._pick()) is not None:
            task = asyncio.create_task(self._run(*picked))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _pick(self) -> tuple[Lane, Job, object] | None:
        """Give a place to the next lane whose turn it is and that may start; the token stands for the place."""
        if self._halted or not self._shares.waiting or (found := self._shares.take(self._clock.now())) is None:
            return None
        lane, job = found
        return lane, job, self._take_place(lane)

    def _take_place(self, lane: Lane) -> object:
        loop, token = asyncio.get_running_loop(), object()
        self._prompt[token] = (lane, loop.time())
        if self._watch is None:
            self._watch = loop.call_later(WATCH_S, self._find_slow)
        return token

    def _find_slow(self) -> None:
        """Take the place back from attempts that have not been answered promptly."""
        loop = asyncio.get_running_loop()
        late = loop.time() - SLOW_S
        for token, (lane, started) in list(self._prompt.items()):
            if started > late:
                break
            del self._prompt[token]
            self._shares.turn_slow(lane)
        self._watch = loop.call_later(WATCH_S, self._find_slow) if self._prompt else None
        self._pump()

    async def _run(self, lane: Lane, job: Job, place: object) -> None:
        """Make one attempt after the other, of whichever lane's turn it is: a new task for each would cost more."""
        while True:
            try:
                noted = await self._attempt_or_fail(lane, job)
            finally:
                self._shares.end(lane, slow=self._prompt.pop(place, None) is None)
            self._note(noted)
            self._look_after(lane)
            picked = self._pick()
            if picked is None:
                return
            if self._shares.waiting:
                self._pump()
            lane, job, place = picked

    def _look_after(self, lane: Lane) -> None:
        """After an attempt: rest the lane, or refill it and put it in the row."""
        if lane.rests_until > self._clock.now():
            self._rested.add(lane.name)
            self._clear(lane)
        elif not lane.rest_s:
            self._rested.discard(lane.name)
        self._refill(lane)
        self._shares.enlist(lane)

    async def _attempt_or_fail(self, lane: Lane, job: Job) -> Noted:
        """The outcome of one attempt. Whatever is raised is a failed attempt: tried again until none is left."""
        try:
            return await self._attempt(lane, job)
        except Exception as error:  # noqa: BLE001 - recorded as this message's failure
            self._on_fault("attempt", error)
            subscription = self._find(job.subscription)
            mails = job.kind in TO_CONTACT or (
                subscription is not None and isinstance(subscription.draft.channel, Email)
            )
            self.attempted += 1
            self.failed += 1
            outcome, judgement = fail_inside(job, error, self._clock.now(), self._chance(), mails=mails)
            return Noted(outcome, judgement, led=True)

    async def _attempt(self, lane: Lane, job: Job) -> Noted:
        subscription, now = self._find(job.subscription), self._clock.now()
        if subscription is None:
            return Noted(hold(job, now, "ended"), led=True)
        if is_off(job, subscription):
            return Noted(hold(job, now, subscription.state), led=True)
        if is_void(job, subscription, now):
            return Noted(give_up(job, now, "no longer asked for, or not wanted by its reader"), led=True)
        try:
            answer, judgement = await self._courier.attempt(job, subscription)
        except RetryLaterError as error:
            # What the message is made from cannot be read now: nothing was sent.
            now = self._clock.now()
            return Noted(put_back(job, now, now + LATER_S * SECOND, str(error)), led=True)
        now = self._clock.now()
        lane.learn(judgement, answer.latency, now)
        self.attempted += 1
        self.failed += judgement.meaning != "delivered"
        return Noted(settle(job, answer, judgement, now, self._chance()), judgement, led=True)

    def _clear(self, lane: Lane) -> None:
        """The breaker opened: what waits goes back to the table until it closes."""
        now = self._clock.now()
        waiting = [*lane.queue]
        lane.queue.clear()
        for job in waiting:
            self._note(Noted(put_back(job, now, lane.rests_until, "the endpoint rests after failures in a row")))

    def _refill(self, lane: Lane) -> None:
        if lane.size < ROOM:
            self._full.discard(lane.name)
        if lane.has_more and lane.size <= LOW:
            lane.has_more = False
            self.hungry.add(lane.name)
            self._on_hungry()

    def _note(self, noted: Noted) -> None:
        self._outcomes.append(noted)
        if self._recording is None:
            self._recording = asyncio.create_task(self._record(), name="record attempts")

    async def _record(self) -> None:
        """Record outcomes in batches: what came within a moment, or while the last batch was being written."""
        try:
            while self._outcomes:
                await asyncio.sleep(RECORDING_LINGERS_S if len(self._outcomes) < RECORDED_AT_ONCE else 0)
                batch, self._outcomes = self._outcomes[:RECORDED_AT_ONCE], self._outcomes[RECORDED_AT_ONCE:]
                await self._keep(batch)
                for noted in batch:
                    self._let_go(noted.outcome.job.id)
                    self._release(noted)
                try:
                    await self._settled(batch)
                except RetryLaterError as error:
                    log.warning("what follows from attempts is read later: %s", error)
                except Exception as error:  # noqa: BLE001 - the attempts are recorded, and recording goes on
                    self._on_fault("follow attempts", error)
                self._pump()
        finally:
            self._recording = None
            if not self._shares.size:
                self._idle.set()

    def _let_go(self, id: str) -> None:
        """Counted, since a message that was put back may have been claimed again before its putting back is noted."""
        self._shares.hold(self._owners[id], -1)
        self._held[id] -= 1
        if self._held[id] <= 0:
            del self._held[id], self._owners[id]

    async def _keep(self, batch: Sequence[Noted]) -> None:
        """Record a batch; one that cannot be recorded as a whole is recorded one by one."""
        outcomes = [noted.outcome for noted in batch]
        try:
            await self._record_in_time(outcomes)
        except Exception as error:  # noqa: BLE001 - judged one by one
            log.warning("a batch of %d outcomes cannot be recorded, going one by one: %r", len(batch), error)
            for outcome in outcomes:
                await self._keep_alone(outcome)

    async def _keep_alone(self, outcome: Outcome) -> None:
        """Record one outcome; where that fails, the state alone, with the failure as its reason. A message for which
        not even that can be recorded stays claimed, and is queued again as stranded."""
        try:
            return await self._record_in_time([outcome])
        except Exception as error:  # noqa: BLE001 - recorded as this message's failure
            self._on_fault("record attempts", error)
            bare = strip(outcome, error)
        try:
            await self._record_in_time([bare])
        except Exception as error:  # noqa: BLE001 - counted and shown; the others are recorded
            self._on_fault("record attempts", error)

    async def _record_in_time(self, outcomes: Sequence[Outcome]) -> None:
        pause = 0.1
        while True:
            try:
                return await self._store.record(outcomes)
            except RetryLaterError as error:
                log.warning("attempts cannot be recorded yet: %s", error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)

    def _release(self, noted: Noted) -> None:
        """Let go of the alert: what waited behind goes on, or back to the table where this one will be tried again."""
        outcome = noted.outcome
        lane = self._lanes.get(outcome.job.lane)
        if lane is None:
            return
        alert = outcome.job.alert
        behind = lane.busy.pop(alert, []) if alert is not None and noted.led else []
        if outcome.state == "pending" and outcome.due_at is not None:
            for job in behind:
                self._note(Noted(put_back(job, outcome.at, outcome.due_at, "an earlier revision goes first")))
        else:
            lane.queue.extendleft(reversed(behind))
            self._shares.enlist(lane)
        if lane.is_idle:
            self._lanes.pop(lane.name, None)
            self._full.discard(lane.name)
            self._rested.discard(lane.name)
