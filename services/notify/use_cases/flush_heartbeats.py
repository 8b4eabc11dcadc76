"""Prove that silence means that nothing happened: signed heartbeats, numbered without gaps, with counts."""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from services.notify.decisions.heartbeats import (
    DecidedHeartbeat,
    DueHeartbeat,
    HeartbeatCounts,
    Period,
    make_heartbeat,
    plan_heartbeat,
)
from services.notify.domain.heartbeat import first_due, period_of
from services.notify.domain.subscription import Subscription
from services.notify.use_cases.decide_apart import decide_apart
from services.notify.use_cases.directory import Directory

#: Heartbeats made in one transaction.
AT_ONCE: Final = 100


class HeartbeatStore(Protocol):
    async def start(self, dues: Mapping[str, tuple[int, int]]) -> None:
        """Begin to count for subscriptions: each with where its first period begins, and when it is due."""
        ...

    async def load_due(self, now: int, limit: int) -> Sequence[DueHeartbeat]: ...

    async def count(self, period: Period) -> HeartbeatCounts: ...

    async def save(
        self, decided: Sequence[DecidedHeartbeat], failed: Mapping[str, Exception], now: int, version: int
    ) -> None:
        """Keep what was decided, in one transaction; the heartbeat of a subscription that failed is put off. One that
        another process told meanwhile is left out. Raises StaleError where the directory changed."""
        ...


async def flush_heartbeats(now: int, directory: Directory, started: set[str], store: HeartbeatStore) -> None:
    """Begin what is new, send what is due. ``started``: subscriptions known to have begun."""
    await _start(now, directory, started, store)

    async def attempt(version: int) -> int:
        due = await store.load_due(now, AT_ONCE)
        if due:
            decided, failed = await _decide_all(due, directory, store, now)
            await store.save(decided, failed, now, version)
        return len(due)

    while await directory.decide(attempt) == AT_ONCE:
        pass


async def _start(now: int, directory: Directory, started: set[str], store: HeartbeatStore) -> None:
    drafts = {id: directory.subscriptions[id].draft for id in directory.beating}
    wanted = {id: period for id, draft in drafts.items() if (period := period_of(draft))}
    fresh = {id: (now, first_due(drafts[id], now, period)) for id, period in wanted.items() if id not in started}
    if fresh:
        await store.start(fresh)
    started.update(wanted)
    started.intersection_update(wanted)


async def _decide_all(
    due: Sequence[DueHeartbeat], directory: Directory, store: HeartbeatStore, now: int
) -> tuple[list[DecidedHeartbeat], dict[str, Exception]]:
    async def decide(one: DueHeartbeat) -> DecidedHeartbeat:
        found = directory.subscriptions.get(one.subscription) if one.subscription in directory.beating else None
        return await _decide(one, found, store, now)

    return await decide_apart(due, lambda one: one.subscription, decide)


async def _decide(
    due: DueHeartbeat, subscription: Subscription | None, store: HeartbeatStore, now: int
) -> DecidedHeartbeat:
    plan = None if subscription is None else plan_heartbeat(subscription, due, now)
    if subscription is None or plan is None:
        return DecidedHeartbeat(due)
    if plan.end is None:
        return DecidedHeartbeat(due, plan.next_due)
    counts = await store.count((subscription.id, due.period_from, plan.end))
    return make_heartbeat(subscription, due, plan, counts, now)
