"""Long work on the event loop yields to other tasks after a time, or after a number of steps."""

import asyncio
from typing import Final

#: Maximum time between yields, seconds, beside one step.
HELD_S: Final = 0.002
#: Maximum steps between yields.
STEPS: Final = 100


class Turns:
    """Yields to the event loop once it has been held long enough."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._begin()

    def _begin(self) -> None:
        self._until = self._loop.time() + HELD_S
        self._steps = 0

    async def give(self) -> None:
        """To be awaited after each step."""
        self._steps += 1
        if self._steps >= STEPS or self._loop.time() >= self._until:
            await asyncio.sleep(0)
            self._begin()
