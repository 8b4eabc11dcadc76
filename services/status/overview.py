"""The state of this process, gathered once a second: the lag of its loops, its gauges, the status of each service."""

import asyncio
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

from services.platform.failures import RetryLaterError
from services.platform.process.runtime import Runtime, Service
from services.status.board import StatusBoard
from services.status.report import Status, compose_status

PERIOD_S: Final = 1.0
#: A check that takes longer than this counts as failed.
CHECK_TIMEOUT_S: Final = 1.0
NAME: Final = "status.look"
VERSION: Final = version("trucewatch")


class Overview:
    """Watches the services of one process and answers from memory, at most a second old."""

    def __init__(self, runtime: Runtime, services: Sequence[Service], board: StatusBoard | None = None) -> None:
        self._board = board
        self._runtime = runtime
        self._services = services
        self._components: dict[str, list[Service]] = {}
        for service in services:
            self._components.setdefault(service.component or service.name, []).append(service)
        self._lags: dict[str, int] = {}
        self._bus = self._database = True
        self._dead = 0

    async def look_and_publish(self) -> None:
        """Look, and publish the result to the other processes."""
        await self.look()
        if self._board is not None:
            await self._board.publish(self.own_parts())

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
        """The report of each service on itself; in the distributed form that of every process that was heard of."""
        own = self.own_parts()
        return own if self._board is None else {**own, **self._board.parts()}

    def own_parts(self) -> dict[str, dict[str, Any]]:
        """Each component of this process: its services' status, their lag and their failing loops."""
        return {component: self._part(members) for component, members in self._components.items()}

    async def unready(self) -> list[str]:
        """The dependencies that are away now."""
        reasons = []
        if not await self._answers(self._count_dead()):
            reasons.append("database")
        if not await self._answers(self._runtime.bus.healthy()):
            reasons.append("bus")
        return reasons

    def _part(self, members: Sequence[Service]) -> dict[str, Any]:
        loops = [loop for service in members for loop in service.loops]
        failing = [f"{loop.name}: {loop.failing}" for loop in loops if loop.failing is not None]
        failing += [f"{loop} failed lately ({kind})" for loop, kind in self._faults_of(members)]
        said: Mapping[str, Any] = {name: value for one in members for name, value in one.status().items()}
        if failing:
            state = "degraded" if said.get("state", "ok") == "ok" else said["state"]
            detail = "; ".join(part for part in (said.get("detail", ""), *failing) if part)
            said = {**said, "state": state, "detail": detail}
        return {"state": "ok", "lag": sum(self._lags.get(loop.name, 0) for loop in loops), **said}

    def _faults_of(self, members: Sequence[Service]) -> list[tuple[str, str]]:
        """The loops of these services that failed lately. Loops of no service (the log, the database) count as the
        first one's of the process."""
        names = {one.name for one in members}
        others = {one.name for one in self._services} - names
        first = self._services[0] in members
        return [
            (loop, kind)
            for loop, kind in self._runtime.faults.shown().items()
            if (owner := loop.partition(".")[0]) in names or (first and owner not in others)
        ]

    async def _answers(self, question: Any) -> bool:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                return (await question) is not False
        except (RetryLaterError, TimeoutError):
            return False
        except Exception as error:  # noqa: BLE001 - recorded, counted and shown
            self._runtime.faults.note(NAME, error)
            return False

    async def _count_dead(self) -> None:
        self._dead = await self._runtime.dead_letters.count()

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
