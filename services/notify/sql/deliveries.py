"""Deliveries as rows: queued in lanes, claimed by one process at a time, recorded attempt by attempt."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import structs
from sqlalchemy import ColumnElement, Connection, and_, bindparam, case, exists, func, or_, select, update

from services.notify.decisions.attempts import Outcome
from services.notify.domain.lifecycle import SENT_TO
from services.notify.domain.subscription import Subscription
from services.notify.kinds.catalogue import find_kind, names_of
from services.notify.kinds.kind import Job
from services.notify.sql.tables import (
    CLAIMED,
    WAITING,
    attempts,
    deliveries,
    gathered,
    held,
    held_changes,
    lanes,
    subscriptions,
)
from services.platform.db.bulk import insert_new_rows, update_rows
from services.platform.db.engine import Database
from services.platform.db.tables import leases
from services.platform.db.upsert import merge

#: Lanes looked at in one transaction, so that no other write waits long.
LANES_AT_ONCE = 100
_d = deliveries.c


def delivery_row(job: Job, due_at: int | None, claimed_by: str | None = None, state: str = "pending") -> dict[str, Any]:
    return {
        "id": job.id, "subscription_id": job.subscription, "lane": job.lane, "kind": job.kind.name,
        "alert_id": job.alert, "revision": job.revision, "status": job.status, "state": state,
        "created_at": job.created_at,
        "due_at": due_at, "finished_at": None, "attempts": job.attempts, "failures": job.failures,
        "claimed_by": claimed_by, "mail_id": job.mail_id, "content": job.content,
    }  # fmt: skip


def needs_proof() -> ColumnElement[bool]:
    """Whether a message is of a kind that waits until its endpoint is proved and on."""
    return _d.kind.not_in(names_of(lambda kind: not kind.needs_proof))


def insert_rows(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep new deliveries; those there already are left as they are. What nobody claimed is queued in its lane."""
    if not rows:
        return
    insert_new_rows(connection, deliveries, tuple(rows[0]), [tuple(row.values()) for row in rows])
    queue_lanes(connection, [(r["lane"], r["due_at"]) for r in rows if r["claimed_by"] is None and r["due_at"]])


def insert_jobs(connection: Connection, jobs: Sequence[Job]) -> None:
    """Queue messages that are due at once."""
    insert_rows(connection, [delivery_row(job, job.created_at) for job in jobs])


def queue_lanes(connection: Connection, dues: Iterable[tuple[str, int]]) -> None:
    """Have each lane looked at when it is due, or earlier if it was to be looked at earlier."""
    earliest: dict[str, int] = {}
    for lane, due in dues:
        earliest[lane] = min(due, earliest.get(lane, due))
    if earliest:
        # Sorted, so that two processes that queue the same lanes wait for each other in one order only.
        rows = [{"lane": lane, "due_at": due} for lane, due in sorted(earliest.items())]
        connection.execute(merge(connection, lanes, _sooner), rows)


def _sooner(came: Any) -> dict[str, Any]:
    return {"due_at": case((came.due_at < lanes.c.due_at, came.due_at), else_=lanes.c.due_at)}


def follow_endpoint(connection: Connection, before: Subscription, after: Subscription) -> None:
    """Let waiting messages follow their endpoint: held while it is off, dropped when it ended, and sent when it was
    held for want of an owner and has one again."""
    if before.state == after.state:
        return
    if after.state in SENT_TO:
        if before.state == "held":
            release_held(connection, after.id)
        return
    mine = and_(_d.subscription_id == after.id, needs_proof())
    if after.state == "ended":
        gone = update(deliveries).where(_d.subscription_id == after.id, _d.state.in_(("pending", "held", "failed")))
        connection.execute(gone.values(state="dropped", due_at=None, claimed_by=None))
        for waiting in (held, held_changes):
            connection.execute(waiting.delete().where(waiting.c.subscription_id == after.id))
    elif after.state in ("disabled", "gone"):
        off = update(deliveries).where(mine, WAITING)
        connection.execute(off.values(state="held", due_at=None))
    elif after.state == "held":
        off = update(deliveries).where(_d.subscription_id == after.id, WAITING)
        connection.execute(off.values(state="held", due_at=None))


def release_held(connection: Connection, subscription: str) -> None:
    """Queue all that was held for a subscription: due since it was made, so that the oldest goes first."""
    mine = and_(_d.subscription_id == subscription, _d.state == "held")
    found = connection.execute(select(_d.lane, func.min(_d.created_at)).where(mine).group_by(_d.lane)).all()
    connection.execute(update(deliveries).where(mine).values(state="pending", due_at=_d.created_at, claimed_by=None))
    queue_lanes(connection, [(lane, since) for lane, since in found])


