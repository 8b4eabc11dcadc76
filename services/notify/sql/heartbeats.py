"""Heartbeats as rows: when each is due, and the messages that tell them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, delete, select, update

from services.notify.decisions.heartbeats import DecidedHeartbeat, DueHeartbeat, HeartbeatCounts, Period
from services.notify.kinds.catalogue import names_of
from services.notify.sql.deliveries import delivery_row, insert_rows, to_job
from services.notify.sql.heartbeat_counts import count_period
from services.notify.sql.tables import PENDING, deliveries, heartbeats, held
from services.notify.sql.versions import expect_version
from services.platform.db.apart import PUT_OFF, OnFault, each_apart, log_fault
from services.platform.db.engine import Database
from services.platform.db.upsert import insert_new

#: Of the digests that arrived, so many are looked through for one that carries a heartbeat.
LOOKED_THROUGH: Final = 1_000
_b = heartbeats.c


class SqlHeartbeats:
    """``on_fault`` is told what a heartbeat raised; that one is put off, and the others are sent."""

    def __init__(self, database: Database, on_fault: OnFault = log_fault) -> None:
        self._database, self._on_fault = database, on_fault

    async def start(self, dues: Mapping[str, tuple[int, int]]) -> None:
        rows = [
            {"subscription_id": id, "due_at": end, "sequence": 0, "period_from": start}
            for id, (start, end) in dues.items()
        ]
        await self._database.write(lambda connection: connection.execute(insert_new(connection, heartbeats), rows))

    async def load_due(self, now: int, limit: int) -> list[DueHeartbeat]:
        due = select(heartbeats).where(_b.due_at <= now).order_by(_b.due_at).limit(limit)

        def work(connection: Connection) -> list[DueHeartbeat]:
            rows = connection.execute(due).all()
            gathering = _find_gathering(connection, [row.subscription_id for row in rows], now)
            return [_to_due(row, row.subscription_id in gathering) for row in rows]

        return await self._database.read(work)

    async def count(self, period: Period) -> HeartbeatCounts:
        return await self._database.read(lambda connection: count_period(connection, period))

    async def save(
        self, decided: Sequence[DecidedHeartbeat], failed: Mapping[str, Exception], now: int, version: int
    ) -> None:
        """Keep what was decided. Raises StaleError when the directory is no longer at ``version``."""

        def work(connection: Connection) -> list[Exception]:
            expect_version(connection, version)
            due = [one.due.subscription for one in decided]
            now_due = load_next(connection, due, lock=True)
            # One that another process told meanwhile, or is telling, is not the same any more.
            ours = [one for one in decided if _is_same(now_due.get(one.due.subscription), one.due)]

            def keep(some: Sequence[DecidedHeartbeat]) -> None:
                for one in some:
                    keep_heartbeat(connection, one)

            for subscription in failed:
                _put_off(connection, subscription, now)
            return each_apart(connection, ours, keep, lambda one: _put_off(connection, one.due.subscription, now))[1]

        errors = await self._database.write(work)
        for error in (*failed.values(), *errors):
            self._on_fault(error)

    async def overdue(self) -> tuple[int | None, set[str]]:
        """When a heartbeat last arrived, and the subscriptions whose newest has failed at least once."""

        def work(connection: Connection) -> tuple[int | None, set[str]]:
            told = [_told_by(connection, name) for name in names_of(lambda kind: kind.carries_heartbeat is not None)]
            arrived = max((at for at, _ in told if at is not None), default=None)
            return arrived, set[str]().union(*(late for _, late in told))

        return await self._database.read(work)


def load_next(connection: Connection, ids: Collection[str], *, lock: bool = False) -> dict[str, DueHeartbeat]:
    """The next heartbeat of each subscription. ``lock``: without those that another process is at."""
    if not ids:
        return {}
    found = select(heartbeats).where(_b.subscription_id.in_(sorted(ids))).order_by(_b.subscription_id)
    rows = connection.execute(found.with_for_update(skip_locked=True) if lock else found)
    return {row.subscription_id: _to_due(row) for row in rows}


def keep_heartbeat(connection: Connection, one: DecidedHeartbeat) -> None:
    """Note what was told, and queue the message that tells it, if it has one of its own."""
    mine = _b.subscription_id == one.due.subscription
    if one.next_due is None:
        connection.execute(delete(heartbeats).where(mine))
        return
    changed: dict[str, Any] = {"due_at": one.next_due}
    if one.told is not None:
        changed |= {"sequence": one.told.sequence, "period_from": one.told.end}
    connection.execute(update(heartbeats).where(mine).values(changed))
    if one.job is not None:
        due_at = one.job.created_at if one.state == "pending" else None
        insert_rows(connection, [delivery_row(one.job, due_at, None, one.state)])


def _put_off(connection: Connection, subscription: str, now: int) -> None:
    connection.execute(update(heartbeats).where(_b.subscription_id == subscription).values(due_at=now + PUT_OFF))


def _is_same(now: DueHeartbeat | None, decided: DueHeartbeat) -> bool:
    return now is not None and (now.sequence, now.due_at) == (decided.sequence, decided.due_at)


def _find_gathering(connection: Connection, ids: Sequence[str], now: int) -> frozenset[str]:
    """Those for which alerts wait in a message that is due."""
    if not ids:
        return frozenset()
    h = held.c
    waiting = select(h.subscription_id).where(h.subscription_id.in_(ids), h.group_key.is_not(None), h.due_at <= now)
    return frozenset(connection.execute(waiting.distinct()).scalars())


def _told_by(connection: Connection, kind: str) -> tuple[int | None, set[str]]:
    """When a heartbeat last arrived by this kind of message, and the subscriptions with one that has failed."""
    d = deliveries.c
    mine = select(deliveries).where(d.kind == kind)
    arrived = (
        mine.where(d.state == "delivered", d.subscription_id.in_(select(_b.subscription_id)))
        .order_by(d.finished_at.desc())
        .limit(LOOKED_THROUGH)
    )
    told = (row.finished_at for row in connection.execute(arrived) if to_job(row).tells_heartbeat)
    late = connection.execute(mine.where(PENDING, d.failures > 0))
    return next(told, None), {row.subscription_id for row in late if to_job(row).tells_heartbeat}


def _to_due(row: Any, gathering: bool = False) -> DueHeartbeat:
    return DueHeartbeat(row.subscription_id, row.sequence, row.period_from, row.due_at, gathering)
