"""The relay: publishes the rows of the outbox in order and then deletes them.

A crash between the two publishes them again under the same ids, which consumers recognise.
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
from services.platform.backoff import Backoff, Sleep
from services.platform.db.timeouts import after_closing
from services.platform.failures import NeverRetryError, RetryLaterError
from services.platform.faults import UNFORESEEN, Faults, raise_if_meant
from services.platform.tracing import OFF, Tracing

log = logging.getLogger(__name__)

T = TypeVar("T")

BATCH: Final = 2000
#: Between attempts to lead, and between polls of an empty outbox, seconds; notices wake it sooner.
IDLE_S: Final = 1.0
BACKOFF: Final = Backoff(longest_s=2.0)
#: An event alone that still fails in an unforeseen way is given up after this many tries.
MAX_TRIES: Final = 3
#: Failures are noted under this name.
NAME: Final = "bus.relay"


class RelayedOutbox(Protocol):
    """The outbox as seen by its one relay; blocking. Every method raises RetryLaterError when the database is away."""

    def lead(self) -> bool: ...

    def delete_and_fetch(self, done: Sequence[int], limit: int, wait_s: float) -> list[tuple[int, Event]]: ...

    def hang_up(self) -> None: ...

    def close(self) -> None: ...


class Publisher(Protocol):
    async def publish(self, events: Sequence[Event]) -> None: ...


@dataclass(slots=True)
class OutboxRelay:
    """One candidate; of all that share a database one leads. ``give_up`` keeps an event that can never be published."""

    outbox: RelayedOutbox
    log_: Publisher
    give_up: Callable[[Event, str], Awaitable[None]]
    sleep: Sleep = asyncio.sleep
    tracing: Tracing = OFF
    leading: bool = False
    published: int = 0
    failing: str | None = None
    limit: int = BATCH
    faults: Faults = field(default_factory=Faults)
    _done: list[int] = field(default_factory=list)
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="relay"))

    async def run(self) -> None:
        """Until cancelled; then the leadership is given up."""
        failures = 0
        try:
            while True:
                try:
                    await self._step()
                    failures, self.failing = 0, None
                except RetryLaterError as error:
                    self._note(error)
                except UNFORESEEN as error:
                    raise_if_meant(error)
                    self.faults.note(NAME, error)
                else:
                    continue
                failures += 1
                await self.faults.guard(NAME, partial(self.sleep, BACKOFF.pause_s(failures)))
        finally:
            giving_up = after_closing(self.outbox.hang_up)
            self._thread.submit(self.outbox.close).add_done_callback(lambda _: giving_up.cancel())
            self._thread.shutdown(wait=False)

    async def _step(self) -> None:
        if not self.leading:
            self.leading = await self._blocking(self.outbox.lead)
            if not self.leading:
                await self.sleep(IDLE_S)
                return
        rows = await self._blocking(partial(self.outbox.delete_and_fetch, self._done, self.limit, IDLE_S))
        self._done = []
        if rows:
            await self._publish_in_time([event for _, event in rows])
            self._done = [number for number, _ in rows]
            self.published += len(rows)

    async def _publish_in_time(self, events: Sequence[Event]) -> None:
        """Publishing a batch has a timeout. A batch too large for it would fail for ever: halve the size."""
        try:
            await self._publish(events)
        except RetryLaterError:
            self.limit = max(1, len(events) // 2)
            raise
        self.limit = min(BATCH, self.limit * 2)

    async def _publish(self, events: Sequence[Event]) -> None:
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
                await self._publish_alone(event)

    async def _publish_alone(self, event: Event) -> None:
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
            await self.give_up(event, reason)

    async def _blocking(self, call: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call)
        except Exception:
            # It is not known whether this process still leads.
            self.leading = False
            raise

    def _note(self, error: RetryLaterError) -> None:
        if self.failing is None:
            log.warning("relay: waiting: %s", error)
        self.failing = str(error)
