"""The relay: what committed to the outbox goes to the log, in order, and then leaves the outbox.

A crash between the two sends it again under the same id: consumers take that as the repetition that it is.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol, TypeVar

from schemas.envelope import Event
from schemas.topics import DEAD_SUFFIX
from services.shared.db.patience import after_closing
from services.shared.failures import NeverRetryError, RetryLaterError
from services.shared.faults import Faults
from services.shared.tracing import OFF, Tracing

log = logging.getLogger(__name__)

T = TypeVar("T")

BATCH: Final = 2000
#: Between attempts to become the one relay, and between looks at a quiet outbox; notices wake it sooner.
IDLE_S: Final = 1.0
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 2.0
#: An event alone that still fails in an unforeseen way is given up after this many tries.
MAX_TRIES: Final = 3
#: Failures are noted under this name.
NAME: Final = "bus.relay"


class Outgoing(Protocol):
    """The outbox as seen by its one relay; blocking. Every method raises RetryLaterError when the database is away."""

    def lead(self) -> bool: ...

    def turn_over(self, done: Sequence[int], limit: int, wait_s: float) -> list[tuple[int, Event]]: ...

    def hang_up(self) -> None: ...

    def close(self) -> None: ...


class Publisher(Protocol):
    async def publish(self, events: Sequence[Event]) -> None: ...


@dataclass(slots=True)
class Relay:
    """One candidate; of all that share a database, one leads. ``bury`` keeps an event that the log can never take."""

    outgoing: Outgoing
    log_: Publisher
    bury: Callable[[Event, str], Awaitable[None]]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    tracing: Tracing = OFF
    leading: bool = False
    published: int = 0
    failing: str | None = None
    limit: int = BATCH
    faults: Faults = field(default_factory=Faults)
    _done: list[int] = field(default_factory=list)
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="relay"))

    async def run(self) -> None:
        """Until cancelled; then the right to relay is given back."""
        pause = FIRST_PAUSE_S
        try:
            while True:
                try:
                    await self._step()
                    pause, self.failing = FIRST_PAUSE_S, None
                except RetryLaterError as error:
                    self._note(error)
                except Exception as error:  # noqa: BLE001 - recorded, counted and shown
                    self.faults.note(NAME, error)
                else:
                    continue
                await self.faults.guard(NAME, partial(self.sleep, pause))
                pause = min(pause * 2, LONGEST_PAUSE_S)
        finally:
            giving_up = after_closing(self.outgoing.hang_up)
            self._thread.submit(self.outgoing.close).add_done_callback(lambda _: giving_up.cancel())
            self._thread.shutdown(wait=False)

    async def _step(self) -> None:
        if not self.leading:
            self.leading = await self._blocking(self.outgoing.lead)
            if not self.leading:
                await self.sleep(IDLE_S)
                return
        rows = await self._blocking(partial(self.outgoing.turn_over, self._done, self.limit, IDLE_S))
        self._done = []
        if rows:
            await self._put_out_in_time([event for _, event in rows])
            self._done = [number for number, _ in rows]
            self.published += len(rows)

    async def _put_out_in_time(self, events: Sequence[Event]) -> None:
        """The log has a few seconds for a batch. One that it cannot take in them would fail for ever: halve it."""
        try:
            await self._put_out(events)
        except RetryLaterError:
            self.limit = max(1, len(events) // 2)
            raise
        self.limit = min(BATCH, self.limit * 2)

    async def _put_out(self, events: Sequence[Event]) -> None:
        links = (event.traceparent for event in events)
        try:
            with self.tracing.start("relay", None, links, events=len(events)):
                await self.log_.publish(events)
        except RetryLaterError:
            raise
        except Exception as error:  # noqa: BLE001 - judged one by one
            if not isinstance(error, NeverRetryError):
                self.faults.note(NAME, error)
            for event in events:
                await self._put_out_alone(event)

    async def _put_out_alone(self, event: Event) -> None:
        for tries in range(1, MAX_TRIES + 1):
            try:
                await self.log_.publish([event])
            except RetryLaterError:
                raise
            except NeverRetryError as error:
                await self._give_up(event, str(error))
                return
            except Exception as error:  # noqa: BLE001 - recorded, counted and shown
                self.faults.note(NAME, error)
                if tries == MAX_TRIES:
                    await self._give_up(event, f"an internal error ({type(error).__name__})")
            else:
                return

    async def _give_up(self, event: Event, reason: str) -> None:
        log.error("event %s cannot be put on %s: %s", event.id, event.topic, reason)
        # A dead letter that does not fit on its topic is still in the table of dead letters.
        if not event.topic.endswith(DEAD_SUFFIX):
            await self.bury(event, reason)

    async def _blocking(self, call: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call)
        except Exception:
            # Whether the right to relay is still ours is not known.
            self.leading = False
            raise

    def _note(self, error: RetryLaterError) -> None:
        if self.failing is None:
            log.warning("relay: waiting: %s", error)
        self.failing = str(error)
