"""Statistics of judged incidents in SQL: the index of facets has in one place what each adds up.

What is grouped by is a kind of facets, read by facet and time in the order of their index; the other filters by facets
are looked up there too. A filter that few incidents pass leads instead.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, and_, case, exists, func, select

from schemas.assessments import Link
from services.ingest.facets import AGGREGATE, LINKED, PLAIN, RETRACTED, is_one_event
from services.ingest.listing import (
    COUNTED,
    DEAD,
    find_matching,
    find_rarest,
    of_projections,
    of_revisions,
    wanted_facets,
)
from services.ingest.sql import deaths, facets, newest, projections, revisions
from services.ingest.tallies import LinkedClaim, Tally, add_linked
from services.ingest.withheld import EVERYTHING, Reader
from services.platform.db.bulk import select_by_key
from services.platform.db.packing import unpack
from services.platform.db.paging import at_times
from services.platform.paging import PageQuery

_BODIES: Final = "SELECT incident_id, body FROM incident_projections WHERE incident_id"
_of = facets.c


class _HasLinks(msgspec.Struct):
    links: tuple[Link, ...]


_read_links = msgspec.json.Decoder(_HasLinks).decode


def _sum_of(column: ColumnElement[Any], counting: int) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((_of.counting == counting, column))), 0)


_SUMS: Final = (
    func.count().label("incidents"),
    _sum_of(_of.killed, PLAIN).label("killed"),
    _sum_of(_of.injured, PLAIN).label("injured"),
    _sum_of(_of.killed, AGGREGATE).label("killed_in_all"),
    _sum_of(_of.injured, AGGREGATE).label("injured_in_all"),
    func.max(case((_of.counting == LINKED, 1), else_=0)).label("linked"),
)


def add_up(
    connection: Connection,
    query: PageQuery,
    keys: Sequence[str],
    start_of: Callable[[int], date],
    reader: Reader = EVERYTHING,
) -> dict[str, dict[date, Tally]]:
    """For each facet among ``keys`` that some incident has, what the incidents of each period come to that begin in
    the query's times, pass its filters and are not retracted; that are the reader's to see."""
    found: dict[str, dict[date, Tally]] = {}
    linked = False
    where = _from_where(connection, query, keys, reader)
    summed = where(select(_of.facet, _of.occurred_start, *_SUMS)).group_by(_of.facet, _of.occurred_start)
    for row in connection.execute(summed.execution_options(yield_per=1_000)):
        tally = found.setdefault(row.facet, {}).setdefault(start_of(row.occurred_start), Tally())
        tally.incidents += row.incidents
        tally.killed.least += row.killed
        tally.killed.most += row.killed + row.killed_in_all
        tally.injured.least += row.injured
        tally.injured.most += row.injured + row.injured_in_all
        linked = linked or bool(row.linked)
    if linked:
        columns = (_of.facet, _of.incident_id, _of.occurred_start, _of.killed, _of.injured)
        rows = connection.execute(where(select(*columns)).where(_of.counting == LINKED)).all()
        for facet, claims in _linked_claims(connection, rows).items():
            add_linked(found[facet], claims, start_of)
    return found


def _linked_claims(connection: Connection, rows: Sequence[Any]) -> Mapping[str, list[LinkedClaim]]:
    """The claims of each facet with their links."""
    ids = list({row.incident_id for row in rows})
    links = {row[0]: _read_links(unpack(row[1])).links for row in select_by_key(connection, _BODIES, ids)}
    claims: dict[str, list[LinkedClaim]] = {}
    for row in rows:
        of_event = [one for one in links.get(row.incident_id, ()) if is_one_event(one)]
        same = tuple(one.incident_id for one in of_event if not one.contested)
        perhaps = tuple(one.incident_id for one in of_event if one.contested)
        claim = LinkedClaim(row.incident_id, row.occurred_start, row.killed, row.injured, same, perhaps)
        claims.setdefault(row.facet, []).append(claim)
    return claims


def _from_where(
    connection: Connection, query: PageQuery, keys: Sequence[str], reader: Reader
) -> Callable[[Select[Any]], Select[Any]]:
    """A function that gives columns of facets their tables and conditions."""
    source: Any = facets
    conditions = [_of.facet.in_(keys), _of.counting != RETRACTED, *at_times(query, _of.occurred_start)]
    conditions += (_has_facet(wanted) for wanted in wanted_facets(query))
    matching = find_matching(connection, query, reader, _of.incident_id)
    if matching is not None:
        conditions.append(_of.incident_id.in_(matching) if isinstance(matching, list) else matching)
    rarest, count = find_rarest(connection, query)
    if rarest is not None and count < COUNTED:
        few = _with_facets(rarest, query)
        source = few.join(
            facets, and_(_of.occurred_start == few.c.occurred_start, _of.incident_id == few.c.incident_id)
        )
    if more := of_projections(query):
        source = source.join(projections, projections.c.incident_id == _of.incident_id)
        conditions += more
    if (more := of_revisions(query)) or reader.partner is not None:
        source = source.join(revisions, and_(revisions.c.incident_id == _of.incident_id, newest))
        source = source.outerjoin(deaths, DEAD)
        if not of_projections(query):
            source = source.join(projections, projections.c.incident_id == _of.incident_id)
        conditions += [*more, *([] if reader.partner is None else [revisions.c.partner == reader.partner])]
    return lambda columns: columns.select_from(source).where(*conditions)


def _has_facet(wanted: Iterable[str]) -> ColumnElement[bool]:
    other = facets.alias()
    same = and_(other.c.occurred_start == _of.occurred_start, other.c.incident_id == _of.incident_id)
    return exists().where(other.c.facet.in_(wanted), same)


def _with_facets(wanted: Sequence[str], query: PageQuery) -> Any:
    other = facets.alias()
    rows = select(other.c.occurred_start, other.c.incident_id).where(
        other.c.facet.in_(wanted), *at_times(query, other.c.occurred_start)
    )
    return (rows.distinct() if len(wanted) > 1 else rows).subquery()
