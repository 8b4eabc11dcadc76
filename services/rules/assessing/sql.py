"""The tables of judgements, and the ports on them: the last judgement of each incident, and every assessment."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
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
    cast,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError

from schemas.assessments import Alert, Assessment
from schemas.instants import parse_instant
from services.platform.db import outbox
from services.platform.db.bulk import insert_rows, select_by_key, upsert_rows
from services.platform.db.engine import Database
from services.platform.db.packing import pack, unpack
from services.platform.db.paging import select_page, touching_times
from services.platform.db.tables import metadata
from services.platform.failures import RetryLaterError
from services.platform.paging import PageQuery
from services.rules.assessing.domain.alerting import AlertState
from services.rules.assessing.domain.decisions import DecisionChange, with_decisions
from services.rules.assessing.domain.index_keys import KeySearch, decode_keys, encode_keys
from services.rules.assessing.domain.keeping import (
    CurrentAssessment,
    JudgedReport,
    LastJudgement,
    NewAssessment,
    Rekeyed,
    ReportedCase,
)
from services.rules.assessing.find_touched import KeyedIncident, SearchPosition
from services.rules.assessing.judge_and_keep import StaleRegistryError
from services.rules.assessing.reported import stored_case
from services.rules.assessing.sql_keys import add_entries, search_entries
from services.rules.assessing.sql_reassessment_tables import count_alerts
from services.rules.assessing.sql_review import load_standing, save_change, update_queue
from services.rules.judging.time import LONGEST
from services.rules.registry.sql import hold_version

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
    #: The keys of the last judgement; null in rows from before they were kept.
    Column("keys", LargeBinary),
    Index("ix_judged_occurred_from", "occurred_from", "incident_id"),
    Index("ix_judged_partner", "partner", "occurred_from", "incident_id"),
    Index("ix_judged_verdict", "verdict", "occurred_from", "incident_id"),
)
#: Written out, not bound: a partial index serves only a statement that says the same in so many words.
_IS_LONG: Final = text(f"occurred_to - occurred_from > {LONGEST}")
Index(
    "ix_judged_long", judged.c.occurred_from, judged.c.incident_id,
    sqlite_where=_IS_LONG, postgresql_where=_IS_LONG,
)  # fmt: skip

Index(
    "ix_judged_without_keys",
    judged.c.incident_id,
    sqlite_where=judged.c["keys"].is_(None),
    postgresql_where=judged.c["keys"].is_(None),
)

#: Every assessment, numbered within its incident; never changed.
assessments = Table(
    "assessments",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("revision", Integer, nullable=False, server_default="0"),
    #: Its cause (:func:`services.rules.assessing.domain.keeping.key_of`).
    Column("cause", Text, nullable=False, server_default="report"),
    Column("body", LargeBinary, nullable=False),
)

_read_alert = msgspec.json.Decoder(Alert).decode
_read_assessment = msgspec.json.Decoder(Assessment).decode


#: In the words of the databases themselves, since it runs for each batch.
_LAST: Final = "SELECT incident_id, revision, sequence, episode, alert FROM judged WHERE incident_id"
_KEYED: Final = "SELECT incident_id, verdict, keys FROM judged WHERE incident_id"
_CASES: Final = "SELECT incident_id, event, verdict FROM judged WHERE incident_id"
_CURRENT: Final = (
    "SELECT judged.incident_id, keys, body FROM judged JOIN assessments"
    " ON assessments.incident_id = judged.incident_id AND assessments.sequence = judged.sequence"
    " WHERE judged.incident_id"
)
_REPORTS: Final = (
    "SELECT judged.incident_id, judged.event, judged.sequence, body FROM judged JOIN assessments"
    " ON assessments.incident_id = judged.incident_id AND assessments.sequence = judged.sequence"
    " WHERE judged.incident_id"
)
_JUDGED_FOR: Final = "SELECT incident_id, revision, cause FROM assessments WHERE incident_id"
_ASSESSED: Final = tuple(assessments.c.keys())
_JUDGED: Final = tuple(judged.c.keys())


@dataclass(frozen=True, slots=True)
class SqlJudgements:
    """The ports Judgements, JudgedIncidents and JudgedReports on a database."""

    database: Database

    async def last(self, incident_ids: Collection[str]) -> Mapping[str, LastJudgement]:
        return await self.database.read(partial(_load_last, list(incident_ids)))

    async def judged_for(self, causes: Mapping[str, str]) -> Collection[tuple[str, int]]:
        return await self.database.read(partial(_load_judged_for, causes))

    async def current(self, incident_ids: Collection[str]) -> Mapping[str, CurrentAssessment]:
        rows = await self.database.read(lambda connection: select_by_key(connection, _CURRENT, list(incident_ids)))
        return {
            incident_id: CurrentAssessment(decode_assessment(body), None if keys is None else decode_keys(keys))
            for incident_id, keys, body in rows
        }

    async def reports(self, incident_ids: Collection[str]) -> Mapping[str, JudgedReport]:
        return await self.database.read(partial(_load_reports, list(incident_ids)))

    async def save(
        self,
        batch: Sequence[NewAssessment],
        registry_version: int,
        rekeyed: Sequence[Rekeyed] = (),
        change: DecisionChange | None = None,
    ) -> None:
        # Packed before the transaction: nobody waits for it.
        rows = [_row(new) for new in batch]
        current = {new.assessment.incident_id: _judged_row(new) for new in batch}
        work = partial(_save, batch, rows, list(current.values()), registry_version, rekeyed, change)
        try:
            await self.database.write(work, durable=not self.database.is_log, rows=len(batch))
        except IntegrityError as error:
            raise RetryLaterError("these incidents are being judged elsewhere") from error

    async def search(
        self, searches: Sequence[KeySearch], after: SearchPosition, limit: int
    ) -> tuple[Sequence[KeyedIncident], SearchPosition | None]:
        return await self.database.read(partial(_search, searches, after, limit))

    async def cases_of(self, incident_ids: Sequence[str]) -> Sequence[tuple[ReportedCase, str]]:
        return await self.database.read(partial(_load_cases, incident_ids))


def decode_assessment(body: bytes) -> Assessment:
    """An assessment as it is kept. Raises msgspec.DecodeError."""
    return _read_assessment(unpack(body))


def _load_reports(incident_ids: Sequence[str], connection: Connection) -> dict[str, JudgedReport]:
    decisions = load_standing(connection, incident_ids)
    return {
        id: JudgedReport(
            with_decisions(stored_case(unpack(event)), decisions.get(id, ())), sequence, decode_assessment(body)
        )
        for id, event, sequence, body in select_by_key(connection, _REPORTS, incident_ids)
    }


def _load_cases(incident_ids: Sequence[str], connection: Connection) -> list[tuple[ReportedCase, str]]:
    decisions = load_standing(connection, incident_ids)
    rows = select_by_key(connection, _CASES, incident_ids)
    return [(with_decisions(stored_case(unpack(event)), decisions.get(id, ())), verdict) for id, event, verdict in rows]


def _search(
    searches: Sequence[KeySearch], after: SearchPosition, limit: int, connection: Connection
) -> tuple[list[KeyedIncident], SearchPosition | None]:
    if after.search < 0:
        found = _load_without_keys(connection, after.incident_id, limit)
        last = SearchPosition(incident_id=found[-1].incident_id) if len(found) == limit else None
        return found, last or (SearchPosition(0, searches[0].first, searches[0].start) if searches else None)
    ids, position = search_entries(connection, searches, after, limit)
    rows = select_by_key(connection, _KEYED, ids)
    return [
        KeyedIncident(id, verdict, None if keys is None else decode_keys(keys)) for id, verdict, keys in rows
    ], position


def _load_without_keys(connection: Connection, after: str, limit: int) -> list[KeyedIncident]:
    statement = (
        select(judged.c.incident_id, judged.c.verdict)
        .where(judged.c["keys"].is_(None), judged.c.incident_id > after)
        .order_by(judged.c.incident_id)
        .limit(limit)
    )
    return [KeyedIncident(row.incident_id, row.verdict, None) for row in connection.execute(statement)]


def _load_last(incident_ids: Sequence[str], connection: Connection) -> dict[str, LastJudgement]:
    rows = select_by_key(connection, _LAST, incident_ids)
    decisions = load_standing(connection, [row[0] for row in rows])
    return {
        incident_id: LastJudgement(
            revision,
            sequence,
            None if alert is None else AlertState(episode, _read_alert(alert)),
            alert,
            decisions.get(incident_id, ()),
        )
        for incident_id, revision, sequence, episode, packed in rows
        for alert in (None if packed is None else unpack(packed),)
    }


def _load_judged_for(causes: Mapping[str, str], connection: Connection) -> set[tuple[str, int]]:
    rows = select_by_key(connection, _JUDGED_FOR, list(causes))
    return {(incident_id, revision) for incident_id, revision, its in rows if its == causes[incident_id]}


def _save(
    batch: Sequence[NewAssessment],
    rows: Sequence[tuple[Any, ...]],
    current: Sequence[tuple[Any, ...]],
    registry_version: int,
    rekeyed: Sequence[Rekeyed],
    change: DecisionChange | None,
    connection: Connection,
) -> None:
    """Raises IntegrityError where another process gave one of the incidents an assessment of the same sequence.

    Several assessments of one incident come in the order of their sequence; the last one is current.
    """
    if hold_version(connection) > registry_version:
        raise StaleRegistryError
    insert_rows(connection, assessments, _ASSESSED, rows)
    upsert_rows(connection, judged, _JUDGED, current)
    add_entries(connection, ((new.assessment.incident_id, new.keys) for new in batch))
    update_queue(connection, batch)
    if change is not None:
        save_change(connection, change)
    outbox.append(connection, [event for new in batch for event in new.events])
    count_alerts(connection, [new.assessment.cause for new in batch if new.alerts])
    _rekey(connection, rekeyed)


def _rekey(connection: Connection, rekeyed: Sequence[Rekeyed]) -> None:
    """An incident that was judged meanwhile has its keys from that."""
    for one in rekeyed:
        same = (judged.c.incident_id == one.incident_id) & (judged.c.sequence == one.sequence)
        connection.execute(update(judged).where(same).values(keys=encode_keys(one.keys)))
    add_entries(connection, ((one.incident_id, one.keys) for one in rekeyed))


def _row(new: NewAssessment) -> tuple[Any, ...]:
    """In the order of the table's columns."""
    return new.assessment.incident_id, new.sequence, new.assessment.revision, new.cause, pack(new.body)