def find_sent_to(connection: Connection, ids: Iterable[str]) -> frozenset[str]:
    """Those of the subscriptions that are sent messages now. They stay so until the transaction ends."""
    s = subscriptions.c
    statement = select(s.id).where(s.id.in_(sorted(ids)), s.state.in_(SENT_TO)).order_by(s.id)
    return frozenset(connection.execute(statement.with_for_update(read=True)).scalars())


def release_silenced(connection: Connection, silence: str, now: int) -> None:
    """Alerts that wait for the end of a silence are looked at now."""
    connection.execute(update(held).where(held.c.silence_id == silence, held.c.due_at > now).values(due_at=now))


class SqlDeliveries:
    """The queue as the dispatcher sees it. ``instance`` names this process."""

    def __init__(self, database: Database, instance: str) -> None:
        self._database = database
        self._instance = instance

    async def record(self, outcomes: Sequence[Outcome]) -> None:
        """Keep attempts and new states. Not forced to disk: what is lost is sent again under the same id."""
        await self._database.write(lambda c: self._record(c, outcomes), durable=False, rows=len(outcomes))

    def _record(self, connection: Connection, outcomes: Sequence[Outcome]) -> None:
        outcomes = _unhold(connection, outcomes)
        tried = [attempt_row(o) for o in outcomes if o.answer is not None]
        insert_new_rows(connection, attempts, _ATTEMPT, tried)
        rows = [outcome_row(o) for o in outcomes]
        update_rows(connection, deliveries, _OUTCOME, rows, only=("claimed_by", self._instance))
        queue_lanes(connection, [(o.job.lane, o.due_at) for o in outcomes if o.due_at is not None])

    async def due_lanes(self, now: int, without: frozenset[str], limit: int) -> list[str]:
        """Lanes that are due, longest first, without those that have no room."""
        statement = select(lanes.c.lane).where(lanes.c.due_at <= now).order_by(lanes.c.due_at)
        if without:
            statement = statement.where(lanes.c.lane.not_in(without))
        return await self._database.read(lambda c: list(c.execute(statement.limit(limit)).scalars()))

    async def claim(self, rooms: Mapping[str, int], now: int) -> list[Job]:
        """Take what is due in each lane, oldest first, up to the room it has; none that waits for an earlier
        revision. Another process passes over lanes that this one is at."""
        return await self._database.write(lambda connection: self._claim(connection, rooms, now), durable=False)

    def _claim(self, connection: Connection, rooms: Mapping[str, int], now: int) -> list[Job]:
        mine = select(lanes.c.lane).where(lanes.c.lane.in_(rooms)).with_for_update(skip_locked=True)
        jobs: list[Job] = []
        for lane in list(connection.execute(mine).scalars()):
            rows = connection.execute(_DUE, {"b_lane": lane, "b_now": now, "b_room": rooms[lane]}).all()
            if rows:
                taken = [{"b_id": row.id, "claimed_by": self._instance} for row in rows]
                connection.execute(_CLAIM, taken)
                jobs.extend(to_job(row) for row in rows)
            self._requeue(connection, lane, now, full=len(rows) >= rooms[lane])
        return jobs

    def _requeue(self, connection: Connection, lane: str, now: int, *, full: bool) -> None:
        """When the lane is to be looked at next. One with revisions that wait for an earlier one asks again soon."""
        due = connection.execute(_NEXT_DUE, {"b_lane": lane}).scalar()
        if due is None:
            connection.execute(lanes.delete().where(lanes.c.lane == lane))
        else:
            later = due if due > now or full else now + 1_000_000
            connection.execute(update(lanes).where(lanes.c.lane == lane).values(due_at=later))

    async def claimed(self, more_than: int) -> list[str]:
        """The messages that this process has claimed, if there are more than so many; else none."""
        mine = and_(CLAIMED, _d.claimed_by == self._instance)

        def work(connection: Connection) -> list[str]:
            count = connection.execute(select(func.count()).select_from(deliveries).where(mine)).scalar_one()
            return list(connection.execute(select(_d.id).where(mine)).scalars()) if count > more_than else []

        return await self._database.read(work)

    async def release(self, ids: Sequence[str], now: int) -> None:
        """Queue again what this process had claimed."""
        mine = and_(CLAIMED, _d.claimed_by == self._instance)

        def work(connection: Connection) -> None:
            for start in range(0, len(ids), 500):
                some = and_(mine, _d.id.in_(ids[start : start + 500]))
                found = list(connection.execute(select(_d.lane).where(some).distinct()).scalars())
                connection.execute(
                    update(deliveries).where(some).values(claimed_by=None, due_at=func.coalesce(_d.due_at, now))
                )
                queue_lanes(connection, [(lane, now) for lane in found])

        await self._database.write(work, durable=False)

    async def backlog(self) -> int:
        """How many messages are due or will be tried again."""
        counts = [select(func.count()).select_from(deliveries).where(which) for which in (WAITING, CLAIMED)]
        return await self._database.read(lambda c: sum(c.execute(count).scalar_one() for count in counts))

    async def adopt(self, now: int, *, alone: bool) -> int:
        """Queue again what processes had claimed that are no longer alive. ``alone``: none but this one can be."""
        return await self._database.write(lambda connection: self._adopt(connection, now, alone), durable=False)

    def _adopt(self, connection: Connection, now: int, alone: bool) -> int:
        alive = select(leases.c.holder).where(leases.c.name.like("notify/%"), leases.c.until > now)
        orphaned = and_(CLAIMED, _d.claimed_by != self._instance)
        if not alone:
            orphaned = and_(orphaned, _d.claimed_by.not_in(alive))
        found = connection.execute(select(_d.lane, func.min(_d.due_at)).where(orphaned).group_by(_d.lane)).all()
        if not found:
            return 0
        connection.execute(
            update(deliveries).where(orphaned).values(claimed_by=None, due_at=func.coalesce(_d.due_at, now))
        )
        queue_lanes(connection, [(lane, due or now) for lane, due in found])
        return len(found)


