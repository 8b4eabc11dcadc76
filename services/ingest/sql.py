"""The tables of incidents, and the ports over one connection. The SQL is the same on SQLite and PostgreSQL."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
    insert,
    select,
    tuple_,
    update,
)

from schemas import codec
from schemas.events import IncidentReported, OperatorActed
from schemas.instants import format_instant
from schemas.report import Report
from schemas.topics import INCIDENTS
from services.ingest.use_cases import Answer, Judged, Once, Revision
from services.shared import audit
from services.shared.db import outbox
from services.shared.db.bulk import insert_rows, select_by_key, upsert_rows
from services.shared.db.tables import metadata
from services.shared.reports import Span

#: Every revision; the newest of each incident is the one that nothing superseded. ``body`` is the fact as published.
revisions = Table(
    "incident_revisions",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("partner", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("retracted", Text),
    Column("received_at", BigInteger, nullable=False),
    Column("occurred_start", BigInteger, nullable=False),
    Column("occurred_end", BigInteger, nullable=False),
    Column("superseded_at", BigInteger),
    Column("body", LargeBinary, nullable=False),
    #: Of what was reported (:func:`services.ingest.domain.identify`); null for a retraction.
    Column("identity", LargeBinary),
)
newest = revisions.c.superseded_at.is_(None)
for _name, _columns in (
    # Both run on by the time of arrival, not by the id: neighbours in time stay neighbours on the page.
    ("time", (revisions.c.occurred_start, revisions.c.received_at)),
    ("partner", (revisions.c.partner, revisions.c.occurred_start, revisions.c.received_at)),
    ("external_id", (revisions.c.external_id,)),
    ("received_at", (revisions.c.received_at,)),
):
    Index(f"ix_incident_revisions_{_name}", *_columns, sqlite_where=newest, postgresql_where=newest)

#: What rules made of each incident: a projection of the ``assessments`` topic.
projections = Table(
    "incident_projections",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("occurred_start", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("ix_incident_projections_verdict", "verdict", "occurred_start", "incident_id"),
)

#: The newest revision of each incident that rules gave up on.
deaths = Table(
    "incident_deaths",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("revision", Integer, nullable=False),
)

#: What Idempotency-Keys were sent with, and their answers.
answers = Table(
    "idempotency_keys",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("answer", LargeBinary),
    Column("received_at", BigInteger, nullable=False),
    Index("ix_idempotency_keys_received_at", "received_at"),
)

#: In words of both databases, since it runs for every report.
_LATEST: Final = (
    "SELECT incident_id, revision, partner, received_at, occurred_start, occurred_end, retracted, body"
    " FROM incident_revisions WHERE superseded_at IS NULL AND incident_id"
)
#: Read only where an incident is corrected.
_REPORTED: Final = "SELECT incident_id, revision, identity FROM incident_revisions WHERE incident_id"


class _Reported(msgspec.Struct):
    """A stored fact, of which the report is wanted."""

    report: Report


_read_report = msgspec.json.Decoder(_Reported).decode
_COLUMNS: Final = tuple(revisions.c.keys())
#: The fields of Judged in their order.
_PROJECTED: Final = ("incident_id", "sequence", "revision", "verdict", "occurred_start", "body")
_SUPERSEDE = (
    update(revisions)
    .where(revisions.c.incident_id == bindparam("of"), revisions.c.revision == bindparam("number"))
    .values(superseded_at=bindparam("at"))
)


@dataclass(frozen=True, slots=True)
class SqlIncidents:
    """The ports Incidents and Projection over a connection."""

    connection: Connection

    def latest(self, ids: Iterable[str]) -> dict[str, Revision]:
        rows = select_by_key(self.connection, _LATEST, list(ids))
        return {row[0]: _revision(*row) for row in rows}

    def reported(self, ids: Iterable[str]) -> dict[str, dict[bytes, int]]:
        found: dict[str, dict[bytes, int]] = {}
        wanted = list(ids)
        for incident_id, revision, identity in select_by_key(self.connection, _REPORTED, wanted) if wanted else ():
            if identity is not None:
                known = found.setdefault(incident_id, {})
                known[bytes(identity)] = max(revision, known.get(bytes(identity), 0))
        return found

    def add(self, added: Sequence[Revision], acts: Sequence[OperatorActed]) -> None:
        # Sorted, so that two processes that add the same keys wait for each other in one order only.
        added = sorted(added, key=lambda revision: (revision.incident_id, revision.revision))
        if added:
            events = [_event(revision) for revision in added]
            replaced = [_superseded(one, following) for one, following in zip(added, [*added[1:], None], strict=True)]
            rows = [_row(one, at, event.data) for one, at, event in zip(added, replaced, events, strict=True)]
            insert_rows(self.connection, revisions, _COLUMNS, rows)
            self._supersede(added)
            outbox.append(self.connection, events)
        for act in acts:
            audit.append(self.connection, act)

    def _supersede(self, added: Sequence[Revision]) -> None:
        """Mark those that were the newest before; what this unit itself superseded was inserted so."""
        here = {(one.incident_id, one.revision) for one in added}
        stale = [
            {"of": one.incident_id, "number": one.revision - 1, "at": one.received_at}
            for one in added
            if one.revision > 1 and (one.incident_id, one.revision - 1) not in here
        ]
        if stale:
            self.connection.execute(_SUPERSEDE, stale)

    def keep_newest(self, judged: Sequence[Judged]) -> None:
        rows = [msgspec.structs.astuple(one) for one in sorted(judged, key=lambda one: one.incident_id)]
        upsert_rows(self.connection, projections, _PROJECTED, rows, rising="sequence")

    def mark_dead(self, dead: Mapping[str, int]) -> None:
        rows = [(incident_id, dead[incident_id]) for incident_id in sorted(dead)]
        upsert_rows(self.connection, deaths, ("incident_id", "revision"), rows, rising="revision")


def find_oldest_unassessed(connection: Connection, since: int) -> int | None:
    """When the oldest report that rules have neither judged nor given up on came in, from an instant on."""
    of_same = revisions.c.incident_id == projections.c.incident_id
    statement = (
        select(revisions.c.received_at)
        .outerjoin(projections, of_same & (projections.c.revision >= revisions.c.revision))
        .outerjoin(
            deaths, (deaths.c.incident_id == revisions.c.incident_id) & (deaths.c.revision >= revisions.c.revision)
        )
        .where(
            newest,
            revisions.c.received_at >= since,
            projections.c.incident_id.is_(None),
            deaths.c.incident_id.is_(None),
        )
        .order_by(revisions.c.received_at)
        .limit(1)
    )
    return connection.execute(statement).scalar()


def find_last_received(connection: Connection) -> int | None:
    """When the last report came in, of those that stand."""
    return connection.execute(select(func.max(revisions.c.received_at)).where(newest)).scalar()


def _revision(
    incident_id: str,
    number: int,
    partner: str,
    received_at: int,
    start: int,
    end: int,
    retracted: str | None,
    body: bytes,
) -> Revision:
    """In the order of ``_LATEST``."""
    return Revision(incident_id, number, partner, _read_report(body).report, Span(start, end), received_at, retracted)


def _event(revision: Revision) -> Any:
    received_at = format_instant(revision.received_at)
    fact = IncidentReported(
        revision.incident_id, revision.revision, revision.partner, received_at, revision.report, revision.retracted
    )
    event = codec.encode(
        INCIDENTS, fact, key=revision.incident_id, id=f"{revision.incident_id}-{revision.revision}", time=received_at
    )
    return event if revision.traceparent is None else msgspec.structs.replace(event, traceparent=revision.traceparent)


def _superseded(one: Revision, following: Revision | None) -> int | None:
    if following is None or following.incident_id != one.incident_id:
        return None
    return following.received_at


def _row(one: Revision, superseded_at: int | None, body: bytes) -> tuple[Any, ...]:
    """In the order of the table's columns."""
    return (
        one.incident_id, one.revision, one.partner, one.report.external_id, one.retracted,
        one.received_at, one.span.start, one.span.end, superseded_at, body, one.identity,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class SqlAnswers:
    """The port Answers over a connection."""

    connection: Connection

    def recall(self, asked: Iterable[Once]) -> dict[tuple[str, str], Answer]:
        pairs = {(once.partner, once.key) for once in asked}
        if not pairs:
            return {}
        rows = self.connection.execute(select(answers).where(tuple_(answers.c.partner, answers.c.key).in_(pairs)))
        return {(row.partner, row.key): Answer(row.fingerprint, row.answer) for row in rows}

    def remember(self, given: Sequence[tuple[Once, bytes | None, int]]) -> None:
        rows = [
            {"partner": once.partner, "key": once.key, "fingerprint": once.fingerprint, "answer": body,
             "received_at": received_at}
            for once, body, received_at in given
        ]  # fmt: skip
        if rows:
            self.connection.execute(insert(answers), rows)

    def settle(self, once: Once, body: bytes) -> None:
        of_key = (answers.c.partner == once.partner) & (answers.c.key == once.key)
        self.connection.execute(update(answers).where(of_key, answers.c.answer.is_(None)).values(answer=body))

    def forget(self, before: int) -> int:
        """Drop what was remembered before an instant; returns how many."""
        return self.connection.execute(delete(answers).where(answers.c.received_at < before)).rowcount
