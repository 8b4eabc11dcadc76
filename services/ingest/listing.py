"""Lists of incidents in SQL: whatever is filtered by, an index leads to the page.

A list with filters begins at the rarest facet that it asks for (:mod:`services.ingest.facets`) and checks the others
on the projection. A list from a time on begins three days before it, since nothing but an aggregate lasts longer; those
few have an index of their own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import Column, ColumnElement, Connection, Select, and_, case, func, or_, select

from schemas.assessments import Interval
from schemas.boxes import Box, read_box
from schemas.instants import format_instant
from schemas.vocabulary import CERTAINTIES, expand_acts
from services.ingest.domain import state_of
from services.ingest.facets import cells_over, read_facets, severities_from
from services.ingest.sql import LONG, deaths, facets, is_long, newest, projections, revisions
from services.ingest.text_search import find_matches, has_words
from services.ingest.wire import IncidentSummary
from services.ingest.withheld import EVERYTHING, Reader, show_report
from services.platform.db.containing import holds
from services.platform.db.packing import unpack
from services.platform.db.paging import one_of, select_page, touching_times
from services.platform.paging import PageQuery

#: Incidents of a facet that are counted before it is called frequent.
COUNTED: Final = 1_000
#: The filters that stand for facets.
_FACETED: Final = ("truce", "area", "party", "act", "verdict", "min_severity")

_STATE: ColumnElement[str] = case(
    # As services.ingest.domain.state_of has it, for a newest revision.
    (revisions.c.retracted.is_not(None), "retracted"),
    (projections.c.revision >= revisions.c.revision, "assessed"),
    (deaths.c.revision >= revisions.c.revision, "dead_lettered"),
    else_="accepted",
)
#: The columns of an incident on a map.
_PLACED: Final = (
    revisions.c.incident_id, revisions.c.occurred_start, projections.c.facets,
    projections.c.west, projections.c.south, projections.c.east, projections.c.north,
)  # fmt: skip
_FACET_ORDER: Final = (facets.c.occurred_start, facets.c.incident_id)
DEAD = deaths.c.incident_id == revisions.c.incident_id
_BY_TIME = revisions.outerjoin(projections, projections.c.incident_id == revisions.c.incident_id).outerjoin(
    deaths, DEAD
)
_BY_FACET = (
    facets.join(projections, projections.c.incident_id == facets.c.incident_id)
    .join(revisions, and_(revisions.c.incident_id == facets.c.incident_id, newest))
    .outerjoin(deaths, DEAD)
)


class _Fact(msgspec.Struct):
    """A stored fact, of which the report is passed on as it is."""

    received_at: str
    report: msgspec.Raw
    retracted: str | None = None


read_fact: Final = msgspec.json.Decoder(_Fact).decode


@dataclass(frozen=True, slots=True)
class Listed:
    """One incident of a list with its place in the order."""

    key: tuple[int | str, ...]
    summary: IncidentSummary


def list_incidents(connection: Connection, query: PageQuery, reader: Reader = EVERYTHING) -> list[Listed]:
    """One page of the incidents that are the reader's to see, with one more."""
    size = len(_order(query))
    return [Listed(tuple(row)[-size:], summary_of(row, reader)) for row in _find_rows(connection, query, reader)]


def list_placed(connection: Connection, query: PageQuery, reader: Reader = EVERYTHING) -> list[Any]:
    """The rows of such a page (:data:`_PLACED` and the key) whose incident was judged to be somewhere."""
    return _find_rows(connection, query, reader, _PLACED, [projections.c.west.is_not(None)])


def _find_rows(
    connection: Connection,
    query: PageQuery,
    reader: Reader,
    columns: Sequence[ColumnElement[Any]] | None = None,
    where: Sequence[ColumnElement[bool]] = (),
) -> list[Any]:
    """The rows of a page, with one more; each ends in its sort key."""
    conditions = [*_conditions(query), *where]
    if reader.partner is not None:
        conditions.append(revisions.c.partner == reader.partner)
    matching = find_matching(connection, query, reader)
    statements = _statements(connection, query, columns)
    if isinstance(matching, list):
        chosen = [newest, revisions.c.incident_id.in_(matching)]
        statements = iter([_page(columns, _BY_TIME, query, _order(query), chosen)] if matching else [])
    elif matching is not None:
        conditions.append(matching)
    size = len(_order(query))
    found = {
        row.incident_id: row for statement in statements for row in connection.execute(statement.where(*conditions))
    }
    ordered = sorted(found.values(), key=lambda row: tuple(row)[-size:], reverse=query.descending)
    return ordered[: query.limit + 1]


