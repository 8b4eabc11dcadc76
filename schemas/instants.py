"""Instants: inside the system a moment is an ``int`` of microseconds since 1970-01-01T00:00:00Z.

On the wire it is RFC 3339 in UTC with a ``Z``. Integers compare, sort, index and vectorise alike in both
databases and in numpy, and carry no offset that could be lost.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
#: Every instant that is accepted. The calendars of all zones hold them: a zone is less than a day off UTC, and a
#: calendar has the years 1 to 9999.
FIRST_INSTANT: Final = (datetime(1, 1, 2, tzinfo=UTC) - _EPOCH) // _MICROSECOND
LAST_INSTANT: Final = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // _MICROSECOND - 1
#: From the second before a leap second to the last moment before midnight, as which it counts.
LEAP_SECOND: Final = SECOND - 1
_WRITTEN_LEAP_SECOND: Final = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d):60(?:\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def to_instant(moment: datetime) -> int:
    """Microseconds since the epoch. Raises ValueError for a datetime without an offset."""
    if moment.tzinfo is None:
        raise ValueError("a time needs an offset")
    return (moment - _EPOCH) // _MICROSECOND


def to_datetime(instant: int) -> datetime:
    """The aware UTC datetime of an instant. Raises OverflowError outside the years 1 to 9999."""
    return _EPOCH + timedelta(microseconds=instant)


def is_accepted(instant: int) -> bool:
    """Whether the calendars of all zones hold it."""
    return FIRST_INSTANT <= instant <= LAST_INSTANT


def is_leap_second(before: int) -> bool:
    """Whether a leap second may follow that second: they end months, at midnight UTC."""
    after = before + SECOND
    return after % DAY == 0 and is_accepted(after) and to_datetime(after).day == 1


def settle_leap_second(text: str) -> str:
    """A time with a 60th second as the last moment before midnight; any other text as it is.

    Raises ValueError where no leap second can be.
    """
    match = _WRITTEN_LEAP_SECOND.fullmatch(text)
    if match is None:
        return text
    if not is_leap_second(to_instant(datetime.fromisoformat(f"{match[1]}:59{match[2]}"))):
        raise ValueError("no minute has 60 seconds but the last of a month, UTC")
    return f"{match[1]}:59.999999{match[2]}"


def parse_instant(text: str) -> int:
    """An RFC 3339 time with an offset. Raises ValueError when it is none, bare of an offset, or beyond what the
    calendars of all zones hold."""
    instant = to_instant(datetime.fromisoformat(settle_leap_second(text) if ":60" in text else text))
    if not is_accepted(instant):
        raise ValueError("beyond what the calendars of all time zones hold")
    return instant


def format_instant(instant: int) -> str:
    """RFC 3339 in UTC, with ``Z``; fractions only where there are any."""
    second, fraction = divmod(instant, SECOND)
    return f"{_format_second(second)}.{fraction:06}Z" if fraction else f"{_format_second(second)}Z"


@lru_cache(maxsize=256)
def _format_second(second: int) -> str:
    return to_datetime(second * SECOND).isoformat().removesuffix("+00:00")
