"""Refuse ids that the registry does not have; whoever just made one is never refused."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from services.notify.domain.known import KnownIds, NamedId


@dataclass(slots=True)
class KnownRegistry:
    """The registry's ids, as far as this process has read them.

    ``read_all`` has ``known`` fed with all that the registry had when it was called; False where that cannot be made
    sure of now.
    """

    known: KnownIds
    read_all: Callable[[], Awaitable[bool]]
    _reads: int = 0
    _last: bool = False
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def find_faults(self, named: Iterable[NamedId]) -> list[tuple[str, str]]:
        """(JSON pointer, detail) of each id that the registry does not have. None while that is not certain, or the
        registry is empty."""
        unknown = self.known.find_unknown(named)
        if not unknown or not await self._catch_up() or self.known.is_empty:
            return []
        unknown = self.known.find_unknown(unknown)
        return await asyncio.to_thread(self.known.describe, unknown) if unknown else []

    async def _catch_up(self) -> bool:
        """All that come together are content with one reading, if it began after they came."""
        began = self._reads
        async with self._lock:
            if self._reads == began:
                self._reads += 1
                self._last = await self.read_all()
            return self._last
