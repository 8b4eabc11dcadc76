"""When notify's tables are looked at: every second, and as soon as there is something to do. A pass that is missed or
made twice changes nothing."""

import asyncio
from functools import partial
from typing import Final

from services.notify.sending.sweep import Sweeper, Tick
from services.platform.clock import Clock
from services.platform.faults import Faults
from services.platform.timed import run_every

SWEEP_S: Final = 1
KEEP_ALIVE_S: Final = 10


class SweepScheduler:
    """Ticks of one process. ``wake``: a lane ran low; ``kick``: something was queued that is due now."""

    def __init__(self, sweeper: Sweeper, keep_alive: Tick, clock: Clock, faults: Faults) -> None:
        self._sweeper, self._keep_alive, self._clock, self._faults = sweeper, keep_alive, clock, faults
        self._called = asyncio.Event()
        self._queued = False

    def wake(self) -> None:
        self._called.set()

    def kick(self) -> None:
        self._queued = True
        self._called.set()

    async def run(self) -> None:
        """Until cancelled. The process is known as alive before its first sweep."""
        await self._stay()
        every = partial(run_every, clock=self._clock, faults=self._faults)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(every("notify.sweep", SWEEP_S, self._sweep), name="sweep")
            tasks.create_task(every("notify.keep_alive", KEEP_ALIVE_S, self._stay, at_start=False), name="keep alive")
            tasks.create_task(self._refill(), name="refill")

    async def _refill(self) -> None:
        while True:
            await self._called.wait()
            self._called.clear()
            if self._queued:
                self._queued = False
                await self._guarded("notify.claim_due", self._sweeper.claim_due)
            await self._guarded("notify.refill", self._sweeper.feed_hungry)

    async def _sweep(self) -> None:
        await self._sweeper.sweep(self._clock.now())

    async def _stay(self) -> None:
        await self._guarded("notify.keep_alive", self._keep_alive)

    async def _guarded(self, name: str, tick: Tick) -> None:
        await self._faults.guard(name, lambda: tick(self._clock.now()))
