"""Heartbeats as rows, and the counts that they carry."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, and_, delete, exists, func, select, update

from schemas.instants import DAY
from services.notify.domain.content import decode_digest
from services.notify.sql.deliveries import delivery_row, insert_rows
from services.notify.sql.subscriptions import expect_version
from services.notify.sql.tables import PENDING, alert_log, deliveries, heard, heartbeats, held
from services.notify.use_cases.heartbeat import Beat, Counts, Due, Make, Pulse, PutOff
from services.shared.db.apart import PUT_OFF, OnFault, each_apart, log_fault
from services.shared.db.bulk import insert_new_rows
from services.shared.db.engine import Database
from services.shared.db.upsert import insert_new, upsert

#: A heartbeat covers no more than this long, so older counts are of no use.
COUNTED_FOR: Final = 40 * DAY
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

    async def flush(self, now: int, make: Make, version: int, limit: int) -> int:
        """Each due heartbeat through ``make``, in one transaction; returns how many were due. Raises StaleError when
        the directory is no longer at ``version``."""
        due = select(heartbeats).where(_b.due_at <= now).order_by(_b.due_at).limit(limit)
        if not await self._database.read(lambda connection: connection.execute(due.limit(1)).first()):
            return 0

        def work(connection: Connection) -> tuple[int, list[Exception]]:
            expect_version(connection, version)
            rows = connection.execute(due.with_for_update(skip_locked=True)).all()

            def beat(some: Sequence[Any]) -> None:
                for row in some:
                    self._beat(connection, _due(row, is_gathering(connection, row.subscription_id, now)), make)

            _, errors = each_apart(connection, rows, beat, lambda row: _put_off(connection, row.subscription_id, now))
            return len(rows), errors

        count, errors = await self._database.write(work)
        for error in errors:
            self._on_fault(error)
        return count

    def _beat(self, connection: Connection, due: Due, make: Make) -> None:
        made = make(due, partial(count, connection))
        if made is None:
            connection.execute(delete(heartbeats).where(_b.subscription_id == due.subscription))
        elif isinstance(made, PutOff):
            put_off = update(heartbeats).where(_b.subscription_id == due.subscription)
            connection.execute(put_off.values(due_at=made.until))
        else:
            keep_beat(connection, due.subscription, made)

    async def hear(self, incidents: Sequence[str], now: int) -> None:
        """Note that these incidents were judged; the first time counts. Derived from the log, so not forced to disk."""
        rows = [(id, now) for id in incidents]
        columns = ("incident_id", "heard_at")
        await self._database.write(lambda c: insert_new_rows(c, heard, columns, rows), durable=False)

    async def forget(self, now: int) -> None:
        """Let go of counts that no heartbeat needs any more."""
        old = delete(heard).where(heard.c.heard_at < now - COUNTED_FOR)
        await self._database.write(lambda connection: connection.execute(old), durable=False)

    async def overdue(self) -> tuple[int | None, set[str]]:
        """When a heartbeat last arrived, and the subscriptions whose newest has failed at least once."""
        d = deliveries.c
        last = select(func.max(d.finished_at)).where(d.kind == "heartbeat", d.state == "delivered")
        late = select(d.subscription_id).where(d.kind == "heartbeat", PENDING, d.failures > 0)

        def work(connection: Connection) -> tuple[int | None, set[str]]:
            delivered, overdue = _told_along(connection)
            alone = connection.execute(last).scalar()
            arrived = max((at for at in (alone, delivered) if at is not None), default=None)
            return arrived, overdue.union(connection.execute(late).scalars())

        return await self._database.read(work)


def _put_off(connection: Connection, subscription: str, now: int) -> None:
    connection.execute(update(heartbeats).where(_b.subscription_id == subscription).values(due_at=now + PUT_OFF))


def is_gathering(connection: Connection, subscription: str, now: int) -> bool:
    """Whether alerts wait in a message that is due."""
    h = held.c
    waiting = exists().where(h.subscription_id == subscription, h.group_key.is_not(None), h.due_at <= now)
    return bool(connection.execute(select(waiting)).scalar())


def pulse_of(connection: Connection, subscription: str) -> Pulse:
    """For a message that may carry the heartbeat along; what it carries goes to :func:`keep_beat`."""

    def due() -> Due | None:
        row = connection.execute(select(heartbeats).where(_b.subscription_id == subscription).with_for_update()).first()
        return None if row is None else _due(row, gathering=True)

    return Pulse(due, partial(count, connection))


def keep_beat(connection: Connection, subscription: str, made: Beat) -> None:
    """Note what was told, and queue the message that tells it, if it has one of its own."""
    if made.job is not None:
        due_at = made.job.created_at if made.state == "pending" else None
        insert_rows(connection, [delivery_row(made.job, due_at, None, made.state)])
    row = {
        "subscription_id": subscription, "due_at": made.next_due, "sequence": made.told.sequence,
        "period_from": made.told.end,
    }  # fmt: skip
    connection.execute(upsert(connection, heartbeats), row)


def _told_along(connection: Connection) -> tuple[int | None, set[str]]:
    """When a digest that carries a heartbeat last arrived, and the subscriptions that wait for one which has failed."""
    d = deliveries.c
    digests = select(d.subscription_id, d.finished_at, d.content).where(d.kind == "digest")
    arrived = (
        digests.where(d.state == "delivered", d.subscription_id.in_(select(_b.subscription_id)))
        .order_by(d.finished_at.desc())
        .limit(LOOKED_THROUGH)
    )
    told = (row.finished_at for row in connection.execute(arrived) if decode_digest(row.content).heartbeat)
    late = connection.execute(digests.where(PENDING, d.failures > 0))
    return next(told, None), {row.subscription_id for row in late if decode_digest(row.content).heartbeat}


def _due(row: Any, gathering: bool) -> Due:
    return Due(row.subscription_id, row.sequence, row.period_from, row.due_at, gathering)


def count(connection: Connection, subscription: str, start: int, end: int) -> Counts:
    """What happened in the half-open period, for one subscription."""
    d, a = deliveries.c, alert_log.c
    reports = select(func.count()).select_from(heard).where(heard.c.heard_at >= start, heard.c.heard_at < end)
    violations = (
        select(func.count())
        .select_from(alert_log)
        .where(a.recorded_at >= start, a.recorded_at < end, a.status == "raised", a.verdict == "violation")
    )
    told = and_(d.subscription_id == subscription, d.state == "delivered", d.kind.in_(("alert", "digest")))
    # Bounded by when it was made too, which is what the index is ordered by.
    within = and_(told, d.created_at >= start - COUNTED_FOR, d.finished_at >= start, d.finished_at < end)
    last = select(d.finished_at).where(told, d.finished_at < end).order_by(d.created_at.desc()).limit(1)
    return Counts(
        reports=connection.execute(reports).scalar_one(),
        violations=connection.execute(violations).scalar_one(),
        delivered=connection.execute(select(func.count()).select_from(deliveries).where(within)).scalar_one(),
        last_alert=connection.execute(last).scalar(),
    )
