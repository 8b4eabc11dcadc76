"""Heartbeats as rows, and the counts that they carry."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, and_, delete, func, select

from schemas.instants import DAY
from services.notify.sql.deliveries import delivery_row, insert_rows
from services.notify.sql.tables import PENDING, alert_log, deliveries, heard, heartbeats
from services.notify.use_cases.heartbeat import Counts, Due, Make
from services.shared.db.bulk import insert_new_rows
from services.shared.db.engine import Database
from services.shared.db.upsert import insert_new, upsert

#: A heartbeat covers no more than this long, so older counts are of no use.
COUNTED_FOR: Final = 40 * DAY
_b = heartbeats.c


class SqlHeartbeats:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def start(self, dues: Mapping[str, tuple[int, int]]) -> None:
        rows = [
            {"subscription_id": id, "due_at": end, "sequence": 0, "period_from": start}
            for id, (start, end) in dues.items()
        ]
        await self._database.write(lambda connection: connection.execute(insert_new(connection, heartbeats), rows))

    async def flush(self, now: int, make: Make, limit: int) -> int:
        due = select(heartbeats).where(_b.due_at <= now).order_by(_b.due_at).limit(limit)
        if not await self._database.read(lambda connection: connection.execute(due.limit(1)).first()):
            return 0

        def work(connection: Connection) -> int:
            rows = connection.execute(due.with_for_update(skip_locked=True)).all()
            for row in rows:
                self._beat(connection, Due(row.subscription_id, row.sequence, row.period_from, row.due_at), make)
            return len(rows)

        return await self._database.write(work)

    def _beat(self, connection: Connection, due: Due, make: Make) -> None:
        made = make(due, lambda id, start, end: count(connection, id, start, end))
        if made.job is None:
            connection.execute(delete(heartbeats).where(_b.subscription_id == due.subscription))
            return
        due_at = made.job.created_at if made.state == "pending" else None
        insert_rows(connection, [delivery_row(made.job, due_at, None, made.state)])
        row = {
            "subscription_id": due.subscription, "due_at": made.next_due, "sequence": made.sequence,
            "period_from": made.period_from,
        }  # fmt: skip
        connection.execute(upsert(connection, heartbeats), row)

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
        return await self._database.read(lambda c: (c.execute(last).scalar(), set(c.execute(late).scalars())))


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
