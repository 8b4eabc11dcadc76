"""Quiet hours: when messages are held, and until when. Local times by the rules of their zone (rules.md 15)."""

from datetime import date, datetime, time, timedelta
from typing import Final

from schemas.instants import to_datetime, to_instant
from schemas.local_time import find_zone
from schemas.vocabulary import SEVERITIES, Severity
from services.notify.domain.subscription import QuietHours

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def quiet_until(quiet: QuietHours, now: int) -> int | None:
    """When the quiet stretch that holds ``now`` ends, or None outside of one. Stretches are half-open.

    Where two stretches abut, the end of the first is given; whoever is held asks again then.
    """
    today = to_datetime(now).astimezone(find_zone(quiet.timezone)).date()
    for day in (today - timedelta(days=1), today):
        if quiet.days and DAYS[day.weekday()] not in quiet.days:
            continue
        start, end = _stretch(quiet, day)
        if start <= now < end:
            return end
    return None


def breaks_through(quiet: QuietHours, severity: Severity) -> bool:
    """Whether an alert as grave as this is sent in spite of the hour."""
    least = quiet.except_min_severity
    return least is not None and SEVERITIES.index(severity) <= SEVERITIES.index(least)


def _stretch(quiet: QuietHours, day: date) -> tuple[int, int]:
    overnight = quiet.end <= quiet.start
    return (
        local_instant(day, quiet.start, quiet.timezone),
        local_instant(day + timedelta(days=overnight), quiet.end, quiet.timezone),
    )


def local_instant(day: date, clock: str, zone: str) -> int:
    """The instant of a local time of day, ``HH:MM``.

    One that the clocks skip is the moment they leap; one that comes twice is the first.
    """
    wall = datetime.combine(day, time.fromisoformat(clock), find_zone(zone))
    # Python maps a skipped time (fold 0) by the offset before the leap, that is past it by as much as it lies inside.
    back = to_datetime(to_instant(wall)).astimezone(wall.tzinfo)
    late = back.replace(tzinfo=None) - wall.replace(tzinfo=None)
    if not late:
        return to_instant(wall)
    return _leap(to_instant(wall - late), to_instant(wall), zone)


def _leap(before: int, after: int, zone: str) -> int:
    """The first instant of the new offset between two that lie on both sides of the leap."""
    place = find_zone(zone)
    old = to_datetime(before).astimezone(place).utcoffset()
    while after - before > 1:
        middle = (before + after) // 2
        if to_datetime(middle).astimezone(place).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after
