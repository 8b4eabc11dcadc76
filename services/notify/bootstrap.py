"""Notify, wired."""

import asyncio
import contextlib
import random
import ssl
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec
from fastapi import APIRouter

from schemas.codec import decode, decode_as
from schemas.envelope import Event
from schemas.events import AlertDecided
from schemas.topics import ALERTS, ASSESSMENTS
from services.notify.alerts_api import Shelf, build_alerts_router
from services.notify.api import Desk, build_router, make_fresh
from services.notify.blocks_api import build_blocks_router
from services.notify.confirm_api import build_pages_router
from services.notify.courier import Courier, Parts
from services.notify.deliveries_api import build_deliveries_router
from services.notify.dispatch import Dispatcher
from services.notify.domain.address import Policy
from services.notify.domain.generation import Generation
from services.notify.domain.limits import Limits
from services.notify.domain.mime import BadHeaderError, Sender, parse_sender
from services.notify.feeds_api import Feeds, build_feeds_router
from services.notify.lookup_api import build_lookup_router
from services.notify.positions import Positions
from services.notify.registry_reader import follow_registry
from services.notify.restore_api import build_restore_router, tell_held
from services.notify.schedule import Schedule
from services.notify.settle import Settling
from services.notify.silences_api import build_silences_router
from services.notify.smtp import SmtpSender, parse_relay
from services.notify.sql.alerts import SqlAlertBook, SqlAlertLog
from services.notify.sql.deliveries import SqlDeliveries
from services.notify.sql.feeds import SqlFeedTokens
from services.notify.sql.groups import SqlGroups
from services.notify.sql.heartbeats import SqlHeartbeats
from services.notify.sql.history import SqlHistory
from services.notify.sql.names import SqlNames
from services.notify.sql.presence import leave, stay
from services.notify.sql.seal_anew import holds_sealed, seal_anew
from services.notify.sql.storage import Storage
from services.notify.sql.subscriptions import SqlSubscriptions
from services.notify.stream import Tail
from services.notify.sweep import KeepAlive, Stranded, Sweeper
from services.notify.use_cases.consents import Postponed
from services.notify.use_cases.directory import Directory
from services.notify.use_cases.gather import flush_groups
from services.notify.use_cases.heartbeat import flush_heartbeats
from services.notify.use_cases.owners import Orphans
from services.notify.use_cases.silences import close_silences
from services.notify.use_cases.take_alerts import Arrival, release_silenced, take_alerts
from services.notify.webhook import WebhookSender, trust_also
from services.shared import audit
from services.shared.clock import Clock, new_id
from services.shared.config import Settings, SettingsError
from services.shared.failures import RetryLaterError
from services.shared.faults import Faults
from services.shared.runtime import Runtime, Service, Task
from services.shared.secret_key import open_sealer

GROUP: Final = "notify.alerts"
COUNTING: Final = "notify.counts"
#: Counting is in no hurry: it waits for company, so that it costs the writer a few commits a second.
COUNTED_AT_ONCE: Final = 1_000
COUNTING_LINGERS_S: Final = 0.25
#: A database that does not take the goodbye so soon finds out by itself: the lease of this process ends.
GOODBYE_S: Final = 1.0
#: Attempts under way at once; more than the dispatcher ever starts.
CONNECTIONS: Final = 640


