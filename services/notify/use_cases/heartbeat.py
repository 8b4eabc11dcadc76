"""Prove that silence means that nothing happened: signed heartbeats, numbered without gaps, with counts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from schemas.instants import DAY
from services.notify.domain.attempt import Job
from services.notify.domain.content import encode_content
from services.notify.domain.durations import parse_duration
from services.notify.domain.identity import message_id
from services.notify.domain.lifecycle import SENT_TO, DeliveryState
from services.notify.domain.message import Heartbeat
from services.notify.domain.subscription import Subscription, Webhook
from services.notify.use_cases.directory import Directory

#: Heartbeats made in one transaction.
AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Due:
    """The heartbeat of a subscription that is due: the one after ``sequence``, for the time from ``period_from`` on."""

    subscription: str
    sequence: int
    period_from: int
    due_at: int


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened in a period: reports judged, violations raised, messages delivered, the last of these alerts."""

    reports: int
    violations: int
    delivered: int
    last_alert: int | None


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat made, and when the next is due. No ``job``: the subscription has none any more."""

    job: Job | None = None
    state: DeliveryState = "pending"
    sequence: int = 0
    period_from: int = 0
    next_due: int = 0


Count = Callable[[str, int, int], Counts]
Make = Callable[[Due, Count], Beat]


class Heartbeats(Protocol):
    async def start(self, dues: Mapping[str, tuple[int, int]]) -> None:
        """Begin to count for subscriptions: each with where its first period begins, and when it ends."""
        ...

    async def flush(self, now: int, make: Make, limit: int) -> int:
        """Each due heartbeat through ``make``, in one transaction; returns how many were due."""
        ...


def period_of(subscription: Subscription) -> int | None:
    """Microseconds between two heartbeats, None for no heartbeat. A mailbox gets one a day at most."""
    if subscription.draft.heartbeat is None:
        return None
    period = parse_duration(subscription.draft.heartbeat)
    return period if isinstance(subscription.draft.channel, Webhook) else max(period, DAY)


async def flush_heartbeats(now: int, directory: Directory, started: set[str], store: Heartbeats) -> None:
    """Begin what is new, send what is due. ``started``: subscriptions known to have begun."""
    wanted = {id: period for id in directory.beating if (period := period_of(directory.subscriptions[id]))}
    await _start(now, {id: period for id, period in wanted.items() if id not in started}, store)
    started.update(wanted)
    started.intersection_update(wanted)

    def make(due: Due, count: Count) -> Beat:
        found = directory.subscriptions.get(due.subscription)
        period = wanted.get(due.subscription)
        return Beat() if found is None or period is None else beat(found, due, period, now, count)

    while await store.flush(now, make, AT_ONCE) == AT_ONCE:
        pass


async def _start(now: int, fresh: Mapping[str, int], store: Heartbeats) -> None:
    if fresh:
        await store.start({id: (now, now + period) for id, period in fresh.items()})


def beat(subscription: Subscription, due: Due, period: int, now: int, count: Count) -> Beat:
    """One heartbeat up to the last boundary that has passed: after a long stop one covers all of it."""
    end = due.due_at + (now - due.due_at) // period * period
    counts = count(subscription.id, due.period_from, end)
    told = Heartbeat(
        sequence=due.sequence + 1,
        start=due.period_from,
        end=end,
        reports=counts.reports,
        violations=counts.violations,
        delivered=counts.delivered,
        last_alert=counts.last_alert,
    )
    job = Job(
        id=message_id(subscription.id, "heartbeat", due.period_from, told.sequence),
        subscription=subscription.id,
        kind="heartbeat",
        created_at=now,
        content=encode_content(told),
    )
    state: DeliveryState = "pending" if subscription.state in SENT_TO else "held"
    return Beat(job, state, told.sequence, end, end + period)
