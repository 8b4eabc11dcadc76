"""The consuming loop: fetch a batch, handle it, commit the offsets last. A poison message stops nobody."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from schemas.codec import UnreadableEventError
from schemas.envelope import Event
from services.shared.bus.port import Consumer, Received
from services.shared.failures import NeverRetryError, RetryLaterError
from services.shared.faults import Faults

log = logging.getLogger(__name__)

#: A message alone in its batch that still fails in an unforeseen way is given up after this many tries.
MAX_TRIES: Final = 3
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0
IDLE_WAIT_S: Final = 1.0

#: Under load, a batch of so many lets the next one gather for so long: a larger batch costs less an event. So many do
#: not come within that time at a pace where a batch is soon done, so nobody waits then.
LINGER_FROM: Final = 16
LINGER_S: Final = 0.02

#: Raised for a message that can never succeed.
GIVEN_UP: Final = (NeverRetryError, UnreadableEventError)

Handle = Callable[[Sequence[Event]], Awaitable[None]]
Bury = Callable[[Event, str], Awaitable[None]]
Sleep = Callable[[float], Awaitable[None]]


@dataclass(slots=True)
class Loop:
    """One consuming loop and how it fares.

    ``handle`` must be atomic and harmless to repetition. It raises RetryLaterError when the world is not ready
    (tried again for ever, nothing is skipped), NeverRetryError or UnreadableEventError for a message that can never
    succeed: that one goes to ``bury`` with the reason and the others go on. After each batch it lets the next one
    gather for ``linger_s`` seconds: for what nobody waits for. What else is raised is noted in ``faults``.
    """

    name: str
    consumer: Consumer
    handle: Handle
    bury: Bury
    limit: int = 200
    sleep: Sleep = asyncio.sleep
    linger_s: float = 0.0
    handled: int = 0
    buried: int = 0
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
        pause = FIRST_PAUSE_S
        while not self.stopping:
            try:
                size = await self.step(IDLE_WAIT_S)
                pause, self.failing = FIRST_PAUSE_S, None
                if 0 < size < self.limit and (wait_s := self._lingers(size)):
                    await self.sleep(wait_s)
                elif size:
                    # Embedded, a batch may be fetched, handled and written without a pause: others have their turn now.
                    await asyncio.sleep(0)
            except RetryLaterError as error:
                self._note(error)
                await self.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)

    def _lingers(self, size: int) -> float:
        return LINGER_S if size >= LINGER_FROM else self.linger_s

    async def step(self, wait_s: float) -> int:
        """One batch through; returns how many events it held. Raises RetryLaterError from fetch and commit."""
        await self._commit_left_over()
        # A batch that was broken off is worked off anew: the log hands it out only once.
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
        """What the log could not note down while it was away, it notes down when it is back: nothing else may come."""
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
        pause = FIRST_PAUSE_S
        while True:
            try:
                await self.handle(events)
            except RetryLaterError as error:
                self._note(error)
                await self.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)
            except Exception as error:  # noqa: BLE001 - judged one by one, and never swallowed
                log.warning("%s: a batch of %d failed, going one by one: %r", self.name, len(events), error)
                if not isinstance(error, GIVEN_UP):
                    self.faults.note(self.name, error)
                return False
            else:
                return True

    async def _work_off_alone(self, event: Event) -> None:
        tries = 0
        while True:
            tries += 1
            try:
                await self.handle([event])
            except RetryLaterError as error:
                self._note(error)
                tries -= 1
                await self.sleep(FIRST_PAUSE_S)
            except GIVEN_UP as error:
                return await self._bury(event, str(error))
            except Exception as error:  # noqa: BLE001 - recorded, counted and shown
                log.warning("%s: event %s failed, try %d", self.name, event.id, tries)
                self.faults.note(self.name, error)
                if tries >= MAX_TRIES:
                    return await self._bury(event, f"{type(error).__name__}: {error}")
            else:
                return None

    async def _bury(self, event: Event, reason: str) -> None:
        log.error("%s: event %s goes to the dead letters: %s", self.name, event.id, reason)
        pause = FIRST_PAUSE_S
        while True:
            try:
                await self.bury(event, reason)
            except RetryLaterError as error:
                self._note(error)
                await self.sleep(FIRST_PAUSE_S)
            except Exception as error:  # noqa: BLE001 - recorded, counted and shown
                # It may be the reason that cannot be kept. Nothing is passed over before it is kept.
                self.faults.note(self.name, error)
                reason = f"an internal error; the reason could not be kept ({type(error).__name__})"
                await self.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)
            else:
                self.buried += 1
                return

    def _note(self, error: RetryLaterError) -> None:
        if self.failing is None:
            log.warning("%s: waiting: %s", self.name, error)
        self.failing = str(error)
