"""Lengths of time as subscriptions write them: ISO 8601 durations of exact length, such as ``PT30S`` or ``P1DT2H``."""

import re
from functools import lru_cache
from typing import Final

from schemas.instants import DAY, HOUR, MINUTE, SECOND

_WRITTEN: Final = re.compile(
    r"P(?:(\d{1,4})D)?(?:T(?=\d)(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?", re.ASCII | re.IGNORECASE
)
_UNITS: Final = (DAY, HOUR, MINUTE, SECOND)


@lru_cache(maxsize=1024)
def parse_duration(text: str) -> int:
    """Microseconds; a day is 24 hours. Raises ValueError for what is no such duration."""
    match = _WRITTEN.fullmatch(text)
    if match is None or not any(match.groups()):
        raise ValueError(f"{text!r} is no ISO 8601 duration in days, hours, minutes and seconds, such as PT1H")
    return sum(int(part or 0) * unit for part, unit in zip(match.groups(), _UNITS, strict=True))