def attempt_row(o: Outcome) -> tuple[Any, ...]:
    """In the order of the table's columns."""
    assert o.answer is not None
    return (
        o.job.id, o.job.attempts + 1, o.at, o.answer.status,
        o.answer.failure, o.answer.latency, o.reason, o.answer.excerpt,
    )  # fmt: skip


def _unhold(connection: Connection, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """Outcomes as they are to be kept: what was held for an endpoint that was switched on meanwhile, by another
    process, is due again, since nobody would release it any more."""
    held_back = {o.job.subscription for o in outcomes if o.state == "held" and o.answer is None}
    if not held_back or not (on := find_sent_to(connection, held_back)):
        return outcomes
    return [
        structs.replace(o, state="pending", due_at=o.at)
        if o.state == "held" and o.answer is None and o.job.subscription in on
        else o
        for o in outcomes
    ]


def outcome_row(o: Outcome) -> tuple[Any, ...]:
    """In the order of ``_OUTCOME``; nobody has claimed it any more."""
    finished_at = None if o.state == "pending" else o.at
    return o.job.id, o.state, o.due_at, o.failures, o.job.attempts + (o.answer is not None), finished_at, None


def to_job(row: Any) -> Job:
    return Job(
        id=row.id,
        subscription=row.subscription_id,
        kind=find_kind(row.kind),
        created_at=row.created_at,
        alert=row.alert_id,
        revision=row.revision,
        status=row.status,
        content=row.content,
        attempts=row.attempts,
        failures=row.failures,
    )


_ATTEMPT = tuple(attempts.c.keys())
_OUTCOME = ("id", "state", "due_at", "failures", "attempts", "finished_at", "claimed_by")
_CLAIM = update(deliveries).where(_d.id == bindparam("b_id")).values(claimed_by=bindparam("claimed_by"))
_earlier = deliveries.alias("earlier")
_member, _before = gathered.alias("member"), gathered.alias("prior")
_UNDER_WAY = _earlier.c.state == "pending"


def _same_alert(one: Any, other: Any) -> ColumnElement[bool]:
    """Whether ``one`` tells of an earlier revision of the alert that ``other`` tells of, to the same reader."""
    same = and_(one.c.alert_id == other.c.alert_id, one.c.subscription_id == other.c.subscription_id)
    return and_(same, one.c.revision < other.c.revision)


#: Where an earlier revision is under way in a gathered message, or the gathered message has a later one. Spelled by or,
#: so that the database looks each up by its index.
_IN_ORDER = and_(
    or_(
        _d.alert_id.is_(None),
        ~exists().where(_same_alert(_before, deliveries), _earlier.c.id == _before.c.delivery_id, _UNDER_WAY),
    ),
    or_(
        _d.alert_id.is_not(None),
        and_(
            ~exists().where(_member.c.delivery_id == _d.id, _same_alert(_earlier, _member), _UNDER_WAY),
            ~exists().where(
                _member.c.delivery_id == _d.id,
                _same_alert(_before, _member),
                _earlier.c.id == _before.c.delivery_id,
                _UNDER_WAY,
            ),
        ),
    ),
)
_DUE = (
    select(deliveries)
    .where(
        _d.lane == bindparam("b_lane"),
        WAITING,
        _d.due_at <= bindparam("b_now"),
        ~exists(
            select(_earlier.c.id).where(
                _earlier.c.alert_id == _d.alert_id,
                _earlier.c.subscription_id == _d.subscription_id,
                _earlier.c.revision < _d.revision,
                _earlier.c.state == "pending",
            )
        ),
        _IN_ORDER,
    )
    .order_by(_d.due_at, _d.revision)
    .limit(bindparam("b_room"))
)
_NEXT_DUE = select(func.min(_d.due_at)).where(_d.lane == bindparam("b_lane"), WAITING)
