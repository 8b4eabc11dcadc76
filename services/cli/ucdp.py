"""The UCDP Georeferenced Event Dataset, as it is published, read as incident reports.

UCDP names the two sides of an event, not an attacker and a victim. Taking ``side_a`` for the perpetrators and
``side_b`` for the targets is a convention; what follows from it is a statistic about the data, never an accusation.

==================  ==========================================================================================
report              UCDP column
==================  ==========================================================================================
``external_id``     ``ucdp-`` and ``id``
``occurred``        ``date_start`` to ``date_end``, whole local days, both included
``act``             ``type_of_violence``: 3 (one-sided) is ``civilian_harm``, 1 and 2 are ``armed_clash``
``location``        ``latitude``, ``longitude``; ``where_coordinates``; the radius by ``where_prec``
``perpetrators``    ``side_a``, split at commas
``targets``         ``side_b``, split at commas
``casualties``      ``killed`` is ``best``
``aggregate``       ``event_clarity`` is 2: the event sums up several
``description``     ``source_headline``, else ``dyad_name``
``source``          UCDP GED, grade C3, quoting each of ``source_office``
==================  ==========================================================================================
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo

from schemas.instants import format_instant
from schemas.local_time import day_bounds

#: Radius in km by ``where_prec``: 1 the exact place, 2 near it, 3 district, 4 province, 5 region or line,
#: 6 country, 7 international waters or airspace.
RADIUS_KM: Final[dict[str, float]] = {"1": 1, "2": 25, "3": 50, "4": 100, "5": 200, "6": 300, "7": 300}
ACTS: Final = {"1": "armed_clash", "2": "armed_clash", "3": "civilian_harm"}
GRADE: Final = "C3"
COLUMNS: Final = frozenset(
    {"id", "date_start", "date_end", "type_of_violence", "latitude", "longitude", "where_prec", "side_a", "side_b",
     "best", "event_clarity"}
)  # fmt: skip


class UnreadableRowError(ValueError):
    """A row that is not as UCDP publishes it; the text names the column."""


def read_row(row: Mapping[str, str], zone: ZoneInfo) -> dict[str, Any]:
    """The report of one row, as it is posted. ``zone`` is that of the registry. Raises UnreadableRowError."""
    missing = [name for name in sorted(COLUMNS) if not row.get(name)]
    if missing:
        raise UnreadableRowError(f"no {', '.join(missing)}")
    return {
        "external_id": f"ucdp-{row['id']}",
        "occurred": _occurred(row, zone),
        "act": _one_of(row, "type_of_violence", ACTS),
        "location": _location(row),
        "perpetrators": _names(row["side_a"]),
        "targets": _names(row["side_b"]),
        "casualties": {"killed": _number(row, "best", int)},
        "aggregate": row["event_clarity"] == "2",
        "description": row.get("source_headline") or row.get("dyad_name") or "",
        "source": {"name": "UCDP GED", "grade": GRADE, "quotes": _names(row.get("source_office", ""), ";")},
        "language": "en",
    }


def _occurred(row: Mapping[str, str], zone: ZoneInfo) -> dict[str, str]:
    """One day stays a day, which the registry's time zone gives its meaning; several become an interval."""
    first, last = _day(row, "date_start"), _day(row, "date_end")
    if first == last:
        return {"date": first.isoformat()}
    return {"from": format_instant(day_bounds(first, zone)[0]), "to": format_instant(day_bounds(last, zone)[1])}


def _day(row: Mapping[str, str], column: str) -> date:
    """Some editions write ``2016-02-26``, others ``2016-02-26 00:00:00.000``."""
    try:
        return date.fromisoformat(row[column][:10])
    except ValueError as error:
        raise UnreadableRowError(f"{column}: {row[column]!r} is no day") from error


def _location(row: Mapping[str, str]) -> dict[str, Any]:
    location: dict[str, Any] = {
        "lat": _number(row, "latitude", float),
        "lon": _number(row, "longitude", float),
        "radius_km": _one_of(row, "where_prec", RADIUS_KM),
    }
    place = " ".join(row.get("where_coordinates", "").split())
    return {"place": place, **location} if place else location


def _names(text: str, separator: str = ",") -> list[str]:
    """Each name once, in order, with its inner spaces made single."""
    return list(dict.fromkeys(name for part in text.split(separator) if (name := " ".join(part.split()))))


def _number(row: Mapping[str, str], column: str, kind: type[int] | type[float]) -> float:
    try:
        return kind(row[column])
    except ValueError as error:
        raise UnreadableRowError(f"{column}: {row[column]!r} is no number") from error


def _one_of(row: Mapping[str, str], column: str, meanings: Mapping[str, Any]) -> Any:
    if row[column] not in meanings:
        raise UnreadableRowError(f"{column}: {row[column]!r} is none of {', '.join(meanings)}")
    return meanings[row[column]]
