"""The UCDP Georeferenced Event Dataset (GED) and its candidate events, read as incident reports.

Every layout that was published is read by its names: with one column more or less, with a row of hashtags, without a
header (:data:`HEADLESS`), as pages of the API.

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
``source``          UCDP GED, grade C3 (C4 where ``code_status`` is not Clear), quoting each of ``source_office``
==================  ==========================================================================================
"""

from collections.abc import Iterator, Mapping, Set
from typing import Any, Final
from zoneinfo import ZoneInfo

from schemas.instants import parse_instant, to_datetime
from services.connectors.cells import CellReader, split_names
from services.connectors.days import whole_days
from services.connectors.model import RefusedRow, ReportDraft, RowContext, RowFault, RowOutcome, WithdrawnReport

PREFIX: Final = "ucdp-"
#: Radius in km by ``where_prec``: 1 the exact place, 2 near it, 3 district, 4 province, 5 region or line,
#: 6 country, 7 international waters or airspace.
RADIUS_KM: Final[dict[str, float]] = {"1": 1, "2": 25, "3": 50, "4": 100, "5": 200, "6": 300, "7": 300}
ACTS: Final = {"1": "armed_clash", "2": "armed_clash", "3": "civilian_harm"}
CLARITY: Final = {"1": False, "2": True}
GRADE: Final = "C3"
UNCLEAR_GRADE: Final = "C4"
COLUMNS: Final = frozenset(
    {"id", "date_start", "date_end", "type_of_violence", "latitude", "longitude", "where_prec", "side_a", "side_b",
     "best", "event_clarity"}
)  # fmt: skip
#: The columns of fields, for what the check of a report says of them.
_COLUMNS_OF: Final = {
    "/external_id": "id", "/occurred": "date_start", "/act": "type_of_violence", "/location": "where_coordinates",
    "/location/lat": "latitude", "/location/lon": "longitude", "/location/radius_km": "where_prec",
    "/perpetrators": "side_a", "/targets": "side_b", "/casualties/killed": "best", "/aggregate": "event_clarity",
    "/description": "source_headline", "/source/quotes": "source_office",
}  # fmt: skip
#: The candidate dataset 24.0.1 was published without a header.
HEADLESS: Final = (
    "id", "relid", "year", "active_year", "code_status", "type_of_violence", "conflict_dset_id", "conflict_new_id",
    "conflict_name", "dyad_dset_id", "dyad_new_id", "dyad_name", "side_a_dset_id", "side_a_new_id", "side_a",
    "side_b_dset_id", "side_b_new_id", "side_b", "number_of_sources", "source_article", "source_office",
    "source_date", "source_headline", "source_original", "where_prec", "where_coordinates", "where_description",
    "adm_1", "adm_2", "latitude", "longitude", "geom_wkt", "priogrid_gid", "country", "country_id", "region",
    "event_clarity", "date_prec", "date_start", "date_end", "deaths_a", "deaths_b", "deaths_civilians",
    "deaths_unknown", "best", "high", "low", "gwnoa", "gwnob",
)  # fmt: skip


def read_ucdp_row(row: Mapping[str, str], context: RowContext) -> RowOutcome:
    """The report of one row."""
    cells = CellReader(row, context)
    number = cells.id("id").removesuffix(".0")
    id = f"{PREFIX}{number}"
    first, last = cells.required_day("date_start"), cells.required_day("date_end")
    report = {
        "external_id": id,
        "act": cells.code("type_of_violence", ACTS, "/act"),
        "location": _location(cells),
        "perpetrators": cells.names(split_names(cells.required("side_a", "/perpetrators"), ",")),
        "targets": cells.names(split_names(cells.required("side_b", "/targets"), ",")),
        "casualties": _casualties(cells),
        "aggregate": cells.code("event_clarity", CLARITY, "/aggregate"),
        "description": row.get("source_headline") or row.get("dyad_name") or "",
        "source": {
            "name": "UCDP GED",
            "grade": context.tables.grade or _grade(row),
            "quotes": split_names(cells.text("source_office"), ";"),
        },
        "language": "en",
    }
    if cells.faults or first is None or last is None:
        return RefusedRow(tuple(cells.faults), id)
    if last < first:
        return RefusedRow((RowFault("ends_before_it_begins", "date_end", row["date_end"], "/occurred/to"),), id)
    return ReportDraft(id, {**report, "occurred": whole_days(first, last, context.zone)}, "", _COLUMNS_OF, row)


def _location(cells: CellReader) -> dict[str, Any]:
    for column in ("latitude", "longitude"):
        cells.required(column)
    location: dict[str, Any] = {
        "lat": cells.number("latitude", "/location/lat"),
        "lon": cells.number("longitude", "/location/lon"),
        "radius_km": cells.code("where_prec", RADIUS_KM, "/location/radius_km"),
    }
    place = cells.text("where_coordinates")
    return {"place": place, **location} if place else location


def _casualties(cells: CellReader) -> dict[str, int | None]:
    return {"killed": cells.count("best", "/casualties/killed")} if cells.required("best") else {}


def _grade(row: Mapping[str, str]) -> str:
    return GRADE if row.get("code_status", "Clear") == "Clear" else UNCLEAR_GRADE


def month_of(end: int, zone: ZoneInfo) -> str:
    """The month of the last day of an event that ended at an instant, ``YYYY-MM``."""
    return to_datetime(end - 1).astimezone(zone).strftime("%Y-%m")


def is_of_release(draft: ReportDraft) -> bool:
    """Whether a report is an event of UCDP's, with a time as this module writes it."""
    return draft.external_id.startswith(PREFIX) and isinstance(draft.report["occurred"], dict)


def month_of_report(occurred: Mapping[str, str], zone: ZoneInfo) -> str:
    """As :func:`month_of`, of a report's time as this module writes it."""
    return occurred["date"][:7] if "date" in occurred else month_of(parse_instant(occurred["to"]), zone)


def find_missing(kept: Mapping[str, str], there: Set[str], months: Set[str]) -> Iterator[WithdrawnReport]:
    """The events that a newer, full release no longer has, though it covers the month in which they ended.

    ``kept`` are the events known before: external_id to the month of their last day, ``YYYY-MM``. ``there`` and
    ``months`` are the ids and such months of the release.
    """
    for external_id, month in sorted(kept.items()):
        if external_id.startswith(PREFIX) and external_id not in there and month in months:
            yield WithdrawnReport(external_id, "The event is missing from a newer release of UCDP.")
