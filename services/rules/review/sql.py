"""Reviewed incidents in the tables of judgements: the port ReviewedIncidents on a database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy import Connection

from schemas.assessments import Assessment
from services.platform.db.bulk import select_by_key
from services.platform.db.engine import Database
from services.platform.db.packing import unpack
from services.platform.paging import PageQuery
from services.rules.assessing.domain.keeping import ReportedCase
from services.rules.assessing.reported import stored_case
from services.rules.assessing.sql import decode_assessment
from services.rules.assessing.sql_review import find_queued, load_decisions, load_queue
from services.rules.review.use_cases import ReviewedIncident

_CURRENT: Final = (
    "SELECT judged.incident_id, judged.event, assessments.body FROM judged JOIN assessments"
    " ON assessments.incident_id = judged.incident_id AND assessments.sequence = judged.sequence"
    " WHERE judged.incident_id"
)


@dataclass(frozen=True, slots=True)
class SqlReviewedIncidents:
    """The port ReviewedIncidents."""

    database: Database

    async def load(self, incident_id: str) -> ReviewedIncident | None:
        return await self.database.read(partial(_load, incident_id))

    async def page(self, query: PageQuery) -> Sequence[ReviewedIncident]:
        return await self.database.read(partial(_load_page, query))


def _load(incident_id: str, connection: Connection) -> ReviewedIncident | None:
    found = _load_current([incident_id], connection).get(incident_id)
    if found is None:
        return None
    queued, decisions = find_queued(connection, incident_id), load_decisions(connection, incident_id)
    if queued is None:
        return ReviewedIncident(*found, decisions)
    return ReviewedIncident(*found, decisions, queued.opened_at, queued.why)


def _load_page(query: PageQuery, connection: Connection) -> list[ReviewedIncident]:
    queued = load_queue(connection, query)
    current = _load_current([one.incident_id for one in queued], connection)
    return [ReviewedIncident(*current[one.incident_id], (), one.opened_at, one.why) for one in queued]


def _load_current(incident_ids: Sequence[str], connection: Connection) -> Mapping[str, tuple[ReportedCase, Assessment]]:
    rows = select_by_key(connection, _CURRENT, incident_ids)
    return {incident_id: (stored_case(unpack(event)), decode_assessment(body)) for incident_id, event, body in rows}
