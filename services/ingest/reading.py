"""Reading incidents back: one with its revisions, and lists. The listing is by the time of the incident."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Column, ColumnElement, Connection, Select, and_, or_, select, tuple_

from schemas.assessments import Interval
from schemas.instants import format_instant
from services.ingest.domain import state_of
from services.ingest.sql import deaths, newest, projections, revisions
from services.ingest.wire import IncidentSummary, IncidentView, RevisionView


@dataclass(frozen=True, slots=True)
class Query:
    """What a list is asked for; None is no condition. Instants in microseconds; ``after`` is
    the place in the order after which to begin."""

    partner: str | None = None
    external_id: str | None = None
    verdict: str | None = None
    start: int | None = None
    end: int | None = None
    after: tuple[int | str, ...] | None = None
    limit: int = 100


class _Fact(msgspec.Struct):
    """A stored fact, of which the report is passed on as it is."""

    received_at: str
    report: msgspec.Raw
    retracted: str | None = None


_read_fact = msgspec.json.Decoder(_Fact).decode
_ROWS = (
    select(
        revisions,
        projections.c.revision.label("assessed"),
        projections.c.verdict,
        projections.c.occurred_start,
        projections.c.incident_id,
        deaths.c.revision.label("dead"),
    )
    .outerjoin(projections, projections.c.incident_id == revisions.c.incident_id)
    .outerjoin(deaths, deaths.c.incident_id == revisions.c.incident_id)
)


def find_incident(connection: Connection, incident_id: str, partner: str | None) -> IncidentView | None:
    """An incident with all its revisions; None where there is none, or not one of ``partner``'s (None: anyone's)."""
    rows = connection.execute(
        _ROWS.add_columns(projections.c.body.label("assessment"))
        .where(revisions.c.incident_id == incident_id)
        .order_by(revisions.c.revision.desc())
    ).all()
    if not rows or partner not in (None, rows[0].partner):
        return None
    kept = [_revision(row.revision, row.body) for row in rows]
    assessment: Any = None if rows[0].assessment is None else msgspec.Raw(rows[0].assessment)
    return IncidentView(**msgspec.structs.asdict(_summary(rows[0])), revisions=kept, assessment=assessment)


@dataclass(frozen=True, slots=True)
class Listed:
    """One incident of a list with its place in the order."""

    key: tuple[int | str, ...]
    summary: IncidentSummary


def list_incidents(connection: Connection, query: Query) -> list[Listed]:
    """Up to ``query.limit + 1`` incidents, those that began last first."""
    order = _order(query)
    return [
        Listed(tuple(row._mapping[column] for column in order), _summary(row))
        for row in connection.execute(_statement(query, order))
    ]


def _order(query: Query) -> tuple[Column[Any], ...]:
    """With a verdict the projection leads, so that its own index serves both the condition and the order."""
    if query.verdict is not None:
        return projections.c.occurred_start, projections.c.incident_id
    return revisions.c.occurred_start, revisions.c.received_at, revisions.c.incident_id


def cursor_types(query: Query) -> tuple[type, ...]:
    """What a cursor of such a list holds."""
    return tuple(column.type.python_type for column in _order(query))


def _statement(query: Query, order: tuple[Column[Any], ...]) -> Select[Any]:
    statement = _ROWS.where(newest, *_conditions(query, order[0]))
    if query.after is not None:
        statement = statement.where(tuple_(*order) < tuple_(*query.after))
    return statement.order_by(*(column.desc() for column in order)).limit(query.limit + 1)


def _conditions(query: Query, start: ColumnElement[int]) -> Sequence[ColumnElement[bool]]:
    """``[from, to)`` touches the incident: one moment of it, or the instant that it is, lies within."""
    found: list[ColumnElement[bool]] = []
    if query.partner is not None:
        found.append(revisions.c.partner == query.partner)
    if query.external_id is not None:
        found.append(revisions.c.external_id == query.external_id)
    if query.verdict is not None:
        found.append(projections.c.verdict == query.verdict)
    if query.end is not None:
        found.append(start < query.end)
    if query.start is not None:
        ended = revisions.c.occurred_end
        found.append(or_(start >= query.start, and_(start < query.start, ended > query.start)))
    return found


def _revision(number: int, body: bytes) -> RevisionView:
    fact = _read_fact(body)
    report: Any = fact.report
    return RevisionView(number, fact.received_at, fact.retracted, report)


def _summary(row: Any) -> IncidentSummary:
    fact = _read_fact(row.body)
    report: Any = fact.report
    state = state_of(row.revision, retracted=row.retracted is not None, assessed=row.assessed or 0, dead=row.dead or 0)
    occurred = Interval(format_instant(row.occurred_start), format_instant(row.occurred_end))
    return IncidentSummary(
        incident_id=row.incident_id, external_id=row.external_id, partner=row.partner, revision=row.revision,
        received_at=fact.received_at, state=state, verdict=row.verdict, occurred=occurred, report=report,
    )  # fmt: skip
