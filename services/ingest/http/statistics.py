"""GET /v1/statistics. Source: the contract, "Incident reports"."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from schemas.instants import format_instant
from schemas.local_time import first_instant
from schemas.vocabulary import ACTS, OUTCOMES, SEVERITIES
from services.connectors.exported import quote_cell
from services.ingest.facets import GROUPS
from services.ingest.http.incidents import INCIDENTS_LIST, reader_of
from services.ingest.names import KnownNames
from services.ingest.statistics import add_up
from services.ingest.tallies import PERIODS, ClaimedRange, Period, Tally, period_starts
from services.ingest.wire import MAX_POINTS, MAX_SERIES, ClaimedExtent, Series, Statistics, StatisticsPoint
from services.platform.db.engine import Database
from services.platform.http.accept import prefers
from services.platform.http.describe import describe
from services.platform.http.exports import BY_ACCEPT, CSV_TYPE, write_lines
from services.platform.http.lists import Listing, read_list
from services.platform.http.problems import FieldError, Problem
from services.platform.http.reply import reply
from services.platform.http.routes import make_router

#: The filters of the list of incidents.
COUNTED_INCIDENTS: Final = Listing(
    None, orders=("",), key=None, times="incidents that begin", filters=INCIDENTS_LIST.filters, paged=False
)
_COLUMNS: Final = (
    ("key", "#meta+key"),
    ("at", "#date+start"),
    ("incidents", "#event+num"),
    ("killed_min", "#affected+killed+min"),
    ("killed_max", "#affected+killed+max"),
    ("injured_min", "#affected+injured+min"),
    ("injured_max", "#affected+injured+max"),
)


def build_router(database: Database, names: KnownNames) -> APIRouter:
    router = make_router()

    @router.get("/v1/statistics")
    @describe(
        "Incidents and claimed casualties by period and by verdict, truce, party, area, act or severity; a partner "
        "sees those of its own. Retracted ones are not counted, and an incident is in the period that it begins in. "
        "Periods without incidents are left out, and so are all but the "
        f"{MAX_SERIES} series with most. `killed` and `injured` are never added over reports of one event: `min` and "
        "`max` are the least and the most that the claims come to",
        lists=COUNTED_INCIDENTS,
        answers={200: Statistics},
        query={
            "by": "The periods: local days, weeks from Monday or months, in the registry's zone.",
            "group": "What the series are of.",
        },
        roles=("partner", "monitor"),
        also=(CSV_TYPE,),
    )
    async def get_statistics(request: Request) -> Response:
        by, group = _read_choice(request, "by", PERIODS), _read_choice(request, "group", GROUPS)
        query, reader, zone = read_list(request, COUNTED_INCIDENTS), reader_of(request), names.local.zone
        keys = [f"{group}/{key}" for key in _keys_of(group, names)]
        start_of = period_starts(by, zone)
        found = await database.read(lambda connection: add_up(connection, query, keys, start_of, reader))
        _check_points(found, by)
        told = tell_statistics(found, lambda day: format_instant(first_instant(day, zone)))
        if prefers(request.headers.get("accept", ""), CSV_TYPE):
            return Response(_as_csv(told), media_type=CSV_TYPE, headers=BY_ACCEPT)
        return reply(told, headers=BY_ACCEPT)

    return router


def _read_choice(request: Request, name: str, values: Sequence[Any]) -> Any:
    """One of ``values``; the first where none is given. Raises Problem 400."""
    given = request.query_params.get(name) or values[0]
    if given not in values:
        raise Problem(400, "Not valid", errors=[FieldError(f"/{name}", f"must be one of: {', '.join(values)}")])
    return given


def _keys_of(group: str, names: KnownNames) -> Sequence[str]:
    known: Mapping[str, Sequence[str]] = {
        "verdict": OUTCOMES,
        "severity": SEVERITIES,
        "act": ACTS,
        "truce": [*names.truces],
        "party": [*names.parties],
        "area": [*names.areas],
    }
    return known[group]


def _check_points(found: Mapping[str, Mapping[date, Tally]], by: Period) -> None:
    if len({day for points in found.values() for day in points}) > MAX_POINTS:
        detail = f"more than {MAX_POINTS:,} {by}s have incidents; take longer periods, or a shorter time"
        raise Problem(400, "Not valid", errors=[FieldError("/by", detail)])


def tell_statistics(found: Mapping[str, Mapping[date, Tally]], write: Callable[[date], str]) -> Statistics:
    """The series with most incidents, by their keys."""
    most = sorted(found, key=lambda key: (-sum(tally.incidents for tally in found[key].values()), key))
    series = [
        Series(
            facet.partition("/")[2],
            [
                StatisticsPoint(write(day), tally.incidents, _extent(tally.killed), _extent(tally.injured))
                for day, tally in sorted(found[facet].items())
            ],
        )
        for facet in sorted(most[:MAX_SERIES])
    ]
    return Statistics(series, max(0, len(most) - MAX_SERIES))


def _extent(extent: ClaimedRange) -> ClaimedExtent:
    return ClaimedExtent(extent.least, extent.most)


def _as_csv(told: Statistics) -> str:
    rows = [
        [
            quote_cell(series.key), point.at, point.incidents, point.killed.min, point.killed.max, point.injured.min,
            point.injured.max,
        ]
        for series in told.series
        for point in series.points
    ]  # fmt: skip
    return write_lines([[name for name, _ in _COLUMNS], [tag for _, tag in _COLUMNS], *rows])
