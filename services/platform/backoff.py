"""Growing pauses between attempts, in one place."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from services.platform.failures import RetryLaterError

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses that double from ``first_s`` up to ``longest_s``, seconds."""

    first_s: float = 0.1
    longest_s: float = 5.0

    def pause_s(self, failures: int) -> float:
        """The pause after ``failures`` failed attempts in a row, counted from 1."""
        return min(self.first_s * 2.0 ** min(failures - 1, 64), self.longest_s)

    async def retry(
        self, attempt: Callable[[], Awaitable[T]], sleep: Sleep, note: Callable[[RetryLaterError], object]
    ) -> T:
        """The result of the first ``attempt`` that does not raise RetryLaterError, which is passed to ``note``. Raises
        what else ``attempt`` raises."""
        failures = 0
        while True:
            try:
                return await attempt()
            except RetryLaterError as error:
                failures += 1
                note(error)
            await sleep(self.pause_s(failures))
