"""APScheduler drives, the table holds: nothing is lost when a tick is missed, and nothing is done twice."""

import asyncio
import logging
from datetime import UTC
from typing import Final

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MISSED, JobExecutionEvent
from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from services.notify.sweep import Sweeper, Tick
from services.shared.clock import Clock
from services.shared.faults import Faults

log = logging.getLogger(__name__)

SWEEP_S: Final = 1
KEEP_ALIVE_S: Final = 10


class Schedule:
    """Ticks of one process. ``wake``: a lane ran low; ``kick``: something was queued that is due now."""

    def __init__(self, sweeper: Sweeper, keep_alive: Tick, clock: Clock, faults: Faults) -> None:
        self._sweeper, self._keep_alive, self._clock, self._faults = sweeper, keep_alive, clock, faults
        self._called = asyncio.Event()
        self._queued = False
        self.last_sweep: int | None = None

    def wake(self) -> None:
        self._called.set()

    def kick(self) -> None:
        self._queued = True
        self._called.set()

    async def run(self) -> None:
        """Until cancelled."""
        scheduler = AsyncIOScheduler(
            jobstores={"default": MemoryJobStore()},
            executors={"default": AsyncIOExecutor()},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 60},
            timezone=UTC,
        )
        scheduler.add_listener(self._warn, EVENT_JOB_MISSED | EVENT_JOB_ERROR)
        scheduler.add_job(self._sweep, IntervalTrigger(seconds=SWEEP_S, timezone=UTC), id="sweep")
        scheduler.add_job(self._stay, IntervalTrigger(seconds=KEEP_ALIVE_S, timezone=UTC), id="keep alive")
        await self._stay()
        await self._sweep()
        scheduler.start()
        try:
            while True:
                await self._called.wait()
                self._called.clear()
                if self._queued:
                    self._queued = False
                    await self._guarded("notify.claim_due", self._sweeper.claim_due)
                await self._guarded("notify.refill", self._sweeper.feed_hungry)
        finally:
            scheduler.shutdown(wait=False)

    async def _sweep(self) -> None:
        await self._guarded("notify.sweep", self._sweeper.sweep)
        self.last_sweep = self._clock.now()

    async def _stay(self) -> None:
        await self._guarded("notify.keep_alive", self._keep_alive)

    async def _guarded(self, name: str, tick: Tick) -> None:
        await self._faults.guard(name, lambda: tick(self._clock.now()))

    def _warn(self, event: JobExecutionEvent) -> None:
        """A missed tick is made up for by the next; one that failed is a fault of ours to be seen."""
        if event.exception is not None:
            self._faults.note("notify.schedule", event.exception)
        else:
            log.warning("a %s tick was missed", event.job_id)
