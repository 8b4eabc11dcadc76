"""The composition root: the services of a process, and the one choice between Kafka and the embedded log."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from fastapi import FastAPI
from starlette.types import ASGIApp

import services.admin.bootstrap
import services.ingest.bootstrap
import services.notify.bootstrap
import services.rules.bootstrap
from services.console.api import status_router
from services.platform.backoff import Backoff
from services.platform.bus.dead_letters import DeadLetters
from services.platform.bus.embedded import COMPACT_S, TRIM_S, EmbeddedBus
from services.platform.bus.port import Bus, PartnerLog
from services.platform.bus.relay import NAME as RELAY
from services.platform.bus.relay import OutboxRelay
from services.platform.clock import Clock, SystemClock, new_id
from services.platform.db.engine import Database
from services.platform.db.migrate import upgrade
from services.platform.faults import Faults
from services.platform.http.compression import compress_answers
from services.platform.http.etags import tag_documents
from services.platform.http.middleware import answer_heads, answer_when_cut, install_problems, refuse_nul
from services.platform.http.routes import add_routes, make_router, refuse_undeclared
from services.platform.http.throttle import Throttle
from services.platform.metrics import Metrics, make_metrics, probes_router
from services.platform.process.lifecycle import bind, run
from services.platform.process.local_time import follow_time_zone
from services.platform.process.open_files import backlog, edge_limits, raise_open_files
from services.platform.process.runtime import Run, Runtime, Service, Task
from services.platform.security.keys import KeyRing
from services.platform.settings.base_url import base_url
from services.platform.settings.config import Settings
from services.platform.timed import run_every
from services.platform.tracing import OFF, Tracing
from services.status.board import HEARD, StatusBoard
from services.status.overview import NAME as LOOK
from services.status.overview import PERIOD_S, Overview

log = logging.getLogger(__name__)

TRIMMING: Final = "bus.trim"
COMPACTING: Final = "bus.compact"

BUILDERS: dict[str, Callable[[Runtime], Awaitable[Service]]] = {
    "ingest": services.ingest.bootstrap.build,
    "rules": services.rules.bootstrap.build,
    "notify": services.notify.bootstrap.build,
}

#: Runs in the process of another service.
BESIDE: Final[Mapping[str, Callable[[Runtime], Awaitable[Service]]]] = {"ingest": services.admin.bootstrap.build}


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
    dead_letters = DeadLetters(database, clock)
    log = await open_log(settings, database, dead_letters, clock, faults, tracing, whole=set(names) >= set(BUILDERS))
    async with AsyncExitStack() as begun:
        begun.push_async_callback(log.bus.close)
        _undo(begun, log.stop)
        runtime = Runtime(
            settings, clock, database, log.bus, KeyRing(clock), dead_letters, metrics, faults, tracing,
            partner_log=log.partner_log,
        )  # fmt: skip
        stop_zone = await follow_time_zone(runtime)
        _undo(begun, [stop_zone])
        builders = [parts[name] for name in names for parts in (BUILDERS, BESIDE) if name in parts]
        built = []
        for build in builders:
            built.append(await build(runtime))
            _undo(begun, built[-1].stop)
        # Last, since a key that is to be shown once must not be made by a start that fails.
        first_key = await services.admin.bootstrap.prepare_keys(runtime)
        begun.pop_all()
    overview = Overview(runtime, built, log.board)
    look = runtime.every(PERIOD_S, LOOK, overview.look_and_publish)
    front = Service(name="front", router=make_router(), tasks=[look, *log.tasks], stop=[stop_zone, *log.stop])
    return Assembly(runtime, [*built, front], build_asgi(runtime, built, overview), first_key)


def _undo(begun: AsyncExitStack, stops: Iterable[Run]) -> None:
    """A start that fails ends all that it began: it is tried again, and connections would stay open."""
    for stop in stops:
        begun.push_async_callback(stop)


@dataclass(frozen=True, slots=True)
class LogBackend:
    """The log that was chosen, the tasks beside it, and the board of the other processes' status (None when
    embedded, in one process)."""

    bus: Bus
    board: StatusBoard | None
    tasks: Sequence[Task]
    stop: Sequence[Run]
    partner_log: PartnerLog | None = None


async def open_log(
    settings: Settings,
    database: Database,
    dead_letters: DeadLetters,
    clock: Clock,
    faults: Faults,
    tracing: Tracing = OFF,
    *,
    whole: bool = False,
) -> LogBackend:
    """Embedded or Kafka: the one place that asks. Raises RetryLaterError when the broker is away.

    ``whole``: all services are in this process, so that a group which is not wired here is wired nowhere.
    """
    if settings.kafka is None:
        embedded = EmbeddedBus(database, faults)

        periods = (
            (TRIMMING, TRIM_S, partial(embedded.trim, strangers=not whole)),
            (COMPACTING, COMPACT_S, embedded.compact),
        )
        tasks = [
            Task(name, partial(run_every, name, period_s, step, clock, faults, at_start=False))
            for name, period_s, step in periods
        ]
        return LogBackend(embedded, None, tasks, [])
    # They need the extras "kafka" and "postgres".
    from services.platform.bus.kafka import KafkaBus
    from services.platform.db.postgres_outbox import PostgresOutbox

    kafka = KafkaBus(settings.kafka, settings.kafka_security, faults=faults)
    await kafka.start()
    relay = OutboxRelay(
        PostgresOutbox(settings.database_url),
        kafka,
        partial(dead_letters.add, "relay"),
        clock.sleep,
        tracing=tracing,
        faults=faults,
    )
    board = StatusBoard(kafka, clock, f"{socket.gethostname()}-{new_id()}")
    try:
        stop_hearing = await kafka.tail(HEARD, board.receive)
    except BaseException:
        await kafka.close()
        raise
    # Connections of their own: a partner's topic that cannot be written to must not disturb the services' events.
    partners = KafkaBus(settings.kafka, settings.kafka_security, faults=faults)
    return LogBackend(kafka, board, [Task(RELAY, relay.run)], [stop_hearing, partners.close], partners)


def build_asgi(runtime: Runtime, built: Sequence[Service], overview: Overview) -> ASGIApp:
    """One app for all services of the process, hot paths in front."""
    routers = [
        probes_router(runtime.metrics, overview.unready, overview.look),
        status_router(overview.status, runtime.clock, runtime.settings.basemap),
        *(service.router for service in built),
    ]
    hot = [route for service in built for route in service.hot]
    refuse_undeclared(routers, hot)
    app = FastAPI(title="Trucewatch", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.keys, app.state.local_time = runtime.keys, runtime.local_time
    install_problems(app)
    add_routes(app.router, routers)
    asgi: ASGIApp = answer_when_cut(answer_heads(compress_answers(tag_documents(refuse_nul(app)))))
    for route in hot:
        asgi = route.wrap(asgi)
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
    """Run the services until asked to stop. Raises OSError when the port is taken, or SettingsError."""
    open_files = raise_open_files()
    limits = edge_limits(settings, open_files)
    listener = listener or bind(settings.host, settings.port)
    settings = _reached_at(settings, listener.getsockname()[1])
    assembly = await _assemble_when_reachable(settings, names, tracing)
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
            clock=assembly.runtime.clock,
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


async def _assemble_when_reachable(settings: Settings, names: Sequence[str], tracing: Tracing) -> Assembly:
    """Retry until the database and the broker answer; until then nothing listens, so nothing is ready."""
    attempt = partial(assemble, settings, names, tracing=tracing)
    return await Backoff(0.2).retry(attempt, asyncio.sleep, lambda error: log.warning("waiting: %s", error))
