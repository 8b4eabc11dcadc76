"""The decision on a heartbeat that is due: a message of its own, a line in one that goes out anyway, or a later time.

First it is decided up to when a heartbeat counts; with the counts of that period it is made.
"""

from dataclasses import dataclass

from services.notify.domain.heartbeat import LINGERS, Heartbeat, carrier_of, line_due, line_end, period_of
from services.notify.domain.lifecycle import SENT_TO, DeliveryState
from services.notify.domain.quiet import quiet_until
from services.notify.domain.subscription import Subscription
from services.notify.kinds.heartbeat import HEARTBEAT
from services.notify.kinds.kind import Job

#: Of a subscription, the half-open period that is counted.
Period = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class DueHeartbeat:
    """The heartbeat of a subscription that is next: the one after ``sequence``, for the time from ``period_from`` on.

    ``gathering``: alerts wait for it in a message that is due by now.
    """

    subscription: str
    sequence: int
    period_from: int
    due_at: int
    gathering: bool = False


@dataclass(frozen=True, slots=True)
class HeartbeatCounts:
    """The counts of a period: reports judged, violations raised, messages delivered, the last of these alerts."""

    reports: int
    violations: int
    delivered: int
    last_alert: int | None


@dataclass(frozen=True, slots=True)
class HeartbeatPlan:
    """When the next one is due. ``end``: up to when this one counts; None where none is sent now."""

    next_due: int
    end: int | None = None


@dataclass(frozen=True, slots=True)
class DecidedHeartbeat:
    """The decision on ``due``. ``told`` is sent, by ``job`` where it is a message of its own. ``next_due`` None: the
    subscription has no heartbeat any more."""

    due: DueHeartbeat
    next_due: int | None = None
    told: Heartbeat | None = None
    job: Job | None = None
    state: DeliveryState = "pending"


def plan_heartbeat(subscription: Subscription, due: DueHeartbeat, now: int) -> HeartbeatPlan | None:
    """None where the subscription has no heartbeat. After a long stop one covers all of it, up to the last boundary."""
    period, carrier = period_of(subscription.draft), carrier_of(subscription.draft)
    if period is None:
        return None
    if carrier is None:
        end = due.due_at + (now - due.due_at) // period * period
        return HeartbeatPlan(end + period, end)
    # The line of a period without alerts, as a mail by itself. Where alerts are about to be sent it goes with them.
    quiet = subscription.draft.quiet_hours
    until = quiet_until(quiet, now) if quiet else None
    if until is not None:
        return HeartbeatPlan(until)
    if due.gathering:
        return HeartbeatPlan(now + LINGERS)
    line_ends = line_end(carrier, due.period_from, period, now)
    counted_from = due.period_from if line_ends is None else line_ends
    return HeartbeatPlan(line_due(carrier, counted_from, period) + LINGERS, line_ends)


def plan_line(subscription: Subscription, due: DueHeartbeat | None, now: int) -> HeartbeatPlan | None:
    """The line that a message which goes out now is to carry; None where it is to carry none."""
    period, carrier = period_of(subscription.draft), carrier_of(subscription.draft)
    if due is None or period is None or carrier is None:
        return None
    end = line_end(carrier, due.period_from, period, now)
    return None if end is None else HeartbeatPlan(line_due(carrier, end, period) + LINGERS, end)


def tell_line(due: DueHeartbeat, plan: HeartbeatPlan, counts: HeartbeatCounts) -> DecidedHeartbeat:
    """The heartbeat of the time from where the one before ended, for another message to carry."""
    assert plan.end is not None
    told = Heartbeat(
        sequence=due.sequence + 1,
        start=due.period_from,
        end=plan.end,
        reports=counts.reports,
        violations=counts.violations,
        delivered=counts.delivered,
        last_alert=counts.last_alert,
    )
    return DecidedHeartbeat(due, plan.next_due, told)


def make_heartbeat(
    subscription: Subscription, due: DueHeartbeat, plan: HeartbeatPlan, counts: HeartbeatCounts, now: int
) -> DecidedHeartbeat:
    """The heartbeat as a message of its own."""
    told = tell_line(due, plan, counts).told
    assert told is not None
    job = HEARTBEAT.make(subscription.id, now, told.start, told.sequence, content=told)
    return DecidedHeartbeat(due, plan.next_due, told, job, "pending" if subscription.state in SENT_TO else "held")
