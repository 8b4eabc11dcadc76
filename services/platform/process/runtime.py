"""The parts that every service of one process shares, and those that each service hands back to be run."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from fastapi import APIRouter

from schemas.envelope import Event
from schemas.topics import Topic
from schemas.zones import UTC
from services.platform.bus.consume import GIVEN_UP, Handle, Loop
from services.platform.bus.dead_letters import DeadLetters
from services.platform.bus.port import Bus, PartnerLog
from services.platform.clock import Clock, LocalTime
from services.platform.db.engine import Database
from services.platform.failures import RetryLaterError
from services.platform.faults import Faults
from services.platform.http.routes import HotRoute
from services.platform.metrics import Metrics, make_metrics
from services.platform.security.keys import KeyRing
from services.platform.settings.config import Settings
from services.platform.timed import run_every
from services.platform.tracing import OFF, Tracing

log = logging.getLogger(__name__)

OnEvent = Callable[[Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Runtime:
    """The parts that ``bootstrap`` chose for this process: one selection point a backend. ``readers``: who reads which
    topic, by the name of the group or follower. ``partner_log``: topics of partners; None where the log has none."""

    settings: Settings
    clock: Clock
    database: Database
    bus: Bus
    keys: KeyRing
    dead_letters: DeadLetters
    metrics: Metrics = field(default_factory=make_metrics)
    faults: Faults = field(default_factory=Faults)
    tracing: Tracing = OFF
    local_time: LocalTime = field(default_factory=lambda: LocalTime(UTC))
    readers: set[tuple[str, str]] = field(default_factory=set)
    partner_log: PartnerLog | None = None

    def every(self, period_s: float, name: str, step: Callable[[], Awaitable[object]], at_start: bool = True) -> "Task":
        """Timed work of this process: see :func:`run_every`."""
        return Task(name, partial(run_every, name, period_s, step, self.clock, self.faults, at_start=at_start))

    async def loop(self, topic: Any, group: str, handle: Handle, limit: int = 200, linger_s: float = 0.0) -> Loop:
        """A consuming loop of this process in ``group``, named after it."""

        async def give_up(event: Event, reason: str) -> None:
            await self.dead_letters.add(group, event, reason)

        self.readers.add((group, topic.name))
        return Loop(
            name=group,
            consumer=await self.bus.consumer(topic, group),
            handle=handle,
            give_up=give_up,
            limit=limit,
            sleep=self.clock.sleep,
            linger_s=linger_s,
            faults=self.faults,
        )

    async def tail(self, topic: Topic, name: str, on_event: OnEvent) -> Callable[[], Awaitable[None]]:
        """Hand every event of a topic to ``on_event``, as :meth:`Bus.tail` does; what it returns stops that.

        What ``on_event`` cannot take goes to the dead letters of ``name``, and the next one follows. It raises
        RetryLaterError when the world is not ready: then the same event is handed to it again.
        """

        async def take(event: Event) -> None:
            try:
                await on_event(event)
            except RetryLaterError:
                raise
            except Exception as error:  # noqa: BLE001 - kept with its reason, counted and shown
                log.warning("%s: event %s of %s goes to the dead letters", name, event.id, event.topic)
                if not isinstance(error, GIVEN_UP):
                    self.faults.note(name, error)
                await self.dead_letters.add(name, event, f"{type(error).__name__}: {error}")

        self.readers.add((name, topic.name))
        return await self.bus.tail(topic, take)


Run = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Task:
    """Runs for as long as the process does; failures are noted under its name, ``service.loop``."""

    name: str
    run: Run


@dataclass(frozen=True, slots=True)
class Service:
    """One service, wired and not yet running.

    ``loops`` consume; ``tasks`` run for as long as the process does; ``status`` answers at once, from memory;
    ``hot`` are routes in front of the framework; ``stop`` runs after the loops ended and before the database
    closes. ``component`` is the component of /status that shows a service without one of its own.
    """

    name: str
    router: APIRouter
    component: str = ""
    loops: Sequence[Loop] = ()
    tasks: Sequence[Task] = ()
    stop: Sequence[Run] = ()
    status: Callable[[], Mapping[str, Any]] = dict
    hot: Sequence[HotRoute] = ()
    state: Mapping[str, Any] = field(default_factory=dict)
