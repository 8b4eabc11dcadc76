"""What rules keeps: where each incident stands, and every assessment it was given."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import BigInteger, Column, Connection, Index, Integer, LargeBinary, Table, Text, func, select, tuple_

from schemas.assessments import Alert, Assessment
from schemas.instants import parse_instant
from services.rules.domain.alerting import AlertState
from services.rules.domain.review import needs_review
from services.shared.db.bulk import insert_rows, select_by_key, upsert_rows
from services.shared.db.tables import metadata

#: One row an incident: the revision last judged, as it was reported, and its last alert, without words.
judged = Table(
    "judged",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("partner", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("occurred_from", BigInteger, nullable=False),
    Column("occurred_to", BigInteger, nullable=False),
    Column("truces", Text, nullable=False),
    Column("event", LargeBinary, nullable=False),
    Column("episode", Integer, nullable=False),
    Column("alert", LargeBinary),
    Column("in_review", Integer, nullable=False, server_default="0"),
    Index("ix_judged_occurred_from", "occurred_from", "incident_id"),
)

#: Counted often, and few of many.
Index(
    "ix_judged_in_review",
    judged.c.incident_id,
    sqlite_where=judged.c.in_review == 1,
    postgresql_where=judged.c.in_review == 1,
)

#: Every assessment, numbered within its incident; never changed.
assessments = Table(
    "assessments",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

_LAST_SEQUENCE: Final = 2**31 - 1

_decode_alert = msgspec.json.Decoder(Alert).decode
_decode_assessment = msgspec.json.Decoder(Assessment).decode


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an incident stands: what was judged last, how often, and its last alert."""

    revision: int
    sequence: int
    alert: AlertState | None
    alert_body: bytes | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """One assessment to be kept, with the event that it judged (bytes as received) and the alert state after it.

    ``body`` is the assessment as JSON, written once, stored and published; ``alert_body`` the alert's, without words.
    ``tells``: the assessment decided this state of the alert; an earlier one did otherwise.
    """

    sequence: int
    partner: str
    assessment: Assessment
    body: bytes
    event: bytes
    alert: AlertState | None
    alert_body: bytes | None
    tells: bool = False


#: In the words of the databases themselves, since it runs for each batch.
_STANDINGS: Final = "SELECT incident_id, revision, sequence, episode, alert FROM judged WHERE incident_id"
_ASSESSED: Final = tuple(assessments.c.keys())
_JUDGED: Final = tuple(judged.c.keys())


def load_standings(connection: Connection, incident_ids: Sequence[str]) -> dict[str, Standing]:
    """The standing of each incident that was judged before."""
    return {
        incident_id: Standing(
            revision, sequence, None if alert is None else AlertState(episode, _decode_alert(alert)), alert
        )
        for incident_id, revision, sequence, episode, alert in select_by_key(connection, _STANDINGS, incident_ids)
    }


def save_judgements(connection: Connection, batch: Sequence[Judgement]) -> None:
    """Keep assessments and standings. Raises IntegrityError when another process judged the same ones meanwhile.

    Several judgements of one incident come in the order of their sequence; the last one stands.
    """
    rows = [(j.assessment.incident_id, j.sequence, j.body) for j in batch]
    insert_rows(connection, assessments, _ASSESSED, rows)
    standing = {j.assessment.incident_id: _standing_row(j) for j in batch}
    upsert_rows(connection, judged, _JUDGED, list(standing.values()))


def _standing_row(judgement: Judgement) -> tuple[Any, ...]:
    """In the order of the table's columns."""
    assessment, alert = judgement.assessment, judgement.alert
    return (
        assessment.incident_id,
        judgement.partner,
        assessment.revision,
        judgement.sequence,
        assessment.verdict,
        parse_instant(assessment.occurred.start),
        parse_instant(assessment.occurred.end),
        "".join(f",{f.truce}," for f in assessment.findings),
        judgement.event,
        0 if alert is None else alert.episode,
        judgement.alert_body,
        int(needs_review(assessment)),
    )


def count_in_review(connection: Connection) -> int:
    """How many incidents need a person, as they were judged last."""
    return connection.execute(select(func.count()).select_from(judged).where(judged.c.in_review == 1)).scalar_one()


def belongs_to(connection: Connection, incident_id: str, partner: str) -> bool:
    """Whether the incident was judged and is this partner's."""
    statement = select(judged.c.partner).where(judged.c.incident_id == incident_id)
    return connection.execute(statement).scalar() == partner


def load_history(
    connection: Connection, incident_id: str, limit: int, before: int | None
) -> list[tuple[int, Assessment]]:
    """Assessments of one incident with their sequence, newest first, those before ``before`` if given."""
    statement = select(assessments.c.sequence, assessments.c.body).where(assessments.c.incident_id == incident_id)
    if before is not None:
        # A cursor that we did not make may hold more than the column does.
        statement = statement.where(assessments.c.sequence < min(max(before, 0), _LAST_SEQUENCE))
    statement = statement.order_by(assessments.c.sequence.desc()).limit(limit)
    return [(row.sequence, _decode_assessment(row.body)) for row in connection.execute(statement)]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Filters of the list of current assessments; instants; ``after`` is (occurred_from, incident_id); ``partner``
    whose incidents they are."""

    verdict: str | None = None
    truce: str | None = None
    start: int | None = None
    end: int | None = None
    after: tuple[int, str] | None = None
    partner: str | None = None


def load_current(connection: Connection, wanted: Wanted, limit: int) -> list[Assessment]:
    """The current assessments that match, by the incident's start and id."""
    join = (assessments.c.incident_id == judged.c.incident_id) & (assessments.c.sequence == judged.c.sequence)
    statement = select(assessments.c.body).join(judged, join)
    if wanted.partner is not None:
        statement = statement.where(judged.c.partner == wanted.partner)
    if wanted.verdict is not None:
        statement = statement.where(judged.c.verdict == wanted.verdict)
    if wanted.truce is not None:
        statement = statement.where(judged.c.truces.contains(f",{wanted.truce},", autoescape=True))
    if wanted.start is not None:
        statement = statement.where(judged.c.occurred_to >= wanted.start)
    if wanted.end is not None:
        statement = statement.where(judged.c.occurred_from < wanted.end)
    if wanted.after is not None:
        statement = statement.where(tuple_(judged.c.occurred_from, judged.c.incident_id) > wanted.after)
    statement = statement.order_by(judged.c.occurred_from, judged.c.incident_id).limit(limit)
    return [_decode_assessment(body) for body in connection.execute(statement).scalars()]


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored incident as it was last judged: the event's bytes and the verdict."""

    incident_id: str
    event: bytes
    verdict: str


def load_stored(connection: Connection, after: str, limit: int) -> Iterator[Stored]:
    """Stored incidents in the order of their ids, those behind ``after``."""
    statement = (
        select(judged.c.incident_id, judged.c.event, judged.c.verdict)
        .where(judged.c.incident_id > after)
        .order_by(judged.c.incident_id)
        .limit(limit)
    )
    return (Stored(*row) for row in connection.execute(statement))
