"""Notify, wired."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from services.notify.domain.generation import Generation
from services.notify.domain.limits import Limits
from services.notify.http.alerts import AlertReader
from services.notify.http.positions import Positions
from services.notify.http.restore import tell_held
from services.notify.http.stream import Tail
from services.notify.http.subscriptions import ApiParts
from services.notify.registry_reader import follow_registry
from services.notify.sending.courier import Courier, Parts
from services.notify.sending.dispatch import Dispatcher
from services.notify.sending.observer import AttemptObserver
from services.notify.sending.scheduler import SweepScheduler
from services.notify.sql.forget_attempts import NAME as FORGETTING
from services.notify.sql.forget_attempts import PERIOD_S as FORGETTING_S
from services.notify.sql.forget_attempts import OldAttempts
from services.notify.sql.presence import leave
from services.notify.use_cases.directory import Directory
from services.notify.use_cases.known import KnownRegistry
from services.notify.use_cases.take_alerts import Arrival, take_alerts
from services.notify.wiring.loops import open_loops
from services.notify.wiring.routes import build_routes
from services.notify.wiring.senders import open_mail, open_webhooks, policy_of, sender_of
from services.notify.wiring.steps import build_keep_alive, build_sweeper
from services.notify.wiring.stores import Stores
from services.platform.clock import new_id
from services.platform.failures import RetryLaterError
from services.platform.faults import Faults
from services.platform.process.runtime import Runtime, Service, Task

#: A database that does not take the goodbye so soon finds out by itself: the lease of this process ends.
GOODBYE_S: Final = 1.0


async def build(runtime: Runtime) -> Service:
    """Notify as its tables stand: what was pending when the last process ended is sent by this one."""
    settings, clock, faults = runtime.settings, runtime.clock, runtime.faults
    # First, since nothing may be open when a setting cannot be used.
    mail_from, mail = sender_of(settings), open_mail(settings)
    stores = await Stores.open(runtime, new_id())
    directory = Directory(stores.subscriptions, mail_from.domain)
    await directory.refresh()

    registry, shapes, stop_following = await follow_registry(runtime)
    hooks, tail = open_webhooks(settings, clock), Tail(settings.max_streams)
    sent = Parts(hooks, mail, mail_from, stores.log, clock, settings.public_url, runtime.tracing, shapes.rings_of)
    courier = Courier(sent)
    observer = AttemptObserver(stores.subscriptions, directory, clock, runtime.metrics, faults, relay=mail is not None)
    dispatcher = Dispatcher(
        courier, stores.queue, directory.subscriptions.get, clock, random.random,
        observer.observe, lambda: schedule.wake(), on_fault=partial(_note, faults),
    )  # fmt: skip
    dispatcher.pause(stores.generations.generation.held)

    async def take(arrivals: Sequence[Arrival]) -> None:
        accepted = await take_alerts(arrivals, directory, stores.book, dispatcher)
        courier.remember(accepted.logged)
        stores.generations.grown(accepted.logged)
        tail.wake()

    loops = await open_loops(runtime, stores, take)
    sweeper = build_sweeper(runtime, stores, directory, dispatcher, observer)
    keep_alive = build_keep_alive(
        runtime, stores, directory, dispatcher, observer, registry, loops, mails=mail is not None
    ).tick
    schedule = SweepScheduler(sweeper, keep_alive, clock, faults)

    async def close() -> None:
        tail.close()
        await dispatcher.stop()
        await _say_goodbye(runtime, stores)
        await hooks.close()
        if mail is not None:
            await mail.close()

    def kick(subscription: str) -> None:
        dispatcher.revive(subscription)
        schedule.kick()

    parts = _build_api_parts(runtime, stores, directory, registry, kick, relay=mail is not None)
    positions = Positions(stores.generations, stores.log)
    reader = AlertReader(stores.log, positions, clock, settings.public_url, shapes.rings_of, shapes.outlines_of)
    state: dict[str, Any] = {
        "keep_alive": keep_alive, "reader": reader, "tail": tail, "sweeper": sweeper, "dispatcher": dispatcher,
        "directory": directory, "registry": registry, "storage": stores.generations,
    }  # fmt: skip
    return Service(
        name="notify",
        router=build_routes(parts, stores, reader, tail, dispatcher.pause, schedule.kick),
        loops=loops,
        tasks=[
            Task("notify.schedule", schedule.run),
            runtime.every(
                FORGETTING_S,
                FORGETTING,
                OldAttempts(runtime.database, clock.now, settings.attempts_days).forget,
            ),
        ],
        stop=[close, stop_following],
        status=lambda: _status(observer.status(dispatcher, directory, registry.known), stores.generations.generation),
        state=state,
    )


def _build_api_parts(
    runtime: Runtime,
    stores: Stores,
    directory: Directory,
    registry: KnownRegistry,
    kick: Callable[[str], None],
    *,
    relay: bool,
) -> ApiParts:
    settings = runtime.settings
    limits = Limits(settings.max_subscriptions, settings.max_unproved, settings.max_silences, settings.max_streams)
    return ApiParts(
        stores.subscriptions,
        stores.silences,
        stores.blocks,
        stores.history,
        directory,
        policy_of(settings),
        runtime.clock,
        kick,
        relay,
        limits,
        registry,
        stores.judged,
    )


async def _say_goodbye(runtime: Runtime, stores: Stores) -> None:
    with contextlib.suppress(RetryLaterError, TimeoutError):
        async with asyncio.timeout(GOODBYE_S):
            await stores.generations.beat(runtime.clock.now())
            await runtime.database.write(lambda connection: leave(connection, stores.instance), durable=False)


def _status(said: Mapping[str, Any], generation: Generation) -> Mapping[str, Any]:
    held = tell_held(generation)
    return said if held is None else {**said, "state": "degraded", "detail": held}


def _note(faults: Faults, part: str, error: Exception) -> None:
    faults.note(f"notify.{part.replace(' ', '_')}", error)
