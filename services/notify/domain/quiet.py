"""Quiet hours: when messages are held, and until when. Local times by the rules of their zone (judgement.md 15)."""

from datetime import date, datetime, time, timedelta
from typing import Final

from schemas.instants import to_datetime, to_instant
from schemas.vocabulary import SEVERITIES, Severity
from schemas.zones import find_zone
from services.notify.domain.subscription import QuietHours

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def quiet_until(quiet: QuietHours, now: int) -> int | None:
    """When the quiet time that holds ``now`` ends, or None outside of one. Stretches are half-open; those that abut
    or overlap are one."""
    until: int | None = None
    # No more stretches than this can follow one another: all days cannot be quiet from end to end.
    for _ in range(len(DAYS) + 1):
        end = _stretch_end(quiet, now if until is None else until)
        if end is None:
            break
        until = end
    return until


def _stretch_end(quiet: QuietHours, moment: int) -> int | None:
    """The end of the stretch that holds the moment; of two, the later one."""
    today = to_datetime(moment).astimezone(find_zone(quiet.timezone)).date()
    stretches = [
        _stretch(quiet, day)
        for day in (today - timedelta(days=1), today)
        if not quiet.days or DAYS[day.weekday()] in quiet.days
    ]
    return max((end for start, end in stretches if start <= moment < end), default=None)


def breaks_through(quiet: QuietHours, severity: Severity) -> bool:
    """Whether an alert as grave as this is sent in spite of the hour."""
    least = quiet.except_min_severity
    return least is not None and SEVERITIES.index(severity) <= SEVERITIES.index(least)


def _stretch(quiet: QuietHours, day: date) -> tuple[int, int]:
    start = local_instant(day, quiet.start, quiet.timezone)
    if quiet.end == "24:00":
        return start, local_instant(day + timedelta(days=1), "00:00", quiet.timezone)
    overnight = quiet.end <= quiet.start
    return start, local_instant(day + timedelta(days=overnight), quiet.end, quiet.timezone)


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
