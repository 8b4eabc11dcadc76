"""The port on the tables of reassessments."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import Connection, func, select, update

from schemas.causes import Actor, Cause
from schemas.codec import encode
from schemas.events import ReassessmentEnded
from schemas.instants import SECOND, format_instant
from schemas.topics import REASSESSMENTS
from services.platform import audit
from services.platform.db import outbox
from services.platform.db.bulk import insert_new_rows
from services.platform.db.engine import Database, Work
from services.platform.db.lease import take_lease
from services.platform.db.paging import one_of, select_page
from services.platform.db.tables import leases
from services.platform.paging import PageQuery
from services.rules.assessing.domain.reassessment import Command, Reassessment, State, next_state
from services.rules.assessing.find_touched import KeyedIncident
from services.rules.assessing.reassess import RunningReassessment
from services.rules.assessing.sql import assessments, judged
from services.rules.assessing.sql_reassessment_tables import candidates, reassessments
from services.rules.registry.use_cases import PlannedReassessment

T = TypeVar("T")

LEASE: Final = "rules.reassessing"
#: A process that is killed is followed by another one after so long.
LEASE_US: Final = 10 * SECOND
_CANDIDATE: Final = tuple(candidates.c.keys())
_SHOWN: Final = tuple(reassessments.c[name] for name in Reassessment.__struct_fields__)
_NEWEST: Final = (
    select(reassessments.c.id, reassessments.c.cause, reassessments.c.reach)
    .where(reassessments.c.state == "running")
    .order_by(reassessments.c.registry_version.desc())
    .limit(1)
)
_decode_cause = msgspec.json.Decoder(Cause).decode


@dataclass(frozen=True, slots=True)
class SqlReassessments:
    """The port Reassessments on a database. ``holder`` is this process."""

    database: Database
    holder: str
    now: Callable[[], int]

    async def claim(self) -> RunningReassessment | None:
        now = self.now()
        newest, until = await self.database.read(partial(_look, self.holder))
        if newest is None or until - now > LEASE_US // 2:
            return newest
        return await self._write(partial(_claim, self.holder, now), rows=1)

    async def add(self, id: str, found: Sequence[KeyedIncident]) -> None:
        rows = {one.incident_id: (id, one.incident_id, one.verdict) for one in found}
        await self._write(lambda connection: _add(connection, id, list(rows.values())), rows=len(rows))

    async def end_search(self, id: str) -> None:
        await self._write(lambda connection: _end_search(connection, id, self.now()))

    async def next_slice(self, id: str, limit: int) -> Sequence[str]:
        statement = select(candidates.c.incident_id).where(candidates.c.reassessment == id)
        page = statement.order_by(candidates.c.incident_id).limit(limit)
        return await self.database.read(lambda connection: connection.execute(page).scalars().all())

    async def finish(self, id: str, incident_ids: Sequence[str], cause: str) -> None:
        work = partial(_finish, id, incident_ids, cause, self.now())
        await self._write(work, rows=len(incident_ids))

    async def _write(self, work: Work[T], rows: int | None = None) -> T:
        """Embedded, what a crash takes back is done again."""
        return await self.database.write(work, durable=not self.database.is_log, rows=rows)


def plan(connection: Connection, planned: PlannedReassessment) -> None:
    """Keep a reassessment, in the transaction of the change that caused it."""
    row = {
        "id": planned.id,
        "registry_version": planned.cause.registry_version,
        "cause": msgspec.json.encode(planned.cause),
        "reach": planned.reach,
        "state": "running",
        "started_at": planned.started_at,
    }
    connection.execute(
        reassessments.insert(), [row | dict.fromkeys(("candidates", "done", "changed", "flips", "alerts"), 0)]
    )


def count_running(connection: Connection) -> int:
    """How many reassessments run."""
    running = reassessments.c.state == "running"
    return connection.execute(select(func.count()).select_from(reassessments).where(running)).scalar_one()


def load_reassessment(connection: Connection, id: str) -> Reassessment | None:
    row = connection.execute(select(*_SHOWN).where(reassessments.c.id == id)).first()
    return None if row is None else _read(row)


def load_reassessments(connection: Connection, query: PageQuery) -> list[Reassessment]:
    """One page of the reassessments, by their version of the registry, with one more."""
    statement = select(*_SHOWN).where(*one_of(query, "state", reassessments.c.state))
    return [_read(row) for row in connection.execute(select_page(statement, query, reassessments.c.registry_version))]


def command(connection: Connection, id: str, command: Command, actor: Actor, now: int) -> Reassessment | None:
    """Stop or resume one; None where there is none. Raises CommandRefusedError. It is in the audit where it changes
    anything."""
    held = select(reassessments.c.state).where(reassessments.c.id == id).with_for_update()
    state: State | None = connection.execute(held).scalar()
    if state is None:
        return None
    new = next_state(state, command)
    if new != state:
        ended = now if new == "stopped" else None
        connection.execute(update(reassessments).where(reassessments.c.id == id).values(state=new, ended_at=ended))
        action = f"reassessments.{command}"
        audit.record(connection, at=now, actor=actor, action=action, resource=f"reassessments/{id}")
    return load_reassessment(connection, id)


def _read(row: Any) -> Reassessment:
    return Reassessment(**{**row._mapping, "cause": _decode_cause(row.cause)})


def _look(holder: str, connection: Connection) -> tuple[RunningReassessment | None, int]:
    """The newest that runs, and until when ``holder`` has the lease (0: it has not)."""
    mine = select(leases.c.until).where(leases.c.name == LEASE, leases.c.holder == holder)
    return _find_newest(connection), connection.execute(mine).scalar() or 0


def _claim(holder: str, now: int, connection: Connection) -> RunningReassessment | None:
    return _find_newest(connection) if take_lease(connection, LEASE, holder, now, now + LEASE_US) else None


def _find_newest(connection: Connection) -> RunningReassessment | None:
    row = connection.execute(_NEWEST).first()
    return None if row is None else RunningReassessment(row.id, _decode_cause(row.cause), row.reach)


def _add(connection: Connection, id: str, rows: Sequence[tuple[str, str, str]]) -> None:
    known = candidates.c.incident_id.in_([incident_id for _, incident_id, _ in rows])
    found = select(func.count()).select_from(candidates).where(candidates.c.reassessment == id, known)
    fresh = len(rows) - connection.execute(found).scalar_one()
    insert_new_rows(connection, candidates, _CANDIDATE, rows)
    _count(connection, id, {"candidates": fresh})


def _end_search(connection: Connection, id: str, now: int) -> None:
    connection.execute(update(reassessments).where(reassessments.c.id == id).values(reach=None))
    _end_where_none_is_left(connection, id, now)


def _finish(id: str, incident_ids: Sequence[str], cause: str, now: int, connection: Connection) -> None:
    mine = (candidates.c.reassessment == id) & candidates.c.incident_id.in_(incident_ids)
    gone = candidates.delete().where(mine).returning(candidates.c.incident_id, candidates.c.verdict)
    # Deleted first: of two processes that did the same, one counts it.
    found = {row.incident_id: row.verdict for row in connection.execute(gone)}
    kept = select(assessments.c.incident_id).where(assessments.c.incident_id.in_(found), assessments.c.cause == cause)
    changed = set(connection.execute(kept).scalars())
    now_judged = select(judged.c.incident_id, judged.c.verdict).where(judged.c.incident_id.in_(changed))
    flips = sum(row.verdict != found[row.incident_id] for row in connection.execute(now_judged))
    _count(connection, id, {"done": len(found), "changed": len(changed), "flips": flips})
    _end_where_none_is_left(connection, id, now)


def _count(connection: Connection, id: str, more: Mapping[str, int]) -> None:
    values = {name: reassessments.c[name] + count for name, count in more.items()}
    connection.execute(update(reassessments).where(reassessments.c.id == id).values(values))


def _end_where_none_is_left(connection: Connection, id: str, now: int) -> None:
    """One that was stopped is not ended: it may be resumed."""
    left = select(candidates.c.incident_id).where(candidates.c.reassessment == id).exists()
    running = (reassessments.c.id == id) & (reassessments.c.state == "running") & reassessments.c.reach.is_(None)
    ending = update(reassessments).where(running, ~left).values(state="done", ended_at=now)
    ended = connection.execute(ending.returning(reassessments.c.registry_version, reassessments.c.alerts)).first()
    if ended is not None:
        at = format_instant(now)
        told = ReassessmentEnded(id, ended.registry_version, ended.alerts, at)
        outbox.append(connection, [encode(REASSESSMENTS, told, key=id, id=id, time=at)])
