"""The judge of the registry as this process knows it, replaced whenever a newer version is known."""

import asyncio
from collections.abc import Awaitable, Callable

from services.rules.assessing.domain.alert_wording import AlertWording
from services.rules.judging.evaluate import Judge
from services.rules.judging.model import CompiledRegistry

Newest = Callable[[], Awaitable[CompiledRegistry]]


class CurrentJudge:
    """Replaced as a whole, so that no report is judged by half a change of the registry.

    ``newest`` reads the registry as it is in the database. Raises RetryLaterError.
    """

    def __init__(self, registry: CompiledRegistry, newest: Newest) -> None:
        self.judge = Judge(registry)
        self.wording = AlertWording(self.judge)
        self._newest = newest
        self._replacing = asyncio.Lock()

    async def catch_up(self) -> None:
        """Judge by the current registry, or a newer one. Raises RetryLaterError."""
        await self.adopt(await self._newest())

    async def adopt(self, registry: CompiledRegistry) -> None:
        """Judge by ``registry`` from now on, unless a newer one is known; it is compiled off the event loop."""
        async with self._replacing:
            if registry.version > self.judge.registry.version:
                self.judge = await asyncio.to_thread(Judge, registry)
                self.wording = AlertWording(self.judge)
