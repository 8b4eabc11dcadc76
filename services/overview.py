"""How this process fares, gathered once a second: the lag of its loops, its gauges, what each service says."""

import asyncio
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

from services.board import Board
from services.console.status import Status, compose_status
from services.shared.failures import RetryLaterError
from services.shared.runtime import Runtime, Service

PERIOD_S: Final = 1.0
#: A check that takes longer than this counts as failed.
PATIENCE_S: Final = 1.0
NAME: Final = "status.look"
VERSION: Final = version("trucewatch")


class Overview:
    """Watches the services of one process. Everything that it says is from memory, at most a second old."""

    def __init__(self, runtime: Runtime, services: Sequence[Service], board: Board | None = None) -> None:
        self._board = board
        self._runtime = runtime
        self._services = services
        self._lags: dict[str, int] = {}
        self._bus = self._database = True
        self._dead = 0

    async def run(self) -> None:
        """Look, tell the others, wait, look again, for as long as the process runs."""
        while True:
            await self._runtime.faults.guard(NAME, self._look_and_tell)
            await self._runtime.clock.sleep(PERIOD_S)

    async def _look_and_tell(self) -> None:
        await self.look()
        if self._board is not None:
            await self._board.tell(self.own_parts())

    async def look(self) -> None:
        """Measure what can only be asked for."""
        self._bus = await self._answers(self._runtime.bus.healthy())
        self._database = await self._answers(self._count_dead())
        for service in self._services:
            for loop in service.loops:
                await self._answers(self._measure(loop.name, loop.consumer.lag()))
        self._set_gauges()

    async def status(self) -> Status:
        """The status of the whole, composed from :meth:`parts`."""
        return compose_status(
            self.parts(), version=VERSION, bus=self._bus, database=self._database, dead_letters=self._dead
        )

    def parts(self) -> dict[str, dict[str, Any]]:
        """What each service says of itself; in the distributed form that of every process that was heard of."""
        own = self.own_parts()
        return own if self._board is None else {**own, **self._board.parts()}

    def own_parts(self) -> dict[str, dict[str, Any]]:
        """What each service of this process says of itself, with its lag and what holds it up."""
        return {service.name: self._part(service) for service in self._services}

    async def unready(self) -> list[str]:
        """What keeps this process from doing its work now."""
        reasons = []
        if not await self._answers(self._count_dead()):
            reasons.append("database")
        if not await self._answers(self._runtime.bus.healthy()):
            reasons.append("bus")
        return reasons

    def _part(self, service: Service) -> dict[str, Any]:
        failing = [f"{loop.name}: {loop.failing}" for loop in service.loops if loop.failing is not None]
        failing += [f"{loop} failed lately ({kind})" for loop, kind in self._faults_of(service)]
        said: Mapping[str, Any] = service.status()
        lag = sum(self._lags.get(loop.name, 0) for loop in service.loops)
        if failing:
            state = "degraded" if said.get("state", "ok") == "ok" else said["state"]
            detail = "; ".join(part for part in (said.get("detail", ""), *failing) if part)
            said = {**said, "state": state, "detail": detail}
        return {"state": "ok", "lag": lag, **said}

    def _faults_of(self, service: Service) -> list[tuple[str, str]]:
        """The loops of a service that failed lately. What belongs to no service in particular (the log, the database)
        is told by the first one of the process."""
        owners = {one.name for one in self._services}
        first = bool(self._services) and service is self._services[0]
        return [
            (loop, kind)
            for loop, kind in self._runtime.faults.shown().items()
            if (owner := loop.partition(".")[0]) == service.name or (first and owner not in owners)
        ]

    async def _answers(self, question: Any) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_S):
                return (await question) is not False
        except (RetryLaterError, TimeoutError):
            return False
        except Exception as error:  # noqa: BLE001 - recorded, counted and shown
            self._runtime.faults.note(NAME, error)
            return False

    async def _count_dead(self) -> None:
        self._dead = await self._runtime.graveyard.count()

    async def _measure(self, name: str, lag: Any) -> None:
        self._lags[name] = await lag

    def _set_gauges(self) -> None:
        metrics = self._runtime.metrics
        metrics.dead_letters.set(self._dead)
        for name, lag in self._lags.items():
            metrics.consumer_lag.labels(name).set(lag)
        for part in self.own_parts().values():
            if (oldest := part.get("oldest_unassessed_s")) is not None:
                metrics.oldest_unassessed_seconds.set(oldest)
