"""When a report says that an incident took place: the one reading that intake and judging share.

Source: docs/judgement.md, rules 12 and 15.
"""

from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from schemas.instants import is_accepted, to_instant
from schemas.local_time import day_bounds
from schemas.report import Occurrence


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """Half-open ``[start, end)`` in microseconds, UTC; where both are equal it is that one instant."""

    start: int
    end: int

    def meets(self, start: int, end: int) -> bool:
        """Whether any moment of this span lies in ``[start, end)``."""
        if self.start == self.end:
            return start <= self.start < end
        return start < end and start < self.end and self.start < end

    def distance(self, start: int, end: int) -> int:
        """Microseconds between this span and ``[start, end)``; 0 where they touch."""
        return max(start - self.end, self.start - end, 0)


def locate_in_time(occurred: datetime | Occurrence, zone: ZoneInfo) -> TimeSpan:
    """The moments that ``occurred`` means; a date is a day of ``zone``. Raises ValueError where it means none."""
    if isinstance(occurred, datetime):
        moment = _moment(occurred)
        return TimeSpan(moment, moment)
    if occurred.date is not None:
        return _day(occurred.date, zone)
    if occurred.start is None or occurred.end is None:
        raise ValueError("a time is an instant, a date, or an interval with both its ends")
    return TimeSpan(_moment(occurred.start), _moment(occurred.end))


def _moment(moment: datetime) -> int:
    instant = to_instant(moment)
    if not is_accepted(instant):
        raise ValueError("is beyond what the calendars of all time zones hold")
    return instant


@lru_cache(maxsize=4_096)
def _day(text: str, zone: ZoneInfo) -> TimeSpan:
    if not text.isascii():
        raise ValueError("is no date")
    return TimeSpan(*day_bounds(date.fromisoformat(text), zone))
