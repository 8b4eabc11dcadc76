"""Days of the sources as what a report says of time."""

from datetime import date
from zoneinfo import ZoneInfo

from schemas.instants import format_instant
from schemas.local_time import day_bounds


def whole_days(first: date, last: date, zone: ZoneInfo) -> dict[str, str]:
    """``occurred`` of whole local days, both included; one day stays a day, which the registry's zone gives its
    meaning. Raises ValueError for a day that is not one in every zone."""
    if first == last:
        return {"date": first.isoformat()}
    return {"from": format_instant(day_bounds(first, zone)[0]), "to": format_instant(day_bounds(last, zone)[1])}
