"""Reading an incident back, with its revisions."""

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_

from services.ingest.domain import SHORT_ID
from services.ingest.listing import incident_rows, read_fact, summary_of
from services.ingest.sql import projections, revisions
from services.ingest.wire import IncidentView, RevisionView
from services.ingest.withheld import Reader, is_withheld, show_report
from services.platform.db.packing import unpack


def find_incident(connection: Connection, incident_id: str, reader: Reader) -> IncidentView | None:
    """An incident with all its revisions; None where there is none, or not one of the reader's.
    It may be named by the first digits of its id, as on a map, where no other begins so."""
    rows = connection.execute(
        incident_rows(projections.c.body.label("assessment"))
        .where(_is_named(incident_id))
        .order_by(revisions.c.revision.desc())
    ).all()
    if not rows or len({row.incident_id for row in rows}) > 1 or reader.partner not in (None, rows[0].partner):
        return None
    facts = [read_fact(unpack(row.body)) for row in rows]
    # Earlier revisions do not tell what the newest withholds.
    withheld = is_withheld(bytes(facts[0].report))
    kept = [
        RevisionView(
            row.revision, fact.received_at, fact.retracted, show_report(fact.report, reader, withheld=withheld)
        )
        for row, fact in zip(rows, facts, strict=True)
    ]
    assessment: Any = None if rows[0].assessment is None else msgspec.Raw(unpack(rows[0].assessment))
    return IncidentView(**msgspec.structs.asdict(summary_of(rows[0], reader)), revisions=kept, assessment=assessment)


def _is_named(incident_id: str) -> ColumnElement[bool]:
    if len(incident_id) != SHORT_ID:
        return revisions.c.incident_id == incident_id
    # Beyond every digit of an id.
    return and_(revisions.c.incident_id >= incident_id, revisions.c.incident_id < f"{incident_id}g")
