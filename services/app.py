"""The composition root: which parts a process is made of. Nobody else asks "Kafka or embedded?"."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from fastapi import APIRouter, Depends, FastAPI
from starlette.types import ASGIApp

import services.ingest.bootstrap
import services.notify.bootstrap
import services.rules.bootstrap
from services.board import HEARD, Board
from services.console.api import status_router
from services.overview import NAME as LOOK
from services.overview import Overview
from services.shared.bus.dead import Graveyard
from services.shared.bus.embedded import EmbeddedBus, trim_for_ever
from services.shared.bus.kafka import KafkaBus
from services.shared.bus.port import Bus
from services.shared.bus.relay import NAME as RELAY
from services.shared.bus.relay import Relay
from services.shared.clock import Clock, SystemClock, new_id
from services.shared.config import Settings, base_url
from services.shared.db.engine import Database
from services.shared.db.migrate import upgrade
from services.shared.db.outgoing import Outgoing
from services.shared.etags import tag_documents
from services.shared.failures import RetryLaterError
from services.shared.faults import Faults
from services.shared.http import answer_heads, answer_when_cut, install_problems, refuse_nul
from services.shared.lifecycle import bind, run
from services.shared.observability import Metrics, make_metrics, probes_router
from services.shared.open_files import backlog, edge_limits, raise_open_files
from services.shared.query import refuse_unknown_parameters
from services.shared.runtime import Run, Runtime, Service, Task
from services.shared.security import KeyRing
from services.shared.throttle import Throttle
from services.shared.tracing import OFF, Tracing

log = logging.getLogger(__name__)

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


async def assemble(
    settings: Settings, names: Sequence[str], clock: Clock | None = None, tracing: Tracing = OFF
) -> Assembly:
    """Open the storage, bring it up to date, and wire the services called ``names``.

    Raises RetryLaterError when the database or the log is away.
    """
    clock = clock or SystemClock()
    metrics = make_metrics()
    faults = Faults(clock.now, lambda loop: metrics.loop_failures.labels(loop).inc())
    database = Database(settings.database_url, metrics.commit_seconds.observe, metrics.sync_seconds.observe, faults)
    try:
        return await _assemble(settings, names, clock, metrics, database, faults, tracing)
    except BaseException:
        await database.close()
        raise


async def _assemble(
    settings: Settings,
    names: Sequence[str],
    clock: Clock,
    metrics: Metrics,
    database: Database,
    faults: Faults,
    tracing: Tracing,
) -> Assembly:
    await asyncio.to_thread(upgrade, database.engine)
    graveyard = Graveyard(database, clock)
    log = await open_log(settings, database, graveyard, clock, faults, tracing, whole=set(names) >= set(BUILDERS))
    try:
        runtime = Runtime(settings, clock, database, log.bus, KeyRing(clock), graveyard, metrics, faults, tracing)
        built = [await BUILDERS[name](runtime) for name in names]
        # Last, since a key that is to be shown once must not be made by a start that fails.
        first_key = await services.ingest.bootstrap.prepare_keys(runtime)
    except BaseException:
        await log.bus.close()
        raise
    overview = Overview(runtime, built, log.board)
    front = Service(name="front", router=APIRouter(), tasks=[Task(LOOK, overview.run), *log.tasks], stop=log.stop)
    return Assembly(runtime, [*built, front], build_asgi(runtime, built, overview), first_key)


@dataclass(frozen=True, slots=True)
class Log:
    """The log that was chosen, what has to run beside it, and the board where processes tell each other how they
    fare (embedded there is but one)."""

    bus: Bus
    board: Board | None
    tasks: Sequence[Task]
    stop: Sequence[Run]


async def open_log(
    settings: Settings,
    database: Database,
    graveyard: Graveyard,
    clock: Clock,
    faults: Faults,
    tracing: Tracing = OFF,
    *,
    whole: bool = False,
) -> Log:
    """Embedded or Kafka: the one place that asks. Raises RetryLaterError when the broker is away.

    ``whole``: all services are in this process, so that a group which is not wired here is wired nowhere.
    """
    if settings.kafka is None:
        embedded = EmbeddedBus(database, faults)
        trim = partial(trim_for_ever, embedded, clock, faults, strangers=not whole)
        return Log(embedded, None, [Task("bus.trim", trim)], [])
    kafka = KafkaBus(settings.kafka, settings.kafka_security, faults=faults)
    await kafka.start()
    relay = Relay(
        Outgoing(settings.database_url),
        kafka,
        partial(graveyard.bury, "relay"),
        clock.sleep,
        tracing=tracing,
        faults=faults,
    )
    board = Board(kafka, clock, f"{socket.gethostname()}-{new_id()}")
    try:
        stop_hearing = await kafka.tail(HEARD, board.hear)
    except BaseException:
        await kafka.close()
        raise
    return Log(kafka, board, [Task(RELAY, relay.run)], [stop_hearing])


def build_asgi(runtime: Runtime, built: Sequence[Service], overview: Overview) -> ASGIApp:
    """One app for all services of the process, hot paths in front."""
    app = FastAPI(
        title="Trucewatch", openapi_url=None, docs_url=None, redoc_url=None,
        dependencies=[Depends(refuse_unknown_parameters)],
    )  # fmt: skip
    app.state.keys = runtime.keys
    install_problems(app)
    app.include_router(probes_router(runtime.metrics, overview.unready, overview.look))
    app.include_router(status_router(overview.status, runtime.clock))
    for service in built:
        app.include_router(service.router)
    asgi: ASGIApp = answer_when_cut(answer_heads(tag_documents(refuse_nul(app))))
    for service in built:
        if service.wrap is not None:
            asgi = service.wrap(asgi)
    throttle = Throttle(
        runtime.keys, runtime.clock.now, runtime.metrics.auth_failures.inc, runtime.settings.trusted_proxies
    )
    return throttle.wrap(asgi)


async def serve(
    settings: Settings,
    names: Sequence[str] = tuple(BUILDERS),
    *,
    on_ready: Callable[[Assembly], Awaitable[None] | None] | None = None,
    stop: asyncio.Event | None = None,
    listener: socket.socket | None = None,
    tracing: Tracing = OFF,
) -> None:
    """Run the services until told to stop. Raises OSError when the port is taken, SettingsError for what cannot be."""
    open_files = raise_open_files()
    limits = edge_limits(settings, open_files)
    listener = listener or bind(settings.host, settings.port)
    settings = _reached_at(settings, listener.getsockname()[1])
    assembly = await _assemble_patiently(settings, names, tracing)
    try:
        await run(
            assembly.asgi,
            listener,
            assembly.services,
            on_ready=None if on_ready is None else lambda: on_ready(replace(assembly, port=listener.getsockname()[1])),
            stop=stop,
            limits=limits,
            backlog=backlog(open_files),
            on_end=lambda reason: assembly.runtime.metrics.connections_ended[reason].inc(),
            faults=assembly.runtime.faults,
            sleep=assembly.runtime.clock.sleep,
        )
    finally:
        await assembly.runtime.bus.close()
        await assembly.runtime.database.close()
        await tracing.close()


def _reached_at(settings: Settings, port: int) -> Settings:
    """Port 0 became ``port``: links lead there, unless the public URL was set."""
    if settings.port != 0 or settings.public_url != base_url(settings.host, 0):
        return settings
    return replace(settings, port=port, public_url=base_url(settings.host, port))


async def _assemble_patiently(settings: Settings, names: Sequence[str], tracing: Tracing) -> Assembly:
    """Wait for a database or a broker that is not up yet; until then nothing listens, so nothing is ready."""
    pause = 0.2
    while True:
        try:
            return await assemble(settings, names, tracing=tracing)
        except RetryLaterError as error:
            log.warning("waiting: %s", error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)
