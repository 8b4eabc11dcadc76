"""Which alerts go into one message, and when it is due: groups, digests, daily summaries."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Final

from schemas.assessments import Alert
from schemas.instants import MINUTE, to_datetime
from schemas.zones import find_zone
from services.notify.domain.durations import parse_duration
from services.notify.domain.quiet import local_instant
from services.notify.domain.subscription import DigestMode, Draft, GroupBy, format_of

NONE: Final = "-"
#: An alert waits no longer than this for the others that the same change of the registry causes.
CHANGE_WAIT: Final = 5 * MINUTE
#: As many alerts of one change are told each by itself; more of them are one message.
MOST_APART: Final = 20


def is_gathered(draft: Draft) -> bool:
    """Whether alerts wait for one another rather than each going out at once."""
    return draft.mode != "immediate" or bool(draft.group_by)


def awaited_change(draft: Draft, alert: Alert) -> int | None:
    """The change of the registry that caused the alert, where it waits for the others of that change. A digest waits
    for its hour anyway, and a CAP document holds one alert."""
    if draft.mode != "immediate" or format_of(draft) == "cap" or alert.cause.kind != "registry":
        return None
    return alert.cause.registry_version


def read_group(group_by: tuple[GroupBy, ...], alert: Alert) -> dict[str, str]:
    """The name and value of each field that alerts are grouped by; several values are one, joined in order."""
    found = {
        "truce": alert.truces,
        "thread": (alert.thread,),
        "area": (alert.place.area,) if alert.place.area else alert.areas,
        "perpetrator": tuple(p.party or p.reported for p in alert.perpetrators),
    }
    return {name: _joined(found[name]) for name in group_by}


def _joined(values: Iterable[str]) -> str:
    return ",".join(sorted(set(values))) or NONE


def due_at(draft: Draft, now: int, last_sent: int | None) -> int:
    """When the message that gathers an alert of ``now`` is due.

    Groups: ``group_wait`` after the first alert, and not within ``group_interval`` of the message before. Digests: at
    the next end of a period counted from the epoch, UTC; daily: at the next such local time.
    """
    if draft.mode != "immediate":
        return next_boundary(draft.mode, now)
    wait, interval = parse_duration(draft.group_wait), parse_duration(draft.group_interval)
    return now + wait if last_sent is None else max(now + wait, last_sent + interval)


def next_boundary(mode: DigestMode, now: int) -> int:
    """The first end of a period after ``now``."""
    if mode.digest is not None:
        period = parse_duration(mode.digest)
        return (now // period + 1) * period
    return next(instant for instant in _ends(mode, now, range(3)) if instant > now)


def last_boundary(mode: DigestMode, now: int) -> int:
    """The last end of a period that is not after ``now``."""
    if mode.digest is not None:
        period = parse_duration(mode.digest)
        return now // period * period
    return next(instant for instant in _ends(mode, now, range(0, -3, -1)) if instant <= now)


def _ends(mode: DigestMode, now: int, days: Iterable[int]) -> Iterator[int]:
    """When the daily message is due on each of these days, counted from the one of ``now``."""
    assert mode.daily is not None
    zone = mode.timezone or "UTC"
    day = to_datetime(now).astimezone(find_zone(zone)).date()
    return (local_instant(day + timedelta(days=n), mode.daily, zone) for n in days)


def period_start(draft: Draft, first: int, due: int) -> int:
    """Where the period of a gathered message begins; ``first`` is when the first of its alerts came."""
    if draft.mode == "immediate":
        return first
    if draft.mode.digest is not None:
        return min(due - parse_duration(draft.mode.digest), first)
    return min(last_boundary(draft.mode, due - 1), first)
