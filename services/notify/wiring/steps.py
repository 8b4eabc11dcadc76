"""The steps by the clock: the sweeps, and those that keep the process known as alive."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from services.notify.http.subscriptions import make_tokens
from services.notify.sending.dispatch import Dispatcher
from services.notify.sending.observer import AttemptObserver
from services.notify.sending.sweep import KeepAlive, StrandedClaims, Sweeper
from services.notify.sql.presence import stay
from services.notify.use_cases.ask_readers import ask_readers
from services.notify.use_cases.close_silences import close_silences
from services.notify.use_cases.directory import Directory
from services.notify.use_cases.flush_changes import flush_changes
from services.notify.use_cases.flush_groups import flush_groups
from services.notify.use_cases.flush_heartbeats import flush_heartbeats
from services.notify.use_cases.flush_truce_notices import flush_truce_notices
from services.notify.use_cases.hold_ownerless import UnknownOwners, hold_ownerless
from services.notify.use_cases.known import KnownRegistry
from services.notify.use_cases.release_silenced import release_silenced
from services.notify.use_cases.removed_names import RemovedNames
from services.notify.wiring.stores import Stores
from services.platform import audit
from services.platform.bus.consume import Loop
from services.platform.process.runtime import Runtime


def build_sweeper(
    runtime: Runtime, stores: Stores, directory: Directory, dispatcher: Dispatcher, observer: AttemptObserver
) -> Sweeper:
    """Queues all that is due, and claims all that is queued."""
    orphans = partial(
        hold_ownerless,
        keys=runtime.keys,
        directory=directory,
        store=stores.subscriptions,
        unknown=UnknownOwners(),
        note=_note_held,
    )
    beating = set[str]()
    return Sweeper(
        stores.queue,
        dispatcher,
        partial(_catch_up, runtime, stores, dispatcher, directory),
        {
            "mark_log": stores.generations.beat,
            "hold_orphans": orphans,
            "follow_attempts": observer.follow_up,
            "release_silenced": partial(release_silenced, directory=directory, store=stores.book, sender=dispatcher),
            "flush_changes": partial(flush_changes, directory=directory, changes=stores.changes),
            "flush_groups": partial(flush_groups, directory=directory, groups=stores.groups),
            "flush_heartbeats": partial(flush_heartbeats, directory=directory, started=beating, store=stores.beats),
            "flush_truce_notices": partial(flush_truce_notices, directory=directory, asked={}, store=stores.notices),
        },
        runtime.faults,
    )


def build_keep_alive(
    runtime: Runtime,
    stores: Stores,
    directory: Directory,
    dispatcher: Dispatcher,
    observer: AttemptObserver,
    registry: KnownRegistry,
    loops: Sequence[Loop],
    *,
    mails: bool,
) -> KeepAlive:
    """``loops`` are those whose lag is counted; readers of mail are asked where there is a relay (``mails``)."""
    database, not_before = runtime.database, dict[str, int]()

    async def ask(now: int) -> None:
        if mails:
            store = stores.subscriptions
            await ask_readers(now, directory=directory, store=store, make_tokens=make_tokens, not_before=not_before)

    async def say_alive(now: int) -> None:
        await database.write(lambda connection: stay(connection, stores.instance, now), durable=False)

    async def count(_now: int) -> None:
        await observer.recount(stores.queue, stores.beats, loops)

    return KeepAlive(
        {
            "stay": say_alive,
            "adopt": partial(stores.queue.adopt, alone=database.is_log),
            "release_stranded": StrandedClaims(stores.queue, dispatcher).release,
            "find_proofs": observer.find_proofs,
            "close_silences": partial(close_silences, directory=directory, history=stores.history),
            "tell_removed_names": RemovedNames(registry.known, directory, stores.history).tell,
            "forget_counts": stores.judged.forget,
            "ask_readers": ask,
            "forget_confirmations": stores.blocks.forget_confirmations,
            "count": count,
        },
        runtime.faults,
    )


async def _catch_up(runtime: Runtime, stores: Stores, dispatcher: Dispatcher, directory: Directory) -> None:
    """Read again what other processes, or a restore, changed."""
    await stores.generations.look(runtime.clock.now())
    dispatcher.pause(stores.generations.generation.held)
    await directory.refresh()


def _note_held(connection: Any, id: str, now: int) -> None:
    by = audit.by_system("notify")
    audit.record(connection, at=now, actor=by, action="subscription.held", resource=f"subscriptions/{id}")
