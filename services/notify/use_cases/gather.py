"""Send what was gathered: one message for the alerts of a group, a period, a day, each with its net state."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from schemas.vocabulary import AlertStatus, Severity
from services.notify.domain.attempt import Job
from services.notify.domain.content import DigestContent, encode_content
from services.notify.domain.grouping import period_start
from services.notify.domain.identity import message_id
from services.notify.domain.lifecycle import SENT_TO, DeliveryState
from services.notify.domain.quiet import breaks_through, quiet_until
from services.notify.domain.subscription import Subscription
from services.notify.use_cases.directory import Directory
from services.notify.use_cases.heartbeat import Beat, Pulse, beat_along


@dataclass(frozen=True, slots=True)
class Waiting:
    """An alert in a group: its newest revision, and whether its reader was told of it by an earlier message."""

    alert: str
    revision: int
    status: AlertStatus
    severity: Severity
    held_at: int
    due_at: int
    told_before: bool


@dataclass(frozen=True, slots=True)
class Gathered:
    """What becomes of a due group: a message, or, where quiet hours have begun, another hour. ``beat``: the heartbeat
    that the message carries as a line."""

    job: Job | None = None
    members: Sequence[tuple[str, int, AlertStatus]] = ()
    state: DeliveryState = "pending"
    postponed_to: int | None = None
    beat: Beat | None = None


#: What becomes of a group (subscription, key), given what waits in it; None drops it with its subscription.
Gather = Callable[[str, str, Sequence[Waiting], Pulse], Gathered | None]


class Groups(Protocol):
    async def flush(self, now: int, gather: Gather, version: int, limit: int) -> int:
        """Each due group through ``gather``, in one transaction; returns how many were due, at most ``limit``. Raises
        StaleError."""
        ...


#: Groups flushed in one transaction.
AT_ONCE = 100


async def flush_groups(now: int, directory: Directory, groups: Groups) -> None:
    """Every group that is due, as one message each."""

    def gather(subscription: str, key: str, waiting: Sequence[Waiting], pulse: Pulse) -> Gathered | None:
        found = directory.subscriptions.get(subscription)
        return None if found is None else gather_group(found, key, waiting, pulse, now)

    while await directory.decide(lambda version: groups.flush(now, gather, version, AT_ONCE)) == AT_ONCE:
        pass


def gather_group(subscription: Subscription, key: str, waiting: Sequence[Waiting], pulse: Pulse, now: int) -> Gathered:
    """The message of one group. Quiet hours hold it, unless one of its alerts breaks through."""
    quiet = subscription.draft.quiet_hours
    until = quiet_until(quiet, now) if quiet else None
    if until is not None and quiet and not any(breaks_through(quiet, w.severity) for w in waiting):
        return Gathered(postponed_to=until)
    members = tuple((w.alert, w.revision, net_status(w)) for w in waiting)
    due = min(w.due_at for w in waiting)
    immediate = subscription.draft.mode == "immediate"
    beat = beat_along(subscription, pulse, now)
    content = DigestContent(
        start=period_start(subscription.draft, min(w.held_at for w in waiting), due),
        end=now if immediate else due,
        group=read_key(key),
        members=members,
        heartbeat=None if beat is None else beat.told,
    )
    job = Job(
        id=message_id(subscription.id, "digest", key, due, *(f"{w.alert}.{w.revision}" for w in waiting)),
        subscription=subscription.id,
        kind="digest",
        created_at=now,
        content=encode_content(content),
    )
    return Gathered(job, members, "pending" if subscription.state in SENT_TO else "held", beat=beat)


def net_status(waiting: Waiting) -> AlertStatus:
    """What an alert is, to a reader who hears of it now."""
    if waiting.status == "cancelled":
        return "cancelled"
    return "updated" if waiting.told_before else "raised"


def read_key(key: str) -> dict[str, str]:
    """The names and values that a group's alerts have in common."""
    found: Mapping[str, str] = msgspec.json.decode(key)
    return dict(found)
