"""Instants: inside the system a moment is an ``int`` of microseconds since 1970-01-01T00:00:00Z.

On the wire it is RFC 3339 in UTC with a ``Z``. Integers compare, sort, index and vectorise alike in both
databases and in numpy, and carry no offset that could be lost.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
#: What a calendar holds: the years 1 to 9999.
FIRST_INSTANT: Final = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
LAST_INSTANT: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


def to_instant(moment: datetime) -> int:
    """Microseconds since the epoch. Raises ValueError for a datetime without an offset."""
    if moment.tzinfo is None:
        raise ValueError("a time needs an offset")
    return (moment - _EPOCH) // _MICROSECOND


def to_datetime(instant: int) -> datetime:
    """The aware UTC datetime of an instant. Raises OverflowError outside the years 1 to 9999."""
    return _EPOCH + timedelta(microseconds=instant)


def parse_instant(text: str) -> int:
    """An RFC 3339 time with an offset. Raises ValueError when it is none, or bare of an offset."""
    return to_instant(datetime.fromisoformat(text))


def format_instant(instant: int) -> str:
    """RFC 3339 in UTC, with ``Z``; fractions only where there are any."""
    second, fraction = divmod(instant, SECOND)
    return f"{_format_second(second)}.{fraction:06}Z" if fraction else f"{_format_second(second)}Z"


@lru_cache(maxsize=256)
def _format_second(second: int) -> str:
    return to_datetime(second * SECOND).isoformat().removesuffix("+00:00")
