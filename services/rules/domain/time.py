"""When an incident was, and how its time meets other times. Source: judgement.md 12, 15 and "Verdicts"."""

from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from schemas.instants import HOUR, to_instant
from schemas.local_time import day_bounds
from schemas.report import Occurrence
from services.rules.domain.model import Period

#: How near in time a window must be for its truce to have a say.
NEAR: Final = 72 * HOUR
#: Anything longer is a statistic (judgement.md 12).
LONGEST: Final = 72 * HOUR
#: Stands for an open end, so that intervals compare as numbers.
FOREVER: Final = 2**62


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open ``[start, end)``; where both are the same it is that one instant."""

    start: int
    end: int

    @property
    def is_long(self) -> bool:
        return self.end - self.start > LONGEST

    def meets(self, start: int, end: int) -> bool:
        """Whether any moment of this span lies in ``[start, end)``."""
        if self.start == self.end:
            return start <= self.start < end
        return start < end and start < self.end and self.start < end

    def meets_period(self, period: Period) -> bool:
        """Presence counts on any overlap."""
        return self.meets(
            -FOREVER if period.start is None else period.start, FOREVER if period.end is None else period.end
        )

    def distance(self, start: int, end: int) -> int:
        """Microseconds between this span and ``[start, end)``; 0 where they touch."""
        return max(start - self.end, self.start - end, 0)


def span_of(occurred: datetime | Occurrence, zone: ZoneInfo) -> Span:
    """When a report says it was. Raises ValueError where it says nothing, or an impossible date."""
    if isinstance(occurred, datetime):
        instant = to_instant(occurred)
        return Span(instant, instant)
    if occurred.date is not None:
        return _day(occurred.date, zone)
    if occurred.start is None or occurred.end is None:
        raise ValueError("a time is an instant, a date, or an interval with both its ends")
    return Span(to_instant(occurred.start), to_instant(occurred.end))


@lru_cache(maxsize=4_096)
def _day(day: str, zone: ZoneInfo) -> Span:
    return Span(*day_bounds(date.fromisoformat(day), zone))
