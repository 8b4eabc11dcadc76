"""Prove that silence means that nothing happened: signed heartbeats, numbered without gaps, with counts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from services.notify.domain.attempt import Job
from services.notify.domain.content import encode_content
from services.notify.domain.heartbeat import LINGERS, carrier_of, first_due, line_due, line_end, period_of
from services.notify.domain.identity import message_id
from services.notify.domain.lifecycle import SENT_TO, DeliveryState
from services.notify.domain.message import Heartbeat
from services.notify.domain.quiet import quiet_until
from services.notify.domain.subscription import Gathered, Subscription
from services.notify.use_cases.directory import Directory

#: Heartbeats made in one transaction.
AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Due:
    """The heartbeat of a subscription that is next: the one after ``sequence``, for the time from ``period_from`` on.

    ``gathering``: alerts wait for it in a message that is due by now.
    """

    subscription: str
    sequence: int
    period_from: int
    due_at: int
    gathering: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened in a period: reports judged, violations raised, messages delivered, the last of these alerts."""

    reports: int
    violations: int
    delivered: int
    last_alert: int | None


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat made, and when the next is due. ``job`` is its own message, None where another one carries it."""

    told: Heartbeat
    next_due: int
    job: Job | None = None
    state: DeliveryState = "pending"


@dataclass(frozen=True, slots=True)
class PutOff:
    """Not yet: to be looked at again then."""

    until: int


Count = Callable[[str, int, int], Counts]
#: What becomes of a heartbeat that is due; None: its subscription has none any more.
Make = Callable[[Due, Count], Beat | PutOff | None]


@dataclass(frozen=True, slots=True)
class Pulse:
    """One subscription's heartbeat as the store has it within a transaction. ``due`` keeps other processes from telling
    the same one; None where none was begun."""

    due: Callable[[], Due | None]
    count: Count


class Heartbeats(Protocol):
    async def start(self, dues: Mapping[str, tuple[int, int]]) -> None:
        """Begin to count for subscriptions: each with where its first period begins, and when it is due."""
        ...

    async def flush(self, now: int, make: Make, version: int, limit: int) -> int:
        """Each due heartbeat through ``make``, in one transaction; returns how many were due. Raises StaleError."""
        ...


async def flush_heartbeats(now: int, directory: Directory, started: set[str], store: Heartbeats) -> None:
    """Begin what is new, send what is due. ``started``: subscriptions known to have begun."""
    wanted = {id: p for id in directory.beating if (p := period_of(directory.subscriptions[id].draft))}
    await _start(now, {id: period for id, period in wanted.items() if id not in started}, directory, store)
    started.update(wanted)
    started.intersection_update(wanted)

    def make(due: Due, count: Count) -> Beat | PutOff | None:
        found = directory.subscriptions.get(due.subscription) if due.subscription in directory.beating else None
        period = None if found is None else period_of(found.draft)
        if found is None or period is None:
            return None
        carrier = carrier_of(found.draft)
        if carrier is None:
            return beat(found, due, period, now, count)
        return beat_quietly(found, carrier, due, period, now, count)

    while await directory.decide(lambda version: store.flush(now, make, version, AT_ONCE)) == AT_ONCE:
        pass


async def _start(now: int, fresh: Mapping[str, int], directory: Directory, store: Heartbeats) -> None:
    if fresh:
        drafts = {id: directory.subscriptions[id].draft for id in fresh}
        await store.start({id: (now, first_due(drafts[id], now, period)) for id, period in fresh.items()})


def beat(subscription: Subscription, due: Due, period: int, now: int, count: Count) -> Beat:
    """A message of its own, up to the last boundary that has passed: after a long stop one covers all of it."""
    end = due.due_at + (now - due.due_at) // period * period
    return _alone(subscription, tell(due, end, count), end + period, now)


def beat_quietly(
    subscription: Subscription, carrier: Gathered, due: Due, period: int, now: int, count: Count
) -> Beat | PutOff:
    """The line of a period without alerts, as a mail by itself. Where alerts are about to be sent it goes with them."""
    quiet = subscription.draft.quiet_hours
    until = quiet_until(quiet, now) if quiet else None
    if until is not None:
        return PutOff(until)
    if due.gathering:
        return PutOff(now + LINGERS)
    end = line_end(carrier, due.period_from, period, now)
    if end is None:
        return PutOff(line_due(carrier, due.period_from, period) + LINGERS)
    return _alone(subscription, tell(due, end, count), line_due(carrier, end, period) + LINGERS, now)


def beat_along(subscription: Subscription, pulse: Pulse, now: int) -> Beat | None:
    """The line that a message which goes out now is to carry, if it is to carry one."""
    carrier, period = carrier_of(subscription.draft), period_of(subscription.draft)
    due = None if carrier is None else pulse.due()
    if carrier is None or period is None or due is None:
        return None
    end = line_end(carrier, due.period_from, period, now)
    return None if end is None else Beat(tell(due, end, pulse.count), line_due(carrier, end, period) + LINGERS)


def tell(due: Due, end: int, count: Count) -> Heartbeat:
    """The heartbeat of the time from where the one before ended up to ``end``."""
    counts = count(due.subscription, due.period_from, end)
    return Heartbeat(
        sequence=due.sequence + 1,
        start=due.period_from,
        end=end,
        reports=counts.reports,
        violations=counts.violations,
        delivered=counts.delivered,
        last_alert=counts.last_alert,
    )


def _alone(subscription: Subscription, told: Heartbeat, next_due: int, now: int) -> Beat:
    job = Job(
        id=message_id(subscription.id, "heartbeat", told.start, told.sequence),
        subscription=subscription.id,
        kind="heartbeat",
        created_at=now,
        content=encode_content(told),
    )
    return Beat(told, next_due, job, "pending" if subscription.state in SENT_TO else "held")