def _judged_row(new: NewAssessment) -> tuple[Any, ...]:
    """In the order of the table's columns."""
    assessment, alert = new.assessment, new.alert
    return (
        assessment.incident_id,
        new.partner,
        assessment.revision,
        new.sequence,
        assessment.verdict,
        parse_instant(assessment.occurred.start),
        parse_instant(assessment.occurred.end),
        "".join(f",{f.truce}," for f in assessment.findings),
        pack(new.event),
        0 if alert is None else alert.episode,
        None if new.alert_body is None else pack(new.alert_body),
        encode_keys(new.keys),
    )


def belongs_to(connection: Connection, incident_id: str, partner: str) -> bool:
    """Whether the incident was judged and is this partner's."""
    statement = select(judged.c.partner).where(judged.c.incident_id == incident_id)
    return connection.execute(statement).scalar() == partner


def load_history(connection: Connection, incident_id: str, query: PageQuery) -> list[tuple[int, Assessment]]:
    """One page of the assessments of an incident, each with its sequence, and one more."""
    # A cursor that we did not make may hold more than the column does.
    sequence = cast(assessments.c.sequence, BigInteger)
    statement = select(assessments.c.sequence, assessments.c.body).where(assessments.c.incident_id == incident_id)
    page = select_page(statement, query, sequence)
    return [(row.sequence, decode_assessment(row.body)) for row in connection.execute(page)]


