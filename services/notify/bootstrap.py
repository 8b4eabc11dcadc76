"""Notify, wired."""

import asyncio
import contextlib
import random
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from schemas.codec import decode, decode_as
from schemas.envelope import Event
from schemas.events import AlertDecided
from schemas.topics import ALERTS, ASSESSMENTS, REASSESSMENTS, WINDOWS
from services.notify.channels.smtp import SmtpSender, parse_relay
from services.notify.channels.webhook import WebhookSender
from services.notify.domain.generation import Generation
from services.notify.domain.limits import Limits
from services.notify.http.alert_links import build_links_router
from services.notify.http.alerts import AlertReader, build_alerts_router
from services.notify.http.blocks import build_blocks_router
from services.notify.http.confirm import build_pages_router
from services.notify.http.deliveries import build_deliveries_router
from services.notify.http.feeds import Feeds, build_feeds_router
from services.notify.http.lookup import build_lookup_router
from services.notify.http.positions import Positions
from services.notify.http.restore import build_restore_router, tell_held
from services.notify.http.silences import build_silences_router
from services.notify.http.stream import Tail
from services.notify.http.subscriptions import ApiParts, build_router, make_tokens
from services.notify.registry_reader import follow_registry
from services.notify.render.mime import BadHeaderError, Sender, parse_sender
from services.notify.sending.courier import Courier, Parts
from services.notify.sending.dispatch import Dispatcher
from services.notify.sending.observer import AttemptObserver
from services.notify.sending.scheduler import SweepScheduler
from services.notify.sending.sweep import KeepAlive, StrandedClaims, Sweeper
from services.notify.sql.alert_book import SqlAlertBook
from services.notify.sql.alert_log import SqlAlertLog
from services.notify.sql.blocks import SqlBlocks
from services.notify.sql.changes import SqlChanges
from services.notify.sql.deliveries import SqlDeliveries
from services.notify.sql.feeds import SqlFeedTokens
from services.notify.sql.generations import GenerationStore
from services.notify.sql.groups import SqlGroups
from services.notify.sql.heartbeat_counts import SqlJudgedReports
from services.notify.sql.heartbeats import SqlHeartbeats
from services.notify.sql.history import SqlHistory
from services.notify.sql.names import SqlNames
from services.notify.sql.presence import leave, stay
from services.notify.sql.seal_anew import holds_sealed, seal_anew
from services.notify.sql.silences import SqlSilences
from services.notify.sql.subscriptions import SqlSubscriptions
from services.notify.sql.truce_notices import SqlTruceNotices
from services.notify.use_cases.ask_readers import ask_readers
from services.notify.use_cases.close_silences import close_silences
from services.notify.use_cases.directory import Directory
from services.notify.use_cases.flush_changes import flush_changes
from services.notify.use_cases.flush_groups import flush_groups
from services.notify.use_cases.flush_heartbeats import flush_heartbeats
from services.notify.use_cases.flush_truce_notices import flush_truce_notices
from services.notify.use_cases.hold_ownerless import UnknownOwners, hold_ownerless
from services.notify.use_cases.release_silenced import release_silenced
from services.notify.use_cases.removed_names import RemovedNames
from services.notify.use_cases.take_alerts import Arrival, take_alerts
from services.platform import audit
from services.platform.clock import Clock, new_id
from services.platform.failures import RetryLaterError
from services.platform.faults import Faults
from services.platform.http.routes import make_router
from services.platform.outbound.address import Policy
from services.platform.outbound.guard import trust_also
from services.platform.process.runtime import Runtime, Service, Task
from services.platform.settings.config import Settings, SettingsError
from services.platform.settings.secret_key import open_sealer