async def build(runtime: Runtime) -> Service:
    """Notify as its tables stand: what was pending when the last process ended is sent by this one."""
    settings, database, clock, faults = runtime.settings, runtime.database, runtime.clock, runtime.faults
    instance = new_id()
    # First, since nothing may be open when a setting cannot be used.
    mail_from = _sender(settings)
    mail = open_mail(settings)
    sealer = open_sealer(settings.secret_keys, database.file, in_use=await holds_sealed(database))
    await seal_anew(database, sealer)
    store, history, log = SqlSubscriptions(database, sealer), SqlHistory(database), SqlAlertLog(database)
    queue = SqlDeliveries(database, instance)
    book = SqlAlertBook(database, instance, partial(faults.note, "notify.release_silenced"))
    storage = Storage(database)
    await storage.open(clock.now())
    directory = Directory(store, mail_from.domain)
    await directory.refresh()

    limits = Limits(settings.max_subscriptions, settings.max_unproved, settings.max_silences, settings.max_streams)
    registry, stop_following = await follow_registry(runtime)
    policy = _policy(settings)
    hooks = open_webhooks(settings, clock)
    courier = Courier(Parts(hooks, mail, mail_from, log, clock, settings.public_url, runtime.tracing))
    settling = Settling(store, directory, clock, runtime.metrics, faults, relay=mail is not None)
    dispatcher = Dispatcher(
        courier,
        queue,
        directory.subscriptions.get,
        clock,
        random.random,
        settling.settled,
        lambda: schedule.wake(),
        on_fault=partial(_note, faults),
    )
    dispatcher.pause(storage.generation.held)
    groups = SqlGroups(database, partial(faults.note, "notify.flush_groups"))
    beats, beating = SqlHeartbeats(database, partial(faults.note, "notify.flush_heartbeats")), set[str]()
    postponed = Postponed(mail is not None, directory, store, make_fresh)
    orphans = Orphans(runtime.keys, directory, store, _note_held)
    sweeper = Sweeper(
        queue,
        dispatcher,
        partial(_catch_up, storage, dispatcher, directory, clock),
        {
            "mark_log": storage.beat,
            "hold_orphans": orphans.hold,
            "follow_attempts": settling.follow_up,
            "release_silenced": partial(release_silenced, directory=directory, book=book, sender=dispatcher),
            "flush_groups": partial(flush_groups, directory=directory, groups=groups),
            "flush_heartbeats": partial(flush_heartbeats, directory=directory, started=beating, store=beats),
        },
        faults,
    )

    stranded = Stranded(queue, dispatcher)

    async def count(_now: int) -> None:
        await settling.recount(queue, beats, loops)

    keep_alive = KeepAlive(
        {
            "stay": lambda now: database.write(lambda connection: stay(connection, instance, now), durable=False),
            "adopt": partial(queue.adopt, alone=database.is_log),
            "release_stranded": stranded.release,
            "find_proofs": settling.find_proofs,
            "close_silences": partial(close_silences, directory=directory, history=history),
            "forget_counts": beats.forget,
            "ask_readers": postponed.ask,
            "forget_confirmations": store.forget_confirmations,
            "count": count,
        },
        faults,
    ).tick

    tail = Tail(limits.streams)
    schedule = Schedule(sweeper, keep_alive, clock, faults)

    async def handle(events: Sequence[Event]) -> None:
        now = clock.now()
        with runtime.tracing.each("decide", events) as traced:
            accepted = await take_alerts([_arrival(event, now) for event in traced], directory, book, dispatcher)
        courier.remember(accepted.logged)
        storage.grown(accepted.logged)
        tail.wake()

    async def listen(events: Sequence[Event]) -> None:
        if len(events) < COUNTED_AT_ONCE:
            await clock.sleep(COUNTING_LINGERS_S)
        await beats.hear(list(dict.fromkeys(event.key for event in events)), clock.now())

    loops = [
        await runtime.loop(ALERTS, GROUP, handle, limit=200),
        await runtime.loop(ASSESSMENTS, COUNTING, listen, limit=COUNTED_AT_ONCE),
    ]

    async def close() -> None:
        tail.close()
        await dispatcher.stop()
        with contextlib.suppress(RetryLaterError, TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await storage.beat(clock.now())
                await database.write(lambda connection: leave(connection, instance), durable=False)
        await hooks.close()
        if mail is not None:
            await mail.close()

    def kick(subscription: str) -> None:
        dispatcher.revive(subscription)
        schedule.kick()

    desk = Desk(store, history, directory, policy, clock, kick, mail is not None, limits, registry)
    router = APIRouter()
    router.include_router(build_router(desk))
    router.include_router(build_deliveries_router(desk))
    router.include_router(build_pages_router(desk))
    router.include_router(build_blocks_router(desk))
    router.include_router(build_silences_router(desk))
    shelf = Shelf(log, Positions(storage, log), clock, settings.public_url)
    router.include_router(build_restore_router(storage, queue, clock, dispatcher.pause, schedule.kick))
    router.include_router(build_feeds_router(Feeds(shelf, SqlFeedTokens(database), tail)))
    router.include_router(build_alerts_router(shelf, desk))
    router.include_router(build_lookup_router(desk, log, SqlNames(database, sealer)))
    return Service(
        name="notify",
        router=router,
        loops=loops,
        tasks=[Task("notify.schedule", schedule.run)],
        stop=[close, stop_following],
        status=lambda: _status(settling.status(dispatcher, directory), storage.generation),
        state={
            "keep_alive": keep_alive,
            "shelf": shelf,
            "tail": tail,
            "sweeper": sweeper,
            "dispatcher": dispatcher,
            "directory": directory,
            "registry": registry,
            "storage": storage,
        },
    )


async def _catch_up(storage: Storage, dispatcher: Dispatcher, directory: Directory, clock: Clock) -> None:
    """Read again what other processes, or a restore, changed."""
    await storage.look(clock.now())
    dispatcher.pause(storage.generation.held)
    await directory.refresh()


def _status(said: Mapping[str, Any], generation: Generation) -> Mapping[str, Any]:
    held = tell_held(generation)
    return said if held is None else {**said, "state": "degraded", "detail": held}


def _note_held(connection: Any, id: str, now: int) -> None:
    by = audit.by_system("notify")
    audit.record(connection, at=now, actor=by, action="subscription.held", resource=f"subscriptions/{id}")


def _note(faults: Faults, part: str, error: Exception) -> None:
    faults.note(f"notify.{part.replace(' ', '_')}", error)


class _Kept(msgspec.Struct):
    alert: msgspec.Raw


def _arrival(event: Event, now: int) -> Arrival:
    decided: AlertDecided = decode(event)
    body = bytes(decode_as(event, _Kept).alert)
    return Arrival(decided.alert, body, event.id, now, event.traceparent)


def open_webhooks(settings: Settings, clock: Clock) -> WebhookSender:
    """The sender of webhooks by the settings. Made inside a running loop."""
    trusted = None if settings.webhook_ca is None else trust_also(settings.webhook_ca)
    return WebhookSender(_policy(settings), clock, concurrency=CONNECTIONS, tls=trusted, proxy=settings.webhook_proxy)


def _policy(settings: Settings) -> Policy:
    return Policy(opened=settings.webhook_allow, proxied=settings.webhook_proxy is not None)


def open_mail(settings: Settings) -> SmtpSender | None:
    """The sender of mail by the settings; None without a relay. Raises SettingsError."""
    if settings.smtp_url is None:
        return None
    try:
        relay = parse_relay(settings.smtp_url, secured=settings.smtp_ca is not None)
    except ValueError as error:
        raise SettingsError(f"TRUCEWATCH_SMTP_URL: {error}") from error
    if settings.smtp_ca is None:
        return SmtpSender(relay, _sender(settings))
    if relay.encryption == "none":
        raise SettingsError("TRUCEWATCH_SMTP_CA_FILE is set, and TRUCEWATCH_SMTP_URL does without TLS")
    return SmtpSender(relay, _sender(settings), tls=ssl.create_default_context(cafile=settings.smtp_ca))


def _sender(settings: Settings) -> Sender:
    try:
        return parse_sender(settings.mail_from)
    except BadHeaderError as error:
        raise SettingsError(
            "TRUCEWATCH_MAIL_FROM must be a mail address in ASCII, such as Trucewatch <alerts@example.org>"
        ) from error
