"""Reading an incident back, with its revisions."""

from typing import Any

import msgspec
from sqlalchemy import Connection

from services.ingest.listing import incident_rows, read_fact, summary_of
from services.ingest.sql import projections, revisions
from services.ingest.wire import IncidentView, RevisionView
from services.platform.db.packing import unpack


def find_incident(connection: Connection, incident_id: str, partner: str | None) -> IncidentView | None:
    """An incident with all its revisions; None where there is none, or not one of ``partner``'s (None: anyone's)."""
    rows = connection.execute(
        incident_rows(projections.c.body.label("assessment"))
        .where(revisions.c.incident_id == incident_id)
        .order_by(revisions.c.revision.desc())
    ).all()
    if not rows or partner not in (None, rows[0].partner):
        return None
    kept = [_revision(row.revision, row.body) for row in rows]
    assessment: Any = None if rows[0].assessment is None else msgspec.Raw(unpack(rows[0].assessment))
    return IncidentView(**msgspec.structs.asdict(summary_of(rows[0])), revisions=kept, assessment=assessment)


def _revision(number: int, body: bytes) -> RevisionView:
    fact = read_fact(unpack(body))
    report: Any = fact.report
    return RevisionView(number, fact.received_at, fact.retracted, report)
