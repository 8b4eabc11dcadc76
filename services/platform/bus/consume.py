"""The consuming loop: fetch a batch, handle it, commit the offsets last. A poison message stops no other."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from schemas.codec import UnreadableEventError
from schemas.envelope import Event
from services.platform.backoff import Backoff, Sleep
from services.platform.bus.port import Consumer, Received
from services.platform.failures import NeverRetryError, RetryLaterError
from services.platform.faults import Faults

log = logging.getLogger(__name__)

#: A message alone in its batch that still fails in an unforeseen way is given up after this many tries.
MAX_TRIES: Final = 3
BACKOFF: Final = Backoff()
IDLE_WAIT_S: Final = 1.0

#: After a batch of at least this size the loop pauses for so long, since a larger batch costs less for each event. At a
#: low rate batches are smaller, and nothing waits.
LINGER_FROM: Final = 16
LINGER_S: Final = 0.02

#: Raised for a message that can never succeed.
GIVEN_UP: Final = (NeverRetryError, UnreadableEventError)

Handle = Callable[[Sequence[Event]], Awaitable[None]]
GiveUp = Callable[[Event, str], Awaitable[None]]


@dataclass(slots=True)
class Loop:
    """One consuming loop and its state.

    ``handle`` must be atomic and harmless to repetition. It raises RetryLaterError when the world is not ready
    (tried again for ever, nothing is skipped), NeverRetryError or UnreadableEventError for a message that can never
    succeed: that one goes to ``give_up`` with the reason and the others go on. After each batch it lets the next one
    gather for ``linger_s`` seconds: for work without a deadline. What else is raised is noted in ``faults``.
    """

    name: str
    consumer: Consumer
    handle: Handle
    give_up: GiveUp
    limit: int = 200
    sleep: Sleep = asyncio.sleep
    linger_s: float = 0.0
    handled: int = 0
    given_up: int = 0
    failing: str | None = None
    stopping: bool = False
    busy: bool = False
    faults: Faults = field(default_factory=Faults)
    _batch: Sequence[Received] = ()
    _uncommitted: Sequence[Received] = ()

    async def run(self) -> None:
        """Until cancelled or stopped; what was fetched and not committed is handed out again next time.

        Raises what fetch or commit raised in an unforeseen way. Called again, it goes on with the batch it was at.
        """
        while not self.stopping:
            size = await BACKOFF.retry(self._step_unless_stopping, self.sleep, self._note)
            self.failing = None
            if 0 < size < self.limit and (wait_s := self._lingers(size)):
                await self.sleep(wait_s)
            elif size:
                # On the embedded log a batch may pass without any suspension: yield to other tasks.
                await asyncio.sleep(0)

    async def _step_unless_stopping(self) -> int:
        return 0 if self.stopping else await self.step(IDLE_WAIT_S)

    def _lingers(self, size: int) -> float:
        return LINGER_S if size >= LINGER_FROM else self.linger_s

    async def step(self, wait_s: float) -> int:
        """One batch through; returns how many events it held. Raises RetryLaterError from fetch and commit."""
        await self._commit_left_over()
        # A batch that was interrupted is handled again: the log returns it only once.
        batch = self._batch = self._batch or await self.consumer.fetch(self.limit, wait_s)
        if batch:
            self.busy = True
            try:
                await self._work_off(batch)
                self._batch, self._uncommitted = (), batch
                await self._commit_left_over()
            finally:
                self.busy = False
            self.handled += len(batch)
        return len(batch)

    async def _commit_left_over(self) -> None:
        """Commit what could not be committed while the log was away, before anything else is fetched."""
        if self._uncommitted:
            await self.consumer.commit(self._uncommitted)
            self._uncommitted = ()

    async def _work_off(self, batch: Sequence[Received]) -> None:
        events = [received.event for received in batch]
        if not await self._attempt(events):
            for event in events:
                await self._work_off_alone(event)

    async def _attempt(self, events: list[Event]) -> bool:
        """True when handled; False when some message in it is at fault."""
        try:
            await self._handle(events)
        except Exception as error:  # noqa: BLE001 - judged one by one, and never swallowed
            log.warning("%s: a batch of %d failed, going one by one: %r", self.name, len(events), error)
            if not isinstance(error, GIVEN_UP):
                self.faults.note(self.name, error)
            return False
        return True

    async def _handle(self, events: Sequence[Event]) -> None:
        await BACKOFF.retry(partial(self.handle, events), self.sleep, self._note)

    async def _work_off_alone(self, event: Event) -> None:
        for tries in range(1, MAX_TRIES + 1):
            try:
                return await self._handle([event])
            except GIVEN_UP as error:
                return await self._give_up(event, str(error))
            except Exception as error:  # noqa: BLE001 - recorded, counted and shown
                log.warning("%s: event %s failed, try %d", self.name, event.id, tries)
                self.faults.note(self.name, error)
                reason = f"{type(error).__name__}: {error}"
        return await self._give_up(event, reason)

    async def _give_up(self, event: Event, reason: str) -> None:
        log.error("%s: event %s goes to the dead letters: %s", self.name, event.id, reason)
        failures = 0
        while True:
            try:
                await BACKOFF.retry(partial(self.give_up, event, reason), self.sleep, self._note)
            except Exception as error:  # noqa: BLE001 - recorded, counted and shown
                # It may be the reason that cannot be kept. Nothing is passed over before it is kept.
                self.faults.note(self.name, error)
                reason = f"an internal error; the reason could not be kept ({type(error).__name__})"
                failures += 1
                await self.sleep(BACKOFF.pause_s(failures))
            else:
                self.given_up += 1
                return

    def _note(self, error: RetryLaterError) -> None:
        if self.failing is None:
            log.warning("%s: waiting: %s", self.name, error)
        self.failing = str(error)
