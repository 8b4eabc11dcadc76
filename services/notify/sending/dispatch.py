"""The sender's engine: a lane for each endpoint, so that a slow, dead or busy one costs the others nothing.

Owners take turns, and of each its lanes (:mod:`services.notify.sending.fair_queue`), so that one owner's endpoints cost
another owner nothing.
A lane has a window of attempts at once that grows while it answers promptly and shrinks when it fails, and a breaker
that rests it after failures in a row. Lanes take turns. An attempt that has not been answered within a second gives
its place back to the prompt ones and stops its lane from starting more. What is beyond a lane's room stays in the
table. Revisions of one alert go out one after the other, each only after the fate of the one before is recorded.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, Protocol

from schemas.instants import SECOND
from services.notify.decisions.attempts import fail_inside, give_up, hold, is_off, put_back, settle
from services.notify.domain.delivery import AttemptAnswer, Judgement
from services.notify.domain.subscription import Subscription
from services.notify.kinds.kind import Job
from services.notify.sending.fair_queue import FairQueue
from services.notify.sending.lane import SLOW_S, Lane
from services.notify.sending.recorder import AttemptResult, OnFault, OutcomeRecorder, OutcomeStore
from services.platform.clock import Clock
from services.platform.failures import RetryLaterError
from services.platform.faults import UNFORESEEN, raise_if_meant

log = logging.getLogger(__name__)

#: Messages of one lane in memory, and when it asks for more; messages of all lanes in memory.
ROOM: Final = 256
LOW: Final = 64
MOST: Final = 100_000
#: Attempts at once: prompt ones, and all together; how often it is looked at which have become slow, seconds.
PROMPT: Final = 128
IN_FLIGHT: Final = 480
WATCH_S: Final = 0.25
#: When a message is looked at again that could not be made.
LATER_S: Final = 2

Find = Callable[[str], Subscription | None]
Observe = Callable[[Sequence[AttemptResult]], Awaitable[None]]


class Deliverer(Protocol):
    async def attempt(self, job: Job, subscription: Subscription) -> tuple[AttemptAnswer, Judgement]:
        """Make the message, send it once, and say what the answer means. Raises RetryLaterError when it could not be
        made yet."""
        ...


class Dispatcher:
    """Belongs to the event loop. ``observe`` is told what was recorded; ``on_hungry`` that a lane can take more;
    ``on_fault`` which part failed in an unforeseen way: that message has a recorded failure, and sending goes on."""

    def __init__(
        self,
        courier: Deliverer,
        store: OutcomeStore,
        find: Find,
        clock: Clock,
        chance: Callable[[], float],
        observe: Observe,
        on_hungry: Callable[[], None] = lambda: None,
        *,
        places: int = PROMPT,
        on_fault: OnFault = lambda part, error: log.error("%s failed", part, exc_info=error),
    ) -> None:
        self._courier, self._find = courier, find
        self._clock, self._chance, self._observe, self._on_hungry = clock, chance, observe, on_hungry
        self._on_fault = on_fault
        self._lanes: dict[str, Lane] = {}
        self._queue = FairQueue(places, IN_FLIGHT, MOST)
        self._full: set[str] = set()
        self._rested: set[str] = set()
        self._held: Counter[str] = Counter()
        self._owners: dict[str, str] = {}
        self._prompt: dict[object, tuple[Lane, float]] = {}
        self._watch: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._recorder = OutcomeRecorder(store, self._follow, self._rest, on_fault)
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False
        self.paused = False
        self.hungry: set[str] = set()
        self.attempted = self.failed = 0

    def full(self, lanes: Iterable[str]) -> frozenset[str]:
        """Those of the lanes that take no more: without room, or at rest."""
        for name in self._full:
            self._lanes[name].has_more = True
        closed = self.closed()
        return frozenset(name for name in lanes if name in closed or not self._takes(name))

    def _takes(self, name: str) -> bool:
        """Whether the owner of a lane may have more messages in memory."""
        if self._halted:
            return False
        lane = self._lanes.get(name)
        return not self._queue.is_full(self._owner_of(name) if lane is None else lane.owner)

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
            self._queue.enlist(lane)
            self._queue.hold(lane.owner, 1)
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
        return self._queue.size

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
        await self._recorder.finish(grace_s)

    def _pump(self) -> None:
        """Start attempts, one a lane in turn, as long as there is a place."""
        while (picked := self._pick()) is not None:
            task = asyncio.create_task(self._run(*picked))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _pick(self) -> tuple[Lane, Job, object] | None:
        """Give a place to the next lane whose turn it is and that may start; the token stands for the place."""
        if self._halted or not self._queue.waiting or (found := self._queue.take(self._clock.now())) is None:
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
            self._queue.turn_slow(lane)
        self._watch = loop.call_later(WATCH_S, self._find_slow) if self._prompt else None
        self._pump()

    async def _run(self, lane: Lane, job: Job, place: object) -> None:
        """Make one attempt after the other, of whichever lane's turn it is: a new task for each would cost more."""
        while True:
            try:
                result = await self._attempt_or_fail(lane, job)
            finally:
                self._queue.end(lane, slow=self._prompt.pop(place, None) is None)
            self._recorder.add(result)
            self._look_after(lane)
            picked = self._pick()
            if picked is None:
                return
            if self._queue.waiting:
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
        self._queue.enlist(lane)

    async def _attempt_or_fail(self, lane: Lane, job: Job) -> AttemptResult:
        """The outcome of one attempt. Whatever is raised is a failed attempt: tried again until none is left."""
        try:
            return await self._attempt(lane, job)
        except UNFORESEEN as error:
            raise_if_meant(error)
            self._on_fault("attempt", error)
            subscription = self._find(job.subscription)
            self.attempted += 1
            self.failed += 1
            outcome, judgement = fail_inside(job, subscription, error, self._clock.now(), self._chance())
            return AttemptResult(outcome, judgement, led=True)

    async def _attempt(self, lane: Lane, job: Job) -> AttemptResult:
        subscription, now = self._find(job.subscription), self._clock.now()
        if subscription is None:
            return AttemptResult(hold(job, now, "ended"), led=True)
        if is_off(job, subscription):
            return AttemptResult(hold(job, now, subscription.state), led=True)
        if job.kind.is_void(job, subscription, now):
            return AttemptResult(give_up(job, now, "no longer asked for, or not wanted by its reader"), led=True)
        try:
            answer, judgement = await self._courier.attempt(job, subscription)
        except RetryLaterError as error:
            # The material of the message cannot be read now: nothing was sent.
            now = self._clock.now()
            return AttemptResult(put_back(job, now, now + LATER_S * SECOND, str(error)), led=True)
        now = self._clock.now()
        lane.learn(judgement, answer.latency, now)
        self.attempted += 1
        self.failed += judgement.meaning != "delivered"
        return AttemptResult(settle(job, answer, judgement, now, self._chance()), judgement, led=True)

    def _clear(self, lane: Lane) -> None:
        """The breaker opened: what waits goes back to the table until it closes."""
        now = self._clock.now()
        waiting = [*lane.queue]
        lane.queue.clear()
        for job in waiting:
            self._recorder.add(
                AttemptResult(put_back(job, now, lane.rests_until, "the endpoint rests after failures in a row"))
            )

    def _refill(self, lane: Lane) -> None:
        if lane.size < ROOM:
            self._full.discard(lane.name)
        if lane.has_more and lane.size <= LOW:
            lane.has_more = False
            self.hungry.add(lane.name)
            self._on_hungry()

    async def _follow(self, batch: Sequence[AttemptResult]) -> None:
        """A batch was recorded: let go of its messages and alerts, and have it observed."""
        for result in batch:
            self._let_go(result.outcome.job.id)
            self._release(result)
        try:
            await self._observe(batch)
        except RetryLaterError as error:
            log.warning("what follows from attempts is read later: %s", error)
        except UNFORESEEN as error:
            raise_if_meant(error)
            self._on_fault("follow attempts", error)
        self._pump()

    def _rest(self) -> None:
        if not self._queue.size:
            self._idle.set()

    def _let_go(self, id: str) -> None:
        """Counted, since a message that was put back may have been claimed again before its putting back is result."""
        self._queue.hold(self._owners[id], -1)
        self._held[id] -= 1
        if self._held[id] <= 0:
            del self._held[id], self._owners[id]

    def _release(self, result: AttemptResult) -> None:
        """Let go of the alert: what waited behind goes on, or back to the table where this one will be tried again."""
        outcome = result.outcome
        lane = self._lanes.get(outcome.job.lane)
        if lane is None:
            return
        alert = outcome.job.alert
        behind = lane.busy.pop(alert, []) if alert is not None and result.led else []
        if outcome.state == "pending" and outcome.due_at is not None:
            for job in behind:
                behind_it = put_back(job, outcome.at, outcome.due_at, "an earlier revision goes first")
                self._recorder.add(AttemptResult(behind_it))
        else:
            lane.queue.extendleft(reversed(behind))
            self._queue.enlist(lane)
        if lane.is_idle:
            self._lanes.pop(lane.name, None)
            self._full.discard(lane.name)
            self._rested.discard(lane.name)