GROUP: Final = "notify.alerts"
COUNTING: Final = "notify.counts"
SCHEDULES: Final = "notify.windows"
CHANGES: Final = "notify.reassessments"
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
    storage = GenerationStore(database)
    await storage.open(clock.now())
    directory = Directory(store, mail_from.domain)
    await directory.refresh()

    limits = Limits(settings.max_subscriptions, settings.max_unproved, settings.max_silences, settings.max_streams)
    registry, shapes, stop_following = await follow_registry(runtime)
    policy = _policy(settings)
    hooks = open_webhooks(settings, clock)
    courier = Courier(Parts(hooks, mail, mail_from, log, clock, settings.public_url, runtime.tracing, shapes.rings_of))
    observer = AttemptObserver(store, directory, clock, runtime.metrics, faults, relay=mail is not None)
    dispatcher = Dispatcher(
        courier,
        queue,
        directory.subscriptions.get,
        clock,
        random.random,
        observer.observe,
        lambda: schedule.wake(),
        on_fault=partial(_note, faults),
    )
    dispatcher.pause(storage.generation.held)
    changes = SqlChanges(database, partial(faults.note, "notify.flush_changes"))
    groups = SqlGroups(database, partial(faults.note, "notify.flush_groups"))
    beats, beating = SqlHeartbeats(database, partial(faults.note, "notify.flush_heartbeats")), set[str]()
    judged = SqlJudgedReports(database)
    notices = SqlTruceNotices(database, instance, partial(faults.note, "notify.flush_truce_notices"))
    blocks, not_before = SqlBlocks(database, sealer), dict[str, int]()
    sweeper = Sweeper(
        queue,
        dispatcher,
        partial(_catch_up, storage, dispatcher, directory, clock),
        {
            "mark_log": storage.beat,
            "hold_orphans": partial(
                hold_ownerless,
                keys=runtime.keys,
                directory=directory,
                store=store,
                unknown=UnknownOwners(),
                note=_note_held,
            ),
            "follow_attempts": observer.follow_up,
            "release_silenced": partial(release_silenced, directory=directory, store=book, sender=dispatcher),
            "flush_changes": partial(flush_changes, directory=directory, changes=changes),
            "flush_groups": partial(flush_groups, directory=directory, groups=groups),
            "flush_heartbeats": partial(flush_heartbeats, directory=directory, started=beating, store=beats),
            "flush_truce_notices": partial(flush_truce_notices, directory=directory, asked={}, store=notices),
        },
        faults,
    )

    async def ask(now: int) -> None:
        if mail is not None:
            await ask_readers(now, directory=directory, store=store, make_tokens=make_tokens, not_before=not_before)

    stranded = StrandedClaims(queue, dispatcher)

    async def count(_now: int) -> None:
        await observer.recount(queue, beats, loops)

    keep_alive = KeepAlive(
        {
            "stay": lambda now: database.write(lambda connection: stay(connection, instance, now), durable=False),
            "adopt": partial(queue.adopt, alone=database.is_log),
            "release_stranded": stranded.release,
            "find_proofs": observer.find_proofs,
            "close_silences": partial(close_silences, directory=directory, history=history),
            "tell_removed_names": RemovedNames(registry.known, directory, history).tell,
            "forget_counts": judged.forget,
            "ask_readers": ask,
            "forget_confirmations": blocks.forget_confirmations,
            "count": count,
        },
        faults,
    ).tick

    tail = Tail(limits.streams)
    schedule = SweepScheduler(sweeper, keep_alive, clock, faults)

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
        await judged.add(list(dict.fromkeys(event.key for event in events)), clock.now())

    loops = [
        await runtime.loop(ALERTS, GROUP, handle, limit=200),
        await runtime.loop(ASSESSMENTS, COUNTING, listen, limit=COUNTED_AT_ONCE),
        await runtime.loop(WINDOWS, SCHEDULES, _learner(notices, clock)),
        await runtime.loop(REASSESSMENTS, CHANGES, _ender(changes, clock)),
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

    parts = ApiParts(
        store,
        SqlSilences(database),
        blocks,
        history,
        directory,
        policy,
        clock,
        kick,
        mail is not None,
        limits,
        registry,
        judged,
    )
    router = make_router()
    router.include_router(build_router(parts))
    router.include_router(build_deliveries_router(parts))
    router.include_router(build_pages_router(parts))
    router.include_router(build_blocks_router(parts))
    router.include_router(build_silences_router(parts))
    reader = AlertReader(log, Positions(storage, log), clock, settings.public_url, shapes.rings_of, shapes.outlines_of)
    router.include_router(build_restore_router(storage, queue, clock, dispatcher.pause, schedule.kick))
    router.include_router(build_feeds_router(Feeds(reader, SqlFeedTokens(database), tail)))
    router.include_router(build_alerts_router(reader, parts))
    router.include_router(build_links_router(reader, store))
    router.include_router(build_lookup_router(parts, log, SqlNames(database, sealer)))
    return Service(
        name="notify",
        router=router,
        loops=loops,
        tasks=[Task("notify.schedule", schedule.run)],
        stop=[close, stop_following],
        status=lambda: _status(observer.status(dispatcher, directory, registry.known), storage.generation),
        state={
            "keep_alive": keep_alive,
            "reader": reader,
            "tail": tail,
            "sweeper": sweeper,
            "dispatcher": dispatcher,
            "directory": directory,
            "registry": registry,
            "storage": storage,
        },
    )


async def _catch_up(storage: GenerationStore, dispatcher: Dispatcher, directory: Directory, clock: Clock) -> None:
    """Read again what other processes, or a restore, changed."""
    await storage.look(clock.now())
    dispatcher.pause(storage.generation.held)
    await directory.refresh()


def _learner(notices: SqlTruceNotices, clock: Clock) -> Callable[[Sequence[Event]], Awaitable[None]]:
    async def learn(events: Sequence[Event]) -> None:
        await notices.learn([decode(event) for event in events], clock.now())

    return learn


def _ender(changes: SqlChanges, clock: Clock) -> Callable[[Sequence[Event]], Awaitable[None]]:
    async def end(events: Sequence[Event]) -> None:
        await changes.end([decode(event) for event in events], clock.now())

    return end


def _status(said: Mapping[str, Any], generation: Generation) -> Mapping[str, Any]:
    held = tell_held(generation)
    return said if held is None else {**said, "state": "degraded", "detail": held}


def _note_held(connection: Any, id: str, now: int) -> None:
    by = audit.by_system("notify")
    audit.record(connection, at=now, actor=by, action="subscription.held", resource=f"subscriptions/{id}")


def _note(faults: Faults, part: str, error: Exception) -> None:
    faults.note(f"notify.{part.replace(' ', '_')}", error)


class _RawAlert(msgspec.Struct):
    alert: msgspec.Raw


def _arrival(event: Event, now: int) -> Arrival:
    decided: AlertDecided = decode(event)
    body = bytes(decode_as(event, _RawAlert).alert)
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
