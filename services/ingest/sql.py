"""The tables of incidents, and the ports over one connection. The SQL is the same on SQLite and PostgreSQL."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    tuple_,
    update,
)

from schemas import codec
from schemas.events import IncidentReported, OperatorActed
from schemas.instants import HOUR, format_instant
from schemas.report import Report
from schemas.time_span import TimeSpan
from schemas.topics import INCIDENTS
from services.ingest.facets import GROUPS, INDEXED, Claims, read_claims
from services.ingest.text_search import words
from services.ingest.use_cases import IdempotencyKey, KeyAnswer, ProjectedAssessment, Revision, SourceItem
from services.ingest.words import words_of
from services.platform import audit
from services.platform.db import outbox
from services.platform.db.bulk import insert_new_rows, insert_rows, select_by_key, upsert_rows
from services.platform.db.packing import pack, unpack
from services.platform.db.tables import metadata
from services.platform.db.upsert import upsert

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
    #: Whether it lasts longer than LONG.
    Column("is_long", SmallInteger, nullable=False, server_default="0"),
)
newest = revisions.c.superseded_at.is_(None)
#: Only aggregates last longer (judgement.md 12): these few have an index of their own, and nothing else can have a
#: moment in a list's times that began so much earlier.
LONG: Final = 72 * HOUR
is_long = revisions.c.is_long == literal_column("1")
Index(
    "ix_incident_revisions_long", revisions.c.occurred_start, revisions.c.received_at,
    sqlite_where=and_(newest, is_long), postgresql_where=and_(newest, is_long),
)  # fmt: skip
for _name, _columns in (
    # Both run on by the time of arrival, not by the id: neighbours in time stay neighbours on the page.
    ("time", (revisions.c.occurred_start, revisions.c.received_at)),
    ("partner", (revisions.c.partner, revisions.c.occurred_start, revisions.c.received_at)),
    ("external_id", (revisions.c.external_id,)),
    ("received_at", (revisions.c.received_at,)),
):
    Index(f"ix_incident_revisions_{_name}", *_columns, sqlite_where=newest, postgresql_where=newest)

#: The judgement of each incident: a projection of the ``assessments`` topic.
projections = Table(
    "incident_projections",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("occurred_start", BigInteger, nullable=False),
    #: Around the place, in degrees; null for a place without coordinates.
    Column("west", Double),
    Column("south", Double),
    Column("east", Double),
    Column("north", Double),
    #: Each on a line of its own, with one before the first.
    Column("facets", Text, nullable=False, server_default=""),
    Column("body", LargeBinary, nullable=False),
    Index("ix_incident_projections_time", "occurred_start", "incident_id"),
)

#: The incidents of each facet by their start. The projection itself has the last word: a process that was slow to
#: notice that it lost a partition may leave facets of an assessment that another one has replaced. Of a kind that
#: statistics are grouped by, it has what they add up.
facets = Table(
    "incident_facets",
    metadata,
    Column("facet", Text, primary_key=True),
    Column("occurred_start", BigInteger, primary_key=True),
    Column("incident_id", Text, primary_key=True),
    Column("killed", Integer),
    Column("injured", Integer),
    Column("counting", SmallInteger, nullable=False, server_default="0"),
    sqlite_with_rowid=False,
)

#: The newest revision of each incident that rules gave up on.
deaths = Table(
    "incident_deaths",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("revision", Integer, nullable=False),
)

#: One row: every report that came in before this instant has been judged, or given up on.
assessed_until = Table(
    "assessed_until",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("received_at", BigInteger, nullable=False),
)

#: Idempotency-Keys with the content that they were sent with, and their answers.
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

#: The submissions that adapters have read, a row each.
source_items = Table(
    "source_items",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("adapter", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("mark", Text, nullable=False),
    Column("gone", Boolean, nullable=False),
    Column("noted_at", BigInteger, nullable=False),
    Index("ix_source_items_adapter", "adapter"),
)
_ITEM: Final = "SELECT incident_id, adapter, external_id, mark, gone, noted_at FROM source_items WHERE incident_id"

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
_PROJECTED: Final = tuple(projections.c.keys())
_FACETS: Final = tuple(facets.c.keys())
_NO_CLAIMS: Final = Claims()
_KNOWN: Final = (
    "SELECT incident_id, sequence, occurred_start, facets, revision FROM incident_projections WHERE incident_id"
)
_DELETE_FACET = delete(facets).where(
    facets.c.facet == bindparam("of"),
    facets.c.occurred_start == bindparam("at"),
    facets.c.incident_id == bindparam("id"),
)
_DELETE_WORDS = delete(words).where(words.c.incident_id == bindparam("of"))
_SUPERSEDE = (
    update(revisions)
    .where(revisions.c.incident_id == bindparam("of"), revisions.c.revision == bindparam("number"))
    .values(superseded_at=bindparam("at"))
)


@dataclass(frozen=True, slots=True)
class SqlIncidents:
    """The ports Incidents, Projection and SourceItems over a connection."""

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

    def keep_newest(self, judged: Sequence[ProjectedAssessment]) -> None:
        known = {row[0]: row[1:] for row in select_by_key(self.connection, _KNOWN, [one.incident_id for one in judged])}
        newer = [one for one in judged if one.sequence > known.get(one.incident_id, (0,))[0]]
        newer.sort(key=lambda one: one.incident_id)
        upsert_rows(self.connection, projections, _PROJECTED, [_projected(one) for one in newer], rising="sequence")
        before = {row for id, (_, start, text, _) in known.items() for row in _facet_rows(id, start, text.splitlines())}
        after = {row for one in newer for row in _facet_rows(one.incident_id, one.start, one.facets)}
        replaced = {one.incident_id for one in newer}
        gone = {row[:3] for row in before if row[2] in replaced} - {row[:3] for row in after}
        self._delete_facets(sorted(gone))
        upsert_rows(self.connection, facets, _FACETS, sorted(after - before, key=_key_of_facet))
        self._index_words([one.incident_id for one in newer if one.revision != known.get(one.incident_id, (0,))[-1]])

    def _index_words(self, ids: Sequence[str]) -> None:
        """The words of the newest revisions of incidents, in place of others."""
        if reported := self.latest(ids):
            self.connection.execute(_DELETE_WORDS, [{"of": id} for id in reported])
            rows = [(id, words_of(reported[id].report)) for id in sorted(reported)]
            insert_new_rows(self.connection, words, ("incident_id", "words"), rows)

    def _delete_facets(self, keys: Sequence[tuple[str, int, str]]) -> None:
        if keys:
            values = [dict(zip(("of", "at", "id"), key, strict=True)) for key in keys]
            self.connection.execute(_DELETE_FACET, values)

    def recall_items(self, ids: Iterable[str]) -> dict[str, SourceItem]:
        wanted = list(ids)
        rows = select_by_key(self.connection, _ITEM, wanted) if wanted else ()
        return {row[0]: SourceItem(row[0], row[1], row[2], row[3], bool(row[4]), row[5]) for row in rows}

    def keep_items(self, items: Sequence[SourceItem]) -> None:
        rows = [msgspec.structs.asdict(item) for item in sorted(items, key=lambda item: item.incident_id)]
        for row in rows:
            self.connection.execute(upsert(self.connection, source_items).values(row))

    def mark_dead(self, dead: Mapping[str, int]) -> None:
        rows = [(incident_id, dead[incident_id]) for incident_id in sorted(dead)]
        upsert_rows(self.connection, deaths, ("incident_id", "revision"), rows, rising="revision")
        self._index_words(sorted(dead))


def _projected(one: ProjectedAssessment) -> tuple[Any, ...]:
    """In the order of the table's columns."""
    box = (None,) * 4 if one.box is None else one.box
    told = "".join(f"\n{facet}" for facet in one.facets) + "\n"
    return one.incident_id, one.sequence, one.revision, one.verdict, one.start, *box, told, pack(one.body)


