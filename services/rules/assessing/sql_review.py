"""The tables of reviewing: the decisions of operators, and the queue of incidents that need a person."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)

from schemas.decisions import OperatorDecision
from schemas.instants import parse_instant
from services.platform import audit
from services.platform.db.bulk import insert_new_rows, insert_rows, select_by_key
from services.platform.db.paging import at_times, select_page
from services.platform.db.tables import metadata
from services.platform.failures import RetryLaterError
from services.platform.paging import PageQuery
from services.rules.assessing.domain.decisions import DecisionChange, KeptDecision, TakenBack
from services.rules.assessing.domain.keeping import NewAssessment
from services.rules.assessing.domain.review import QueuedIncident, review_reasons

#: Every decision; only ``taken_back`` is ever set later.
operator_decisions = Table(
    "operator_decisions",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    #: The other incident of a decided link.
    Column("linked", Text, index=True),
    Column("body", LargeBinary, nullable=False),
    Column("taken_back", LargeBinary),
)

#: One row for each incident that needs a person, as it was judged last. ``why``: the reasons, each between commas.
review_queue = Table(
    "review_queue",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("opened_at", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
    Index("ix_review_queue_opened_at", "opened_at", "incident_id"),
)

#: The status page says no larger number: to count costs as much as there is.
MOST_COUNTED: Final = 10_000
_decode_decision = msgspec.json.Decoder(OperatorDecision).decode
_decode_end = msgspec.json.Decoder(TakenBack).decode
_encode = msgspec.json.Encoder().encode
_DECIDED: Final = tuple(operator_decisions.c.keys())
_QUEUED: Final = tuple(review_queue.c.keys())
#: Looked up for each batch that holds incidents that were judged before.
_STANDING: Final = "SELECT incident_id, body FROM operator_decisions WHERE taken_back IS NULL AND incident_id"


def load_standing(connection: Connection, incident_ids: Sequence[str]) -> Mapping[str, tuple[OperatorDecision, ...]]:
    """The decisions that stand on these incidents, in the order of their numbers."""
    found: dict[str, list[OperatorDecision]] = defaultdict(list)
    for incident_id, body in select_by_key(connection, _STANDING, incident_ids):
        found[incident_id].append(_decode_decision(body))
    return {id: tuple(sorted(decisions, key=lambda one: one.number)) for id, decisions in found.items()}


def load_decisions(connection: Connection, incident_id: str) -> list[KeptDecision]:
    """Every decision on an incident, in the order of their numbers."""
    table = operator_decisions
    statement = select(table.c.body, table.c.taken_back).where(table.c.incident_id == incident_id).order_by("number")
    return [
        KeptDecision(_decode_decision(row.body), None if row.taken_back is None else _decode_end(row.taken_back))
        for row in connection.execute(statement)
    ]


def save_change(connection: Connection, change: DecisionChange) -> None:
    """Raises IntegrityError or RetryLaterError where another process decided on the incident since it was read."""
    if (made := change.made) is not None:
        linked = None if made.link is None else made.link.incident_id
        row = (made.incident_id, made.number, made.id, linked, _encode(made), None)
        insert_rows(connection, operator_decisions, _DECIDED, [row])
    table = operator_decisions
    for id in change.ended:
        end = update(table).where(table.c.id == id, table.c.taken_back.is_(None))
        if connection.execute(end.values(taken_back=_encode(change.taken_back))).rowcount != 1:
            raise RetryLaterError("this decision is being taken back elsewhere")
    audit.append(connection, change.act)


def update_queue(connection: Connection, batch: Sequence[NewAssessment]) -> None:
    """Enter the incidents that need a person as they were judged last, and let go of those that no longer do."""
    last = {new.assessment.incident_id: new for new in batch}
    waiting: list[tuple[str, int, str]] = []
    known: list[dict[str, str]] = []
    settled: list[str] = []
    for incident_id, new in last.items():
        why = "".join(f",{reason}," for reason in review_reasons(new.assessment))
        if why:
            waiting.append((incident_id, parse_instant(new.assessment.assessed_at), why))
        if new.sequence == 1:
            continue
        if why:
            known.append({"id": incident_id, "reasons": why})
        else:
            settled.append(incident_id)
    insert_new_rows(connection, review_queue, _QUEUED, waiting)
    if known:
        connection.execute(_CHANGE_REASONS, known)
    if settled:
        connection.execute(delete(review_queue).where(review_queue.c.incident_id.in_(settled)))


_CHANGE_REASONS: Final = (
    update(review_queue).where(review_queue.c.incident_id == bindparam("id")).values(why=bindparam("reasons"))
)


def load_queue(connection: Connection, query: PageQuery) -> list[QueuedIncident]:
    """One page of the queue, and one more."""
    table = review_queue
    conditions: list[Any] = at_times(query, table.c.opened_at)
    if reasons := query.values("why"):
        conditions.append(or_(*(table.c.why.contains(f",{reason},") for reason in reasons)))
    page = select_page(select(*table.c).where(*conditions), query, table.c.opened_at, table.c.incident_id)
    return list(map(_queued, connection.execute(page)))


def find_queued(connection: Connection, incident_id: str) -> QueuedIncident | None:
    """The incident in the queue; None where it does not need a person."""
    row = connection.execute(select(*review_queue.c).where(review_queue.c.incident_id == incident_id)).one_or_none()
    return None if row is None else _queued(row)


def _queued(row: Any) -> QueuedIncident:
    return QueuedIncident(row.incident_id, row.opened_at, tuple(row.why.strip(",").split(",,")))


def count_in_review(connection: Connection) -> int:
    """How many incidents need a person, as they were judged last, up to MOST_COUNTED."""
    some = select(review_queue.c.incident_id).limit(MOST_COUNTED).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one()
