"""The counts of heartbeats: reports that rules judged, violations, messages delivered."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, and_, delete, func, select

from schemas.instants import DAY
from services.notify.decisions.heartbeats import HeartbeatCounts, Period
from services.notify.kinds.catalogue import names_of
from services.notify.sql.tables import alert_log, deliveries, heard
from services.platform.db.bulk import insert_new_rows
from services.platform.db.engine import Database

#: A heartbeat covers no more than this long, so older counts are of no use.
COUNTED_FOR: Final = 40 * DAY


class SqlJudgedReports:
    """The incidents that rules judged, each counted once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, incidents: Sequence[str], now: int) -> None:
        """Note that these were judged; the first time counts. Derived from the log, so not forced to disk."""
        rows = [(id, now) for id in incidents]
        columns = ("incident_id", "heard_at")
        await self._database.write(lambda c: insert_new_rows(c, heard, columns, rows), durable=False)

    async def knows(self, incident: str) -> bool:
        """Whether rules judged the incident; those of long ago are forgotten."""
        statement = select(heard.c.incident_id).where(heard.c.incident_id == incident)
        return await self._database.read(lambda connection: connection.execute(statement).first() is not None)

    async def forget(self, now: int) -> None:
        """Let go of counts that no heartbeat needs any more."""
        old = delete(heard).where(heard.c.heard_at < now - COUNTED_FOR)
        await self._database.write(lambda connection: connection.execute(old), durable=False)


def count_period(connection: Connection, period: Period) -> HeartbeatCounts:
    """The counts of the half-open period, for one subscription."""
    subscription, start, end = period
    d, a = deliveries.c, alert_log.c
    reports = select(func.count()).select_from(heard).where(heard.c.heard_at >= start, heard.c.heard_at < end)
    violations = (
        select(func.count())
        .select_from(alert_log)
        .where(a.recorded_at >= start, a.recorded_at < end, a.status == "raised", a.verdict == "violation")
    )
    tells_alerts = d.kind.in_(names_of(lambda kind: kind.alerts is not None))
    told = and_(d.subscription_id == subscription, d.state == "delivered", tells_alerts)
    # Bounded by when it was made too, which is what the index is ordered by.
    within = and_(told, d.created_at >= start - COUNTED_FOR, d.finished_at >= start, d.finished_at < end)
    last = select(d.finished_at).where(told, d.finished_at < end).order_by(d.created_at.desc()).limit(1)
    return HeartbeatCounts(
        reports=connection.execute(reports).scalar_one(),
        violations=connection.execute(violations).scalar_one(),
        delivered=connection.execute(select(func.count()).select_from(deliveries).where(within)).scalar_one(),
        last_alert=connection.execute(last).scalar(),
    )
