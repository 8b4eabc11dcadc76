"""Written times and their meaning: local times of a zone, whole days, durations. Source: judgement.md 13, 15.

Zones are rules, not offsets. A bare date and ``24:00`` mean the first instant of that local day, even where midnight
does not exist (Damascus, 25 March 2016); any other local time that does not exist, or exists twice, is refused.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from schemas.instants import (
    FIRST_INSTANT,
    HOUR,
    LAST_INSTANT,
    LEAP_SECOND,
    is_leap_second,
    to_datetime,
    to_instant,
)

_WRITTEN: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6})\d*)?)?(Z|[+-]\d\d:\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)
_DURATION: Final = re.compile(r"P(?:(\d{1,6})D)?(?:T(\d{1,6})H)?", re.ASCII)
_SEARCH_SPAN: Final = timedelta(days=3)
#: Days that begin and end within the accepted instants in whatever zone, so that a corrected zone never loses one.
FIRST_DAY: Final = date(1, 1, 3)
LAST_DAY: Final = date(9999, 12, 28)


def first_instant(day: date, zone: ZoneInfo) -> int:
    """When that local day begins; for a day that the zone skipped, when the next one does. Raises ValueError."""
    midnight = datetime.combine(day, time.min, zone)
    try:
        if _exists(midnight):
            return _on_calendar(to_instant(midnight))
        return _on_calendar(_search_first(day, zone, to_instant(midnight)))
    except OverflowError as error:
        raise ValueError(_beyond(str(day))) from error


def day_bounds(day: date, zone: ZoneInfo) -> tuple[int, int]:
    """The half-open instants of a whole local day. Raises ValueError for a day that is not one in every zone."""
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ValueError(_beyond(str(day)))
    return first_instant(day, zone), first_instant(_add(day, 1), zone)


def read_moment(text: str, zone: ZoneInfo) -> int:
    """The instant that a written time means. Raises ValueError, saying why, where it means none or two."""
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} is neither a date nor a time (YYYY-MM-DD, or YYYY-MM-DDTHH:MM with or without an offset)"
        )
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    try:
        written_day = date(int(year), int(month), int(day))
        if hour is None:
            return _day_begun(written_day, zone)
        if hour == "24":
            return _end_of_day(written_day, (minute, second or "0", fraction or "0"), offset, zone)
        if second == "60":
            return _leap_second(datetime.combine(written_day, time(int(hour), int(minute), 59)), offset, zone)
        clock = time(int(hour), int(minute), int(second or 0), int((fraction or "").ljust(6, "0")))
        return _on_calendar(_at(datetime.combine(written_day, clock), offset, zone))
    except OverflowError as error:
        raise ValueError(_beyond(repr(text))) from error


def read_duration(text: str) -> tuple[int, int]:
    """Local calendar days and exact hours of an ISO 8601 duration. Raises ValueError for any other, and for none."""
    match = _DURATION.fullmatch(text)
    if match is None or text.endswith(("P", "T")):
        raise ValueError(f"{text!r} is not a duration in days or hours (P1D, PT24H, P1DT12H)")
    days, hours = (int(part or 0) for part in match.groups())
    if not days and not hours:
        raise ValueError("a duration must be longer than nothing")
    return days, hours


def add_duration(start: int, duration: str, zone: ZoneInfo) -> int:
    """``start`` moved by local calendar days, then by exact hours. Raises ValueError as :func:`read_moment` does.

    A day that ends at midnight ends where ``24:00`` does. What starts with a day's first instant starts at midnight,
    even where that does not exist.
    """
    days, hours = read_duration(duration)
    try:
        return _on_calendar((_add_days(start, days, zone) if days else start) + hours * HOUR)
    except OverflowError as error:
        raise ValueError(_beyond(repr(duration))) from error


def _add_days(start: int, days: int, zone: ZoneInfo) -> int:
    begun = to_datetime(start).astimezone(zone).replace(tzinfo=None)
    wall = begun + timedelta(days=days)
    if wall.time() == time.min or start == first_instant(begun.date(), zone):
        return first_instant(wall.date(), zone)
    return _at(wall, None, zone)


def _add(day: date, days: int) -> date:
    try:
        return day + timedelta(days=days)
    except OverflowError as error:
        raise ValueError(_beyond(str(day))) from error


def _end_of_day(day: date, rest: tuple[str, str, str], offset: str | None, zone: ZoneInfo) -> int:
    if any(int(part) for part in rest):
        raise ValueError("no time of day is later than 24:00")
    following = _add(day, 1)
    if offset is None:
        return first_instant(following, zone)
    return _on_calendar(_at(datetime.combine(following, time.min), offset, zone))


def _day_begun(day: date, zone: ZoneInfo) -> int:
    """When a day begins that is one in every zone, or follows on the last of them."""
    if not FIRST_DAY <= day <= _add(LAST_DAY, 1):
        raise OverflowError
    return first_instant(day, zone)


def _leap_second(before: datetime, offset: str | None, zone: ZoneInfo) -> int:
    """The last moment of the second ``before`` it. Raises ValueError where no leap second can be."""
    second = _at(before, offset, zone)
    if not is_leap_second(second):
        raise ValueError("no minute has 60 seconds but the last of a month, UTC")
    return _on_calendar(second + LEAP_SECOND)


def _beyond(written: str) -> str:
    return f"{written} is beyond what the calendars of all time zones hold; an end that is open is null"


def _on_calendar(instant: int) -> int:
    """The instant itself. Raises OverflowError where some zone has no local time for it."""
    if not FIRST_INSTANT <= instant <= LAST_INSTANT:
        raise OverflowError
    return instant


def _at(wall: datetime, offset: str | None, zone: ZoneInfo) -> int:
    if offset is not None:
        return to_instant(wall.replace(tzinfo=datetime.fromisoformat(f"2000-01-01T00:00{offset.upper()}").tzinfo))
    first, second = wall.replace(tzinfo=zone), wall.replace(tzinfo=zone, fold=1)
    if first.utcoffset() != second.utcoffset():
        problem = "exists twice" if _exists(first) else "does not exist"
        raise ValueError(f"{wall.isoformat()} {problem} in {zone.key}; write it with an offset")
    return to_instant(first)


def _exists(moment: datetime) -> bool:
    back = moment.astimezone(UTC).astimezone(moment.tzinfo)
    return back.replace(tzinfo=None, fold=0) == moment.replace(tzinfo=None, fold=0)


def _search_first(day: date, zone: ZoneInfo, near: int) -> int:
    """The first instant whose local date is ``day`` or later, by bisection around ``near``."""
    span = _SEARCH_SPAN // timedelta(microseconds=1)
    before, after = near - span, near + span
    while after - before > 1:
        middle = (before + after) // 2
        if to_datetime(middle).astimezone(zone).date() < day:
            before = middle
        else:
            after = middle
    return after