_FacetRow: TypeAlias = tuple[str, int, str, int | None, int | None, int]


def _key_of_facet(row: Sequence[Any]) -> Any:
    return row[:3]


def _facet_rows(incident_id: str, start: int, named: Sequence[str]) -> Iterator[_FacetRow]:
    """The rows of those facets that lists begin with."""
    claims = read_claims(named)
    for facet in named:
        kind = facet.partition("/")[0]
        if kind in INDEXED:
            yield facet, start, incident_id, *(claims if kind in GROUPS else _NO_CLAIMS)


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


def load_assessed_until(connection: Connection) -> int:
    """Of what came in before, nothing waits; 0 where that was never noted."""
    return connection.execute(select(assessed_until.c.received_at)).scalar() or 0


def keep_assessed_until(connection: Connection, received_at: int) -> None:
    connection.execute(upsert(connection, assessed_until), [{"id": 1, "received_at": received_at}])


def find_last_received(connection: Connection) -> int | None:
    """When the last report came in, of the newest revisions."""
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
    return Revision(
        incident_id, number, partner, _read_report(unpack(body)).report, TimeSpan(start, end), received_at, retracted
    )


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
    lasts_long = int(one.span.end - one.span.start > LONG)
    return (
        one.incident_id, one.revision, one.partner, one.report.external_id, one.retracted,
        one.received_at, one.span.start, one.span.end, superseded_at, pack(body), one.identity, lasts_long,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class SqlAnswers:
    """The port Answers over a connection."""

    connection: Connection

    def recall(self, asked: Iterable[IdempotencyKey]) -> dict[tuple[str, str], KeyAnswer]:
        pairs = {(once.partner, once.key) for once in asked}
        if not pairs:
            return {}
        rows = self.connection.execute(select(answers).where(tuple_(answers.c.partner, answers.c.key).in_(pairs)))
        return {(row.partner, row.key): KeyAnswer(row.fingerprint, row.answer) for row in rows}

    def remember(self, given: Sequence[tuple[IdempotencyKey, bytes | None, int]]) -> None:
        rows = [
            {"partner": once.partner, "key": once.key, "fingerprint": once.fingerprint, "answer": body,
             "received_at": received_at}
            for once, body, received_at in given
        ]  # fmt: skip
        if rows:
            self.connection.execute(insert(answers), rows)

    def settle(self, once: IdempotencyKey, body: bytes) -> None:
        of_key = (answers.c.partner == once.partner) & (answers.c.key == once.key)
        self.connection.execute(update(answers).where(of_key, answers.c.answer.is_(None)).values(answer=body))

    def forget(self, before: int) -> int:
        """Drop what was remembered before an instant; returns how many."""
        return self.connection.execute(delete(answers).where(answers.c.received_at < before)).rowcount
