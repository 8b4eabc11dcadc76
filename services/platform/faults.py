"""Unforeseen failures of the loops of one process: logged, counted, and shown on /status for a while.

Every loop that runs for as long as the process does is run by :func:`supervise`. A loop made of independent steps runs
each through :meth:`Faults.guard`, so that the failure of one does not skip the others.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from schemas.instants import MINUTE
from services.platform.backoff import Backoff, Sleep
from services.platform.clock import SystemClock
from services.platform.failures import RetryLaterError

log = logging.getLogger(__name__)

#: A loop is shown as failing for this long after its last unforeseen failure.
SHOWN_FOR: Final = 5 * MINUTE
#: Pauses before a loop that ended with an error is started again. One that ran for longer than the longest pause starts
#: with the first again.
RESTART: Final = Backoff(longest_s=30.0)

#: A failure is recorded, counted and shown, whatever it is; see :func:`raise_if_meant`.
UNFORESEEN: Final = (Exception, asyncio.CancelledError)


@dataclass(slots=True)
class Faults:
    """``now`` gives an instant; ``count`` is called with the loop's name. Loops are named ``service.loop``. May be told
    of failures on any thread."""

    now: Callable[[], int] = field(default_factory=lambda: SystemClock().now)
    count: Callable[[str], None] = lambda _: None
    _last: dict[str, tuple[int, str]] = field(default_factory=dict)

    def note(self, loop: str, error: BaseException) -> None:
        """Record one failure. Only the kind of the error is shown: its text may hold what a reader may not see."""
        log.error("%s: failed and goes on", loop, exc_info=error)
        self.count(loop)
        self._last[loop] = (self.now(), type(error).__name__)

    def shown(self) -> dict[str, str]:
        """The loops that failed lately, each with the kind of its last error."""
        now = self.now()
        # After the clock was set back, what was noted before is of a time to come: it is not shown.
        return {loop: kind for loop, (at, kind) in sorted(dict(self._last).items()) if now - SHOWN_FOR < at <= now}

    async def guard(self, loop: str, step: Callable[[], Awaitable[object]]) -> bool:
        """Whether ``step`` succeeded. A failure goes no further: RetryLaterError is logged, any other is noted."""
        try:
            await step()
        except RetryLaterError as error:
            log.warning("%s: tried again at the next pass: %s", loop, error)
            return False
        except UNFORESEEN as error:
            raise_if_meant(error)
            self.note(loop, error)
            return False
        return True


def raise_if_meant(error: BaseException) -> None:
    """Raise a cancellation of the task that runs. One of something that it awaits, as a task of a library, is a failure
    like any other: passed on, it would end the task for good, and nobody would hear of it."""
    task = asyncio.current_task()
    if isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling()):
        raise error


async def supervise(loop: str, run: Callable[[], Awaitable[None]], faults: Faults, sleep: Sleep) -> None:
    """Run ``run`` until it returns or is cancelled; start it again after a pause when it raises. What ``run`` has in
    hand it keeps itself."""
    clock, failures = asyncio.get_running_loop(), 0
    while True:
        started = clock.time()
        try:
            return await run()
        except UNFORESEEN as error:
            raise_if_meant(error)
            faults.note(loop, error)
        failures = 1 if clock.time() - started > RESTART.longest_s else failures + 1
        pause = RESTART.pause_s(failures)
        try:
            await sleep(pause)
        except UNFORESEEN as error:
            raise_if_meant(error)
            faults.note(loop, error)
            await asyncio.sleep(pause)
