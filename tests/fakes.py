"""The fakes, typed and in one place."""

import asyncio
import heapq
from dataclasses import dataclass, field

from schemas.instants import SECOND, parse_instant


@dataclass
class DrivenClock:
    """A clock that moves only when a test moves it. Sleepers wake in the order of their time."""

    instant: int = field(default_factory=lambda: parse_instant("2016-05-08T12:00:00Z"))
    _sleepers: list[tuple[int, int, asyncio.Future[None]]] = field(default_factory=list)

    def now(self) -> int:
        return self.instant

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.instant + int(seconds * SECOND), id(future), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Move time on, letting each sleeper run at its own moment."""
        end = self.instant + int(seconds * SECOND)
        await _settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            self.instant, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)
            await _settle()
        self.instant = end
        await _settle()


async def _settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)
