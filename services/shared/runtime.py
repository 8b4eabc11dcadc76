"""What every service of one process shares, and what each service hands back to be run."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter
from starlette.types import ASGIApp

from schemas.envelope import Event
from schemas.topics import Topic
from services.shared.bus.consume import GIVEN_UP, Handle, Loop
from services.shared.bus.dead import Graveyard
from services.shared.bus.port import Bus
from services.shared.clock import Clock
from services.shared.config import Settings
from services.shared.db.engine import Database
from services.shared.failures import RetryLaterError
from services.shared.faults import Faults
from services.shared.observability import Metrics, make_metrics
from services.shared.security import KeyRing
from services.shared.tracing import OFF, Tracing

log = logging.getLogger(__name__)

OnEvent = Callable[[Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Runtime:
    """The parts that ``bootstrap`` chose for this process: one selection point a backend. ``readers``: who reads which
    topic, by the name of the group or follower."""

    settings: Settings
    clock: Clock
    database: Database
    bus: Bus
    keys: KeyRing
    graveyard: Graveyard
    metrics: Metrics = field(default_factory=make_metrics)
    faults: Faults = field(default_factory=Faults)
    tracing: Tracing = OFF
    readers: set[tuple[str, str]] = field(default_factory=set)

    async def loop(self, topic: Any, group: str, handle: Handle, limit: int = 200, linger_s: float = 0.0) -> Loop:
        """A consuming loop of this process in ``group``, named after it."""

        async def bury(event: Event, reason: str) -> None:
            await self.graveyard.bury(group, event, reason)

        self.readers.add((group, topic.name))
        return Loop(
            name=group,
            consumer=await self.bus.consumer(topic, group),
            handle=handle,
            bury=bury,
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
                await self.graveyard.bury(name, event, f"{type(error).__name__}: {error}")

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
    ``wrap`` puts a hot path in front of the ASGI app; ``stop`` runs after the loops ended and before the database
    closes.
    """

    name: str
    router: APIRouter
    loops: Sequence[Loop] = ()
    tasks: Sequence[Task] = ()
    stop: Sequence[Run] = ()
    status: Callable[[], Mapping[str, Any]] = dict
    wrap: Callable[[ASGIApp], ASGIApp] | None = None
    state: Mapping[str, Any] = field(default_factory=dict)
