"""Incidents as CSV with a row of HXL hashtags, or as GeoJSON, as analysts' tools and ``trucewatch import`` read them.

Source: the contract, "Incident reports"; HXL standard 1.1; RFC 7946.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from schemas.report import Location, Occurrence, Report
from services.connectors.exported import quote_cell
from services.ingest.listing import Listed
from services.ingest.wire import IncidentSummary
from services.platform.http.exports import make_feature, read_slices, write_features, write_lines
from services.platform.paging import PageQuery

COLUMNS: Final = (
    ("incident_id", "#meta+incident"),
    ("external_id", "#event+id"),
    ("partner", "#meta+partner"),
    ("state", "#status+state"),
    ("verdict", "#status+verdict"),
    ("certainty", "#status+certainty"),
    ("severity", "#status+severity"),
    ("truces", "#meta+truces"),
    ("from", "#date+start"),
    ("to", "#date+end"),
    ("act", "#event+type"),
    ("place", "#loc+name"),
    ("area", "#loc+code"),
    ("lat", "#geo+lat"),
    ("lon", "#geo+lon"),
    ("radius_km", "#geo+precision+km"),
    ("perpetrators", "#group+name+first"),
    ("targets", "#group+name+second"),
    ("killed", "#affected+killed"),
    ("injured", "#affected+injured"),
    ("source", "#org+name"),
    ("grade", "#meta+grade"),
    ("description", "#description"),
    ("occurred", "#meta+occurred"),
    ("occurred.date", "#meta+occurred+day"),
    ("occurred.from", "#meta+occurred+from"),
    ("occurred.to", "#meta+occurred+to"),
    ("claims", "#meta+claims"),
    ("sites", "#meta+sites"),
    ("aggregate", "#meta+aggregate"),
    ("source.url", "#meta+url"),
    ("source.quotes", "#meta+source"),
    ("source.terms", "#meta+terms"),
    ("evidence", "#meta+evidence"),
    ("language", "#meta+language"),
)

ReadPage = Callable[[PageQuery], Awaitable[Sequence[Listed]]]


async def csv_of(query: PageQuery, read: ReadPage) -> AsyncIterator[str]:
    """All incidents of a list from the query's position on, a slice at a time: columns, hashtags, rows."""
    yield write_lines([[name for name, _ in COLUMNS], [tag for _, tag in COLUMNS]])
    async for page in read_slices(query, read, lambda one: one.key):
        yield write_lines([_row(one.summary) for one in page])


async def geojson_of(query: PageQuery, read: ReadPage) -> AsyncIterator[bytes]:
    """The same as one FeatureCollection; a feature has the incident as a list does, with its whole report."""
    async for part in write_features(read_slices(query, read, lambda one: one.key), lambda one: _feature(one.summary)):
        yield part


def _feature(one: IncidentSummary) -> dict[str, Any]:
    stored: Any = one.report
    where = msgspec.json.decode(stored, type=_Placed).location
    return make_feature(one.incident_id, where.lon, where.lat, one)


class _Placed(msgspec.Struct):
    location: Location


def _row(one: IncidentSummary) -> list[str | int | float | None]:
    stored: Any = one.report
    report = msgspec.json.decode(stored, type=Report)
    where = report.location
    texts = [
        one.incident_id, one.external_id, one.partner, one.state, one.verdict, one.certainty, one.severity,
        ";".join(one.truces), one.occurred.start, one.occurred.end, report.act, where.place, where.area,
    ]  # fmt: skip
    said = [";".join(report.perpetrators), ";".join(report.targets)]
    numbers = [report.casualties.killed, report.casualties.injured]
    source = [report.source.name, report.source.grade, report.description]
    return [
        *map(quote_cell, texts), where.lat, where.lon, where.radius_km, *map(quote_cell, said), *numbers,
        *map(quote_cell, source), *map(quote_cell, _as_posted(report)),
    ]  # fmt: skip


def _as_posted(report: Report) -> list[str | None]:
    """The rest of a report, in its own words: what the columns before do not say, or say in UTC."""
    occurred = report.occurred
    if isinstance(occurred, Occurrence):
        times = [None, occurred.date, *map(_write_moment, (occurred.start, occurred.end))]
    else:
        times = [_write_moment(occurred), None, None, None]
    lists = [report.claims, report.sites, report.source.quotes, report.evidence]
    claims, sites, quotes, evidence = (";".join(values) for values in lists)
    aggregate = "true" if report.aggregate else None
    source = report.source
    return [*times, claims, sites, aggregate, source.url, quotes, source.terms, evidence, report.language]


def _write_moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
