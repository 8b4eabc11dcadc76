"""Deadlines for many short waits with one timer for all of them.

``asyncio.timeout`` sets and clears a timer of its own for each wait, a tenth of what a webhook costs; here a sweep a
few times a second finds those that are overdue. A deadline is kept to within one step, never early.
"""

import asyncio
from types import TracebackType
from typing import Final, Self

STEP_S: Final = 0.1


class Deadlines:
    """The waits under way in one loop. The timer runs only while there are any."""

    def __init__(self, step_s: float = STEP_S) -> None:
        self._step_s = step_s
        self._loop = asyncio.get_running_loop()
        self._waits: dict[Wait, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def within(self, seconds: float) -> "Wait":
        """``with deadlines.within(5): await …`` raises TimeoutError when it takes longer."""
        return Wait(self, self._loop.time() + seconds)

    def begin(self, wait: "Wait", end: float) -> None:
        self._waits[wait] = end
        if self._timer is None:
            self._timer = self._loop.call_later(self._step_s, self._sweep)

    def finish(self, wait: "Wait") -> None:
        self._waits.pop(wait, None)

    def _sweep(self) -> None:
        now = self._loop.time()
        for wait in [wait for wait, end in self._waits.items() if end <= now]:
            del self._waits[wait]
            wait.cut_off()
        self._timer = self._loop.call_later(self._step_s, self._sweep) if self._waits else None


class Wait:
    """One wait of the task that enters it."""

    __slots__ = ("_deadlines", "_end", "_overdue", "_pending", "_task")

    def __init__(self, deadlines: Deadlines, end: float) -> None:
        self._deadlines = deadlines
        self._end = end
        self._overdue = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._pending = task.cancelling()
        self._deadlines.begin(self, self._end)
        return self

    def cut_off(self) -> None:
        self._overdue = True
        self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Turns our own cancellation into TimeoutError, and leaves one from outside as it is."""
        self._deadlines.finish(self)
        if self._overdue and self._task.uncancel() <= self._pending and kind is asyncio.CancelledError:
            raise TimeoutError from error