def find_matching(
    connection: Connection, query: PageQuery, reader: Reader, incident_id: ColumnElement[str] = revisions.c.incident_id
) -> list[str] | ColumnElement[bool] | None:
    """The incidents with the words that are looked for; the condition for that where there are many; None where no
    words are looked for."""
    sought = query.values("q")
    if not sought:
        return None
    found = find_matches(connection, sought, hidden=reader.gets_all)
    return has_words(sought, incident_id, hidden=reader.gets_all) if found is None else found


def cursor_types(query: PageQuery) -> tuple[type, ...]:
    """The types of the sort key of such a list."""
    return tuple(column.type.python_type for column in _order(query))


def summary_of(row: Any, reader: Reader) -> IncidentSummary:
    """An incident in a list, from a row of :func:`incident_rows`."""
    fact = read_fact(unpack(row.body))
    report: Any = show_report(fact.report, reader)
    state = state_of(row.revision, retracted=row.retracted is not None, assessed=row.assessed or 0, dead=row.dead or 0)
    occurred = Interval(format_instant(row.occurred_start), format_instant(row.occurred_end))
    named = read_facets(row.facets)
    certainty, severity = (next(iter(named.get(kind, ())), None) for kind in ("certainty", "severity"))
    return IncidentSummary(
        incident_id=row.incident_id, external_id=row.external_id, partner=row.partner, revision=row.revision,
        received_at=fact.received_at, state=state, verdict=row.verdict, certainty=certainty, severity=severity,
        truces=named.get("truce", []), occurred=occurred, report=report,
    )  # fmt: skip


def incident_rows(*more: ColumnElement[Any], source: Any = _BY_TIME) -> Select[Any]:
    """The columns of a list of incidents, and ``more``."""
    assessed, dead = projections.c.revision.label("assessed"), deaths.c.revision.label("dead")
    return select(revisions, assessed, projections.c.verdict, projections.c.facets, dead, *more).select_from(source)


def _statements(
    connection: Connection, query: PageQuery, columns: Sequence[ColumnElement[Any]] | None
) -> Iterator[Select[Any]]:
    """Statements whose rows together hold the page: an index leads each of them, and ends it after a page."""
    lead, order = _choose_lead(connection, query), _order(query)
    if lead is None:
        yield _page(columns, _BY_TIME, query, order, [newest, *_not_before(query, order[0])])
    for facet in lead or ():
        key = _FACET_ORDER if query.by == "occurred" else order
        conditions = [facets.c.facet == facet, *_not_before(query, facets.c.occurred_start)]
        yield _page(columns, _BY_FACET, query, key, [*conditions, *_before_end(query, facets.c.occurred_start)])
    if query.start is not None:
        yield _page(columns, _BY_TIME, query, order, [newest, is_long])


def _page(
    columns: Sequence[ColumnElement[Any]] | None,
    source: Any,
    query: PageQuery,
    key: Sequence[Column[Any]],
    where: Sequence[ColumnElement[bool]],
) -> Select[Any]:
    keys = [column.label(f"key{n}") for n, column in enumerate(key)]
    rows = incident_rows(*keys, source=source) if columns is None else select(*columns, *keys).select_from(source)
    return select_page(rows.where(*where), query, *key)


def _not_before(query: PageQuery, start: ColumnElement[int]) -> list[ColumnElement[bool]]:
    """Incidents that are no aggregates for their length, and begin earlier, are over when the query's times begin."""
    if query.start is None or start.name == revisions.c.received_at.name:
        return []
    return [start > query.start - LONG]


def _before_end(query: PageQuery, start: ColumnElement[int]) -> list[ColumnElement[bool]]:
    return [] if query.end is None else [start < query.end]


def _choose_lead(connection: Connection, query: PageQuery) -> tuple[str, ...] | None:
    """The rarest facets; None where a list is not filtered by any, or is not by the time of the incident and all are
    frequent."""
    best, fewest = find_rarest(connection, query)
    return None if query.by != "occurred" and fewest >= COUNTED else best


