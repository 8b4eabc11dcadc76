"""When a heartbeat is due, and whether it is a message of its own or a line in one that is sent anyway.

A webhook gets each as a message. A mailbox gets one a day at most, and where it has a daily message, or a digest that
comes at least as often, the heartbeat is a line of that message: a subscriber reads one mail, on quiet days too.
"""

from dataclasses import dataclass
from typing import Final

from schemas.instants import DAY, SECOND
from services.notify.domain.durations import parse_duration
from services.notify.domain.grouping import last_boundary, next_boundary
from services.notify.domain.subscription import DigestMode, Draft, Webhook

#: A quiet day is told so long after its end: an alert of its last moment may still be on its way into the message.
LINGERS: Final = 2 * SECOND


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Counts of ``[start, end)`` for one subscription; ``last_alert`` is when the last one went out, an instant."""

    sequence: int
    start: int
    end: int
    reports: int
    violations: int
    delivered: int
    last_alert: int | None = None


def period_of(draft: Draft) -> int | None:
    """Microseconds between two heartbeats, None for no heartbeat. A mailbox gets one a day at most."""
    if draft.heartbeat is None:
        return None
    period = parse_duration(draft.heartbeat)
    return period if isinstance(draft.channel, Webhook) else max(period, DAY)


def carrier_of(draft: Draft) -> DigestMode | None:
    """The mode of the messages that carry the heartbeat as a line, None where it is a message of its own."""
    period = period_of(draft)
    if period is None or draft.mode == "immediate" or isinstance(draft.channel, Webhook):
        return None
    rare = draft.mode.digest is not None and parse_duration(draft.mode.digest) > period
    return None if rare else draft.mode


def first_due(draft: Draft, now: int, period: int) -> int:
    """When the first heartbeat is due that counts from ``now`` on."""
    carrier = carrier_of(draft)
    return now + period if carrier is None else line_due(carrier, now, period) + LINGERS


def line_due(carrier: DigestMode, counted_from: int, period: int) -> int:
    """The end of the first message's period that is to carry a line with what happened from ``counted_from`` on.

    Days by the calendar are not all equally long, so daily messages are counted, not measured: with a ``period`` of a
    day each carries a line.
    """
    earliest = counted_from + period
    return next_boundary(carrier, earliest - (DAY if carrier.daily is not None else 1))


def line_end(carrier: DigestMode, counted_from: int, period: int, now: int) -> int | None:
    """Up to when a line told now counts; None where none is due yet. After a long stop one line covers all of it."""
    return None if line_due(carrier, counted_from, period) > now else last_boundary(carrier, now)
