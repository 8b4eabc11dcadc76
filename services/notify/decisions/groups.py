"""The decision on a group of alerts that is due: one message with the net state of each, or a later time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from schemas.vocabulary import AlertStatus, Severity
from services.notify.decisions.heartbeats import DecidedHeartbeat, DueHeartbeat
from services.notify.domain.grouping import period_start
from services.notify.domain.lifecycle import SENT_TO, DeliveryState
from services.notify.domain.quiet import breaks_through, quiet_until
from services.notify.domain.subscription import Subscription
from services.notify.kinds.digest import DIGEST, DigestContent
from services.notify.kinds.kind import Job


@dataclass(frozen=True, slots=True)
class WaitingAlert:
    """An alert in a group: its newest revision, and whether its reader was told of it by an earlier message."""

    alert: str
    revision: int
    status: AlertStatus
    severity: Severity
    held_at: int
    due_at: int
    told_before: bool


@dataclass(frozen=True, slots=True)
class DueGroup:
    """A group with what waits in it, in the order in which it came, and the heartbeat that is next."""

    subscription: str
    key: str
    waiting: tuple[WaitingAlert, ...]
    heartbeat: DueHeartbeat | None


@dataclass(frozen=True, slots=True)
class DecidedGroup:
    """The decision on a due group: a message, or, where quiet hours have begun, another hour; neither drops it.
    ``heartbeat``: the one that the message carries as a line."""

    group: DueGroup
    job: Job | None = None
    state: DeliveryState = "pending"
    members: tuple[tuple[str, int, AlertStatus], ...] = ()
    postponed_to: int | None = None
    heartbeat: DecidedHeartbeat | None = None


def held_until(subscription: Subscription, waiting: Iterable[WaitingAlert], now: int) -> int | None:
    """The end of the quiet hours that hold alerts, unless one of them breaks through; None outside."""
    quiet = subscription.draft.quiet_hours
    until = quiet_until(quiet, now) if quiet else None
    if quiet and any(breaks_through(quiet, one.severity) for one in waiting):
        return None
    return until


def gather_group(
    subscription: Subscription, group: DueGroup, heartbeat: DecidedHeartbeat | None, now: int
) -> DecidedGroup:
    """The message of one group."""
    waiting, draft = group.waiting, subscription.draft
    members = tuple((w.alert, w.revision, net_status(w)) for w in waiting)
    due = min(w.due_at for w in waiting)
    content = DigestContent(
        start=period_start(draft, min(w.held_at for w in waiting), due),
        end=now if draft.mode == "immediate" else due,
        group=_read_key(group.key),
        members=members,
        heartbeat=None if heartbeat is None else heartbeat.told,
    )
    told = (f"{w.alert}.{w.revision}" for w in waiting)
    job = DIGEST.make(subscription.id, now, group.key, due, *told, content=content)
    state: DeliveryState = "pending" if subscription.state in SENT_TO else "held"
    return DecidedGroup(group, job, state, members, heartbeat=heartbeat)


def net_status(waiting: WaitingAlert) -> AlertStatus:
    """The status of an alert, to a reader who hears of it now."""
    if waiting.status == "cancelled":
        return "cancelled"
    return "updated" if waiting.told_before else "raised"


def _read_key(key: str) -> dict[str, str]:
    """The names and values that a group's alerts have in common."""
    found: Mapping[str, str] = msgspec.json.decode(key)
    return dict(found)
