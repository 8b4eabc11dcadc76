"""The limits of time that judging knows. Source: docs/judgement.md, rules 12 and "The verdict"."""

from typing import Final

from schemas.instants import HOUR
from schemas.time_span import TimeSpan
from services.rules.judging.model import Period

#: How near in time a window must be for its truce to apply.
NEAR: Final = 72 * HOUR
#: Anything longer is a statistic (docs/judgement.md, rule 12).
LONGEST: Final = 72 * HOUR
#: Stands for an open end, so that intervals compare as numbers.
FOREVER: Final = 2**62


def is_long(span: TimeSpan) -> bool:
    return span.end - span.start > LONGEST


def meets_period(span: TimeSpan, period: Period) -> bool:
    """Presence counts on any overlap."""
    return span.meets(-FOREVER if period.start is None else period.start, FOREVER if period.end is None else period.end)
