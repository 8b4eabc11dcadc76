"""Reading incidents back: one with its revisions, and lists. The listing is by the time of the incident."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select, tuple_

from schemas.assessments import Interval
from schemas.instants import format_instant
from services.ingest.domain import state_of
from services.ingest.sql import deaths, newest, projections, revisions
from services.ingest.wire import IncidentSummary, IncidentView, RevisionView


@dataclass(frozen=True, slots=True)
class Query:
    """What a list is asked for; None is no condition. Instants in microseconds; ``after`` is (start, incident)."""

    partner: str | None = None
    external_id: str | None = None
    verdict: str | None = None
    start: int | None = None
    end: int | None = None
    after: tuple[int, str] | None = None
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
        projections.c.occurred_start.label("judged_start"),
        projections.c.body.label("assessment"),
        deaths.c.revision.label("dead"),
    )
    .outerjoin(projections, projections.c.incident_id == revisions.c.incident_id)
    .outerjoin(deaths, deaths.c.incident_id == revisions.c.incident_id)
)


def find_incident(connection: Connection, incident_id: str, partner: str | None) -> IncidentView | None:
    """An incident with all its revisions; None where there is none, or not one of ``partner``'s (None: anyone's)."""
    rows = connection.execute(
        _ROWS.where(revisions.c.incident_id == incident_id).order_by(revisions.c.revision.desc())
    ).all()
    if not rows or partner not in (None, rows[0].partner):
        return None
    kept = [_revision(row.revision, row.body) for row in rows]
    assessment: Any = None if rows[0].assessment is None else msgspec.Raw(rows[0].assessment)
    return IncidentView(**msgspec.structs.asdict(_summary(rows[0])), revisions=kept, assessment=assessment)


@dataclass(frozen=True, slots=True)
class Listed:
    """One incident of a list with its place in the order."""

    key: tuple[int, str]
    summary: IncidentSummary


def list_incidents(connection: Connection, query: Query) -> list[Listed]:
    """Up to ``query.limit + 1`` incidents, those that began last first."""
    judged = query.verdict is not None
    return [
        Listed((row.judged_start if judged else row.occurred_start, row.incident_id), _summary(row))
        for row in connection.execute(_statement(query))
    ]


def _statement(query: Query) -> Select[Any]:
    # With a verdict the projection leads, so that its own index serves both the condition and the order.
    start = revisions.c.occurred_start if query.verdict is None else projections.c.occurred_start
    key = (start, revisions.c.incident_id if query.verdict is None else projections.c.incident_id)
    statement = _ROWS.where(newest, *_conditions(query, start))
    if query.after is not None:
        statement = statement.where(tuple_(*key) < tuple_(*query.after))
    return statement.order_by(*(column.desc() for column in key)).limit(query.limit + 1)


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
