"""Long work on the event loop, done in slices: the loop gets its turn after so much time, or after so many steps."""

import asyncio
from typing import Final

#: The loop is held for no longer than this, and one step.
HELD_S: Final = 0.002
#: Nor for more steps than this, however quick the machine is or slow its clock.
STEPS: Final = 100


class Turns:
    """Gives the loop its turn, once it has been held long enough."""

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