def find_rarest(connection: Connection, query: PageQuery) -> tuple[tuple[str, ...] | None, int]:
    """The facets, of one filter, that the fewest incidents have, and how many that are, up to COUNTED of each; None
    where nothing is filtered by facets."""
    best, fewest = None, 0
    for lead in _leads(query):
        count = sum(_count(connection, query, facet) for facet in lead)
        if best is None or count < fewest:
            best, fewest = lead, count
    return best, fewest


def _count(connection: Connection, query: PageQuery, facet: str) -> int:
    """How many incidents of these times have a facet, up to COUNTED."""
    start = facets.c.occurred_start
    some = select(start).where(facets.c.facet == facet, *_not_before(query, start), *_before_end(query, start))
    return connection.execute(select(func.count()).select_from(some.limit(COUNTED).subquery())).scalar_one()


def _leads(query: PageQuery) -> Iterator[tuple[str, ...]]:
    """For each filter that can lead, the facets of which an incident must have one."""
    yield from wanted_facets(query)
    boxes = [cells_over(read_box(text)) for text in query.values("bbox")]
    if boxes and None not in boxes:
        yield tuple(dict.fromkeys(cell for cells in boxes for cell in cells or ()))


def facets_wanted(query: PageQuery, name: str) -> tuple[str, ...]:
    """The facets of which an incident must have one to pass a filter; none where the filter is not set."""
    values = query.values(name)
    match name:
        case "act":
            values = tuple(sorted(expand_acts(values)))
        case "min_severity":
            name, values = "severity", tuple(dict.fromkeys(one for least in values for one in severities_from(least)))
    return tuple(f"{name}/{value}" for value in values)


def _order(query: PageQuery) -> tuple[Column[Any], ...]:
    """The sort key. A list by facets is about incidents as judged, so that the index of a facet has its order."""
    if query.by == "received":
        return revisions.c.received_at, revisions.c.incident_id
    if any(True for _ in _leads(query)):
        return projections.c.occurred_start, projections.c.incident_id
    return revisions.c.occurred_start, revisions.c.received_at, revisions.c.incident_id


def _conditions(query: PageQuery) -> list[ColumnElement[bool]]:
    return [
        *of_revisions(query),
        *(_has_one(wanted) for wanted in wanted_facets(query)),
        *of_projections(query),
        *touching_times(query, revisions.c.occurred_start, revisions.c.occurred_end),
    ]


def wanted_facets(query: PageQuery) -> Iterator[tuple[str, ...]]:
    """For each filter by facets that is set, those of which an incident must have one."""
    return (wanted for name in _FACETED if (wanted := facets_wanted(query, name)))


def of_revisions(query: PageQuery) -> list[ColumnElement[bool]]:
    """The filters that look at the report, or at its state (:data:`DEAD` is joined for that)."""
    return [*one_of(query, "external_id", revisions.c.external_id), *one_of(query, "state", _STATE)]


def of_projections(query: PageQuery) -> list[ColumnElement[bool]]:
    """The filters that no facet decides."""
    boxes = query.values("bbox")
    return [*_certain(query), *([or_(*(_touches(read_box(text)) for text in boxes))] if boxes else ())]


def _has_one(wanted: Sequence[str]) -> ColumnElement[bool]:
    return or_(*(holds(projections.c.facets, f"\n{facet}\n") for facet in wanted))


def _certain(query: PageQuery) -> Iterator[ColumnElement[bool]]:
    """Of violations those of at least a certainty; the other verdicts have none that counts."""
    if least := query.values("min_certainty"):
        last = max(CERTAINTIES.index(one) for one in least)
        certain = _has_one([f"certainty/{one}" for one in CERTAINTIES[: last + 1]])
        yield or_(projections.c.verdict != "violation", certain)


def _touches(box: Box) -> ColumnElement[bool]:
    """Whether the box around a place has a point in ``box``."""
    west, south, east, north = box
    of, parts = projections.c, [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
    if east == 180.0:
        parts.append((-180.0, -180.0))
    beside = [
        or_(
            and_(of.west <= of.east, of.west <= last, of.east >= first),
            and_(of.west > of.east, or_(of.west <= last, of.east >= first)),
        )
        for first, last in parts
    ]
    return and_(of.south <= north, of.north >= south, or_(*beside))
