"""ACLED: the export of 31 columns, the answer of its API, its list of deletions, read as incident reports.

ACLED gives actor 1 and actor 2 no direction. For ``Armed clash``, taking actor 1 for the perpetrators is a convention,
as it is with UCDP; what follows from it is a statistic about the data, never an accusation.

==================  ==========================================================================================
report              ACLED column
==================  ==========================================================================================
``external_id``     ``acled-`` and ``event_id_cnty``
``occurred``        ``event_date`` by ``time_precision``: 1 the day; 2 three days before to three after; 3 its month
``aggregate``       ``time_precision`` is not 1
``act``             ``sub_event_type``, by the table below
``location``        ``location``, ``latitude``, ``longitude``; the radius by ``geo_precision``
``perpetrators``    ``actor1`` and ``assoc_actor_1``, split at semicolons, without the years of a regime
``targets``         ``actor2`` and ``assoc_actor_2`` likewise; ``inter2`` 7 or ``Civilians`` adds ``civilians``
``casualties``      ``killed`` is ``fatalities``; 0 is "none or not stated", and absent
``sites``           ``hospital`` where health workers are among the associates
``description``     ``notes``
``source``          ACLED, grade C3, quoting each of ``source``
==================  ==========================================================================================
"""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from schemas.vocabulary import Act
from services.connectors.cells import CellReader, is_shortened, split_names
from services.connectors.days import whole_days
from services.connectors.model import (
    RefusedRow,
    ReportDraft,
    RowContext,
    RowFault,
    RowOutcome,
    WithdrawnReport,
)

PREFIX: Final = "acled-"
GRADE: Final = "C3"
#: Radius in km: 1 the place itself, 2 near it, 3 its province.
RADIUS_KM: Final[dict[str, float]] = {"1": 5, "2": 25, "3": 100}
TIME_PRECISIONS: Final = {"1": "day", "2": "week", "3": "month"}
#: ``Agreement`` is no act: it may announce a truce.
ANNOUNCEMENT: Final = "Agreement"
ACTS: Final[dict[str, Act | None]] = {
    ANNOUNCEMENT: None,
    "Armed clash": "armed_clash",
    "Government regains territory": "territorial_gain",
    "Non-state actor overtakes territory": "territorial_gain",
    "Chemical weapon": "chemical",
    "Air/drone strike": "airstrike",
    "Suicide bomb": "ied",
    "Remote explosive/landmine/IED": "ied",
    "Shelling/artillery/missile attack": "shelling",
    "Grenade": "small_arms",
    "Sexual violence": "sexual_violence",
    "Attack": "civilian_harm",
    "Excessive force against protesters": "civilian_harm",
    "Abduction/forced disappearance": "abduction",
    "Peaceful protest": "protest",
    "Protest with intervention": "protest",
    "Violent demonstration": "protest",
    "Mob violence": "crime",
    "Looting/property destruction": "crime",
    "Arrests": "arrest",
    "Headquarters or base established": "occupation",
    "Change to group/activity": "other",
    "Disrupted weapons use": "other",
    "Non-violent transfer of territory": "other",
    "Other": "other",
}
#: ``inter2`` in old files and in new ones.
CIVILIANS: Final = frozenset({"7", "7.0", "Civilians"})
COLUMNS: Final = frozenset({"event_id_cnty", "event_date", "sub_event_type", "actor1", "latitude", "longitude"})
DELETION_COLUMNS: Final = frozenset({"event_id_cnty", "deleted_timestamp"})
#: The columns of fields, for what the check of a report says of them.
_COLUMNS_OF: Final = {
    "/external_id": "event_id_cnty", "/occurred": "event_date", "/act": "sub_event_type", "/location": "location",
    "/location/lat": "latitude", "/location/lon": "longitude", "/location/radius_km": "geo_precision",
    "/perpetrators": "actor1", "/targets": "actor2", "/casualties/killed": "fatalities", "/description": "notes",
    "/source/quotes": "source",
}  # fmt: skip
_YEARS: Final = re.compile(r"\s*\(\d{4}-(?:\d{4})?\)")


def read_acled_row(row: Mapping[str, str], context: RowContext) -> RowOutcome:
    """The report of one row, or the withdrawal that a deletion is."""
    if "deleted_timestamp" in row:
        return _read_deletion(row)
    cells = CellReader(row, context)
    id = f"{PREFIX}{cells.id('event_id_cnty')}"
    act = cells.code("sub_event_type", ACTS, "/act")
    if row.get("sub_event_type") == ANNOUNCEMENT:
        return RefusedRow((RowFault("announcement", "sub_event_type", ANNOUNCEMENT),), id)
    precision = cells.code("time_precision", TIME_PRECISIONS)
    day = cells.required_day("event_date")
    location = _location(cells)
    killed = cells.count("fatalities", "/casualties/killed")
    if cells.faults or day is None or precision is None:
        return RefusedRow(tuple(cells.faults), id)
    report = {
        "external_id": id,
        "occurred": _occurred(day, precision, context.zone),
        "act": act,
        "location": location,
        "perpetrators": cells.names(_actors(cells, "1")),
        "targets": cells.names(_actors(cells, "2") + _civilians(row)),
        "casualties": {"killed": killed} if killed else {},
        "sites": _sites(row),
        "aggregate": precision != "day",
        "description": row.get("notes", ""),
        "source": {
            "name": "ACLED",
            "grade": context.tables.grade or GRADE,
            "quotes": split_names(cells.text("source"), ";"),
        },
        "language": "en",
    }
    return ReportDraft(id, report, row.get("timestamp", ""), _COLUMNS_OF, row)


def _read_deletion(row: Mapping[str, str]) -> RowOutcome:
    id = row.get("event_id_cnty", "")
    if not id or is_shortened(id):
        return RefusedRow((RowFault("mangled_id" if id else "empty", "event_id_cnty", id or None),))
    return WithdrawnReport(f"{PREFIX}{id}", "ACLED has deleted the event.", row["deleted_timestamp"])


def _occurred(day: date, precision: str, zone: ZoneInfo) -> dict[str, str]:
    if precision == "day":
        return {"date": day.isoformat()}
    if precision == "week":
        return whole_days(day - timedelta(days=3), day + timedelta(days=3), zone)
    first = day.replace(day=1)
    return whole_days(first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1), zone)


def _location(cells: CellReader) -> dict[str, Any]:
    location: dict[str, Any] = {}
    if place := cells.text("location"):
        location["place"] = place
    lat, lon = cells.number("latitude", "/location/lat"), cells.number("longitude", "/location/lon")
    if lat is not None:
        location["lat"] = lat
    if lon is not None:
        location["lon"] = lon
    radius = cells.code("geo_precision", RADIUS_KM, "/location/radius_km")
    return location if lat is None or lon is None else {**location, "radius_km": radius}


def _actors(cells: CellReader, number: str) -> list[str]:
    named = f"{cells.row.get(f'actor{number}', '')};{cells.row.get(f'assoc_actor_{number}', '')}"
    return split_names(_YEARS.sub("", named) if "(" in named else named, ";")


def _civilians(row: Mapping[str, str]) -> list[str]:
    return ["civilians"] if row.get("inter2") in CIVILIANS else []


def _sites(row: Mapping[str, str]) -> list[str]:
    associates = f"{row.get('assoc_actor_1', '')};{row.get('assoc_actor_2', '')}"
    return ["hospital"] if "Health Workers" in associates else []
