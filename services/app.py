"""The composition root: which parts a process is made of. Nobody else asks "Kafka or embedded?"."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

import services.ingest.bootstrap
import services.notify.bootstrap
import services.rules.bootstrap
from services.console.api import status_router
from services.overview import Overview
from services.shared.bus.dead import Graveyard
from services.shared.bus.embedded import EmbeddedBus
from services.shared.clock import Clock, SystemClock
from services.shared.config import Settings
from services.shared.db.engine import Database
from services.shared.db.migrate import upgrade
from services.shared.http import install_problems
from services.shared.lifecycle import bind, run
from services.shared.observability import make_metrics, probes_router
from services.shared.runtime import Runtime, Service
from services.shared.security import KeyRing

BUILDERS: dict[str, Callable[[Runtime], Awaitable[Service]]] = {
    "ingest": services.ingest.bootstrap.build,
    "rules": services.rules.bootstrap.build,
    "notify": services.notify.bootstrap.build,
}


@dataclass(frozen=True, slots=True)
class Assembly:
    """Everything of one process, wired and not yet running. ``first_key``: an operator key to be shown once."""

    runtime: Runtime
    services: Sequence[Service]
    asgi: ASGIApp
    first_key: str | None
    port: int = 0


async def assemble(settings: Settings, names: Sequence[str], clock: Clock | None = None) -> Assembly:
    """Open the storage, bring it up to date, and wire the services called ``names``.

    Raises RetryLaterError when the database or the log is away.
    """
    clock = clock or SystemClock()
    metrics = make_metrics()
    database = Database(settings.database_url, metrics.commit_seconds.observe)
    await asyncio.to_thread(upgrade, database.engine)
    bus = EmbeddedBus(database)
    runtime = Runtime(settings, clock, database, bus, KeyRing(clock), Graveyard(database, clock), metrics)
    first_key = await services.ingest.bootstrap.prepare_keys(runtime)
    built = [await BUILDERS[name](runtime) for name in names]
    overview = Overview(runtime, built)
    return Assembly(runtime, [*built, _front(runtime, overview)], build_asgi(runtime, built, overview), first_key)


def _front(runtime: Runtime, overview: Overview) -> Service:
    """What a process does beside its services: watch them, and keep the log from growing for ever."""
    return Service(name="front", router=APIRouter(), tasks=[overview.run])


def build_asgi(runtime: Runtime, built: Sequence[Service], overview: Overview) -> ASGIApp:
    """One app for all services of the process, hot paths in front."""
    app = FastAPI(title="Trucewatch", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.keys = runtime.keys
    install_problems(app)
    app.include_router(probes_router(runtime.metrics, overview.unready, overview.look))
    app.include_router(status_router(overview.status, runtime.clock))
    for service in built:
        app.include_router(service.router)
    asgi: ASGIApp = app
    for service in built:
        if service.wrap is not None:
            asgi = service.wrap(asgi)
    return asgi


async def serve(
    settings: Settings,
    names: Sequence[str] = tuple(BUILDERS),
    *,
    on_ready: Callable[[Assembly], Awaitable[None] | None] | None = None,
    stop: asyncio.Event | None = None,
    listener: socket.socket | None = None,
) -> None:
    """Run the services until told to stop. Raises OSError when the port is taken."""
    listener = listener or bind(settings.host, settings.port)
    assembly = await assemble(settings, names)
    try:
        await run(
            assembly.asgi,
            listener,
            assembly.services,
            on_ready=None if on_ready is None else lambda: on_ready(replace(assembly, port=listener.getsockname()[1])),
            stop=stop,
        )
    finally:
        await assembly.runtime.bus.close()
        await assembly.runtime.database.close()
