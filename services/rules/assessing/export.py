"""Assessments as CSV with a row of HXL hashtags, and as GeoJSON. Source: HXL standard 1.1; RFC 7946."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final

from schemas.assessments import Assessment, ResolvedParty
from schemas.instants import parse_instant
from services.connectors.exported import quote_cell
from services.platform.http.exports import make_feature, read_slices, write_features, write_lines
from services.platform.paging import PageQuery

COLUMNS: Final = (
    ("incident_id", "#meta+incident"),
    ("revision", "#meta+revision"),
    ("assessed_at", "#date+assessed"),
    ("registry_version", "#meta+registry"),
    ("verdict", "#status+verdict"),
    ("certainty", "#status+certainty"),
    ("severity", "#status+severity"),
    ("truces", "#meta+truces"),
    ("findings", "#meta+findings"),
    ("reasons", "#meta+reasons"),
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
    ("aggregate", "#meta+aggregate"),
    ("source", "#org+name"),
    ("grade", "#meta+grade"),
)

ReadPage = Callable[[PageQuery], Awaitable[Sequence[Assessment]]]


def key_of(one: Assessment) -> tuple[int | str, ...]:
    """The place of a current assessment in its list."""
    return parse_instant(one.occurred.start), one.incident_id


async def csv_of(query: PageQuery, read: ReadPage) -> AsyncIterator[str]:
    """All assessments of a list from the query's position on, a slice at a time."""
    yield write_lines([[name for name, _ in COLUMNS], [tag for _, tag in COLUMNS]])
    async for page in read_slices(query, read, key_of):
        yield write_lines([_row(one) for one in page])


async def geojson_of(query: PageQuery, read: ReadPage) -> AsyncIterator[bytes]:
    """The same as one FeatureCollection; the properties of a feature are the assessment."""
    async for part in write_features(read_slices(query, read, key_of), _feature):
        yield part


def _feature(one: Assessment) -> dict[str, Any]:
    return make_feature(one.incident_id, one.place.lon, one.place.lat, one)


def _row(one: Assessment) -> list[str | int | float | None]:
    codes = dict.fromkeys(
        reason.code for reasons in (one.reasons, *(f.reasons for f in one.findings)) for reason in reasons
    )
    place = one.place
    return [
        one.incident_id, one.revision, one.assessed_at, one.registry_version, one.verdict, one.certainty, one.severity,
        quote_cell(";".join(finding.truce for finding in one.findings if finding.outcome == one.verdict)),
        quote_cell(";".join(f"{finding.truce}={finding.outcome}" for finding in one.findings)), ";".join(codes),
        one.occurred.start, one.occurred.end, one.act, quote_cell(place.name), quote_cell(place.area), place.lat,
        place.lon, place.radius_km, _parties(one.perpetrators), _parties(one.targets), one.casualties.killed,
        one.casualties.injured, "true" if one.aggregate else None, quote_cell(one.source.name), one.source.grade,
    ]  # fmt: skip


def _parties(side: Sequence[ResolvedParty]) -> str | None:
    """By the ids of the registry, as reported where a name resolved to nobody."""
    return quote_cell(";".join(who.party or who.reported for who in side))