def load_current(connection: Connection, query: PageQuery, partner: str | None = None) -> list[Assessment]:
    """One page of the current assessments, by the incident's start and id, with one more; of a partner, or of all."""
    found: dict[str, Any] = {}
    for statement in _current_pages(query):
        if partner is not None:
            statement = statement.where(judged.c.partner == partner)
        found.update((row.incident_id, row) for row in connection.execute(statement))
    ordered = sorted(found.values(), key=lambda row: (row.occurred_from, row.incident_id), reverse=query.descending)
    return [decode_assessment(row.body) for row in ordered[: query.limit + 1]]


def _current_pages(query: PageQuery) -> Iterator[Any]:
    """Statements whose rows together hold the page: an index leads each of them in the order of the page.

    Nothing but an aggregate lasts longer than LONGEST, so that a list from a time on need not begin earlier; those few
    have an index of their own.
    """
    join = (assessments.c.incident_id == judged.c.incident_id) & (assessments.c.sequence == judged.c.sequence)
    key = (judged.c.occurred_from, judged.c.incident_id)
    conditions = touching_times(query, judged.c.occurred_from, judged.c.occurred_to)
    if truces := query.values("truce"):
        conditions.append(or_(*(judged.c.truces.contains(f",{id},", autoescape=True) for id in truces)))
    statement = select(*key, assessments.c.body).join(judged, join).where(*conditions)
    for verdict in query.values("verdict") or (None,):
        page = select_page(statement if verdict is None else statement.where(judged.c.verdict == verdict), query, *key)
        if query.start is None:
            yield page
        else:
            yield page.where(judged.c.occurred_from > query.start - LONGEST)
            yield page.where(_IS_LONG)
