"""Groups of alerts that wait to be told together."""

from collections.abc import Sequence

from sqlalchemy import Connection, and_, delete, select, update

from services.notify.sql.deliveries import delivery_row, insert_rows
from services.notify.sql.heartbeats import keep_beat, pulse_of
from services.notify.sql.subscriptions import expect_version
from services.notify.sql.tables import alert_log, deliveries, gathered, groups, held
from services.notify.use_cases.gather import Gather, Gathered, Waiting
from services.shared.db.apart import PUT_OFF, OnFault, each_apart, log_fault
from services.shared.db.engine import Database
from services.shared.db.upsert import insert_new, upsert

_h = held.c


class SqlGroups:
    """``on_fault`` is told what a group raised; that one is put off, and the others are sent."""

    def __init__(self, database: Database, on_fault: OnFault = log_fault) -> None:
        self._database, self._on_fault = database, on_fault

    async def flush(self, now: int, gather: Gather, version: int, limit: int) -> int:
        """Each due group through ``gather``, in one transaction; returns how many were due, at most ``limit``. Raises
        StaleError when the directory is no longer at ``version``."""
        due = (
            select(_h.subscription_id, _h.group_key)
            .where(_h.due_at <= now, _h.group_key.is_not(None))
            .distinct()
            # In one order everywhere, so that no two processes each wait for a heartbeat that the other has.
            .order_by(_h.subscription_id, _h.group_key)
            .limit(limit)
        )
        # Nearly every pass finds nothing: only what finds something needs the writer.
        if not await self._database.read(lambda connection: connection.execute(due.limit(1)).first()):
            return 0

        def work(connection: Connection) -> tuple[int, list[Exception]]:
            expect_version(connection, version)
            found = [(row.subscription_id, row.group_key) for row in connection.execute(due)]

            def flush(some: Sequence[tuple[str, str]]) -> None:
                for subscription, key in some:
                    self._flush_one(connection, subscription, key, gather, now)

            _, errors = each_apart(connection, found, flush, lambda group: _put_off(connection, *group, now))
            return len(found), errors

        count, errors = await self._database.write(work)
        for error in errors:
            self._on_fault(error)
        return count

    def _flush_one(self, connection: Connection, subscription: str, key: str, gather: Gather, now: int) -> None:
        waiting = load_waiting(connection, subscription, key)
        if not waiting:
            return
        ours = and_(_h.subscription_id == subscription, _h.group_key == key)
        fate = gather(subscription, key, waiting, pulse_of(connection, subscription))
        if fate is not None and fate.postponed_to is not None:
            connection.execute(update(held).where(ours, _h.due_at <= now).values(due_at=fate.postponed_to))
            return
        connection.execute(delete(held).where(ours))
        if fate is not None:
            _send(connection, subscription, key, fate, now)


def _put_off(connection: Connection, subscription: str, key: str, now: int) -> None:
    ours = and_(_h.subscription_id == subscription, _h.group_key == key, _h.due_at <= now)
    connection.execute(update(held).where(ours).values(due_at=now + PUT_OFF))


def _send(connection: Connection, subscription: str, key: str, fate: Gathered, now: int) -> None:
    assert fate.job is not None
    due = now if fate.state == "pending" else None
    insert_rows(connection, [delivery_row(fate.job, due, None, fate.state)])
    if fate.beat is not None:
        keep_beat(connection, subscription, fate.beat)
    rows = [
        {"delivery_id": fate.job.id, "alert_id": a, "revision": r, "status": s, "subscription_id": subscription}
        for a, r, s in fate.members
    ]
    connection.execute(insert_new(connection, gathered), rows)
    connection.execute(
        upsert(connection, groups), {"subscription_id": subscription, "group_key": key, "last_sent": now}
    )


def load_waiting(connection: Connection, subscription: str, key: str) -> Sequence[Waiting]:
    """What waits in a group, in the order it came. Locked, so that one process alone sends it."""
    statement = (
        select(_h.alert_id, _h.revision, _h.held_at, _h.due_at, alert_log.c.status, alert_log.c.severity)
        .join(alert_log, and_(alert_log.c.alert_id == _h.alert_id, alert_log.c.revision == _h.revision))
        .where(_h.subscription_id == subscription, _h.group_key == key)
        .order_by(_h.held_at, alert_log.c.seq)
        .with_for_update(of=held, skip_locked=True)
    )
    rows = connection.execute(statement).all()
    told = _told_before(connection, subscription, [row.alert_id for row in rows])
    return [
        Waiting(
            alert=row.alert_id,
            revision=row.revision,
            status=row.status,
            severity=row.severity,
            held_at=row.held_at,
            due_at=row.due_at,
            told_before=row.alert_id in told,
        )
        for row in rows
    ]


def _told_before(connection: Connection, subscription: str, alerts: Sequence[str]) -> set[str]:
    d, g = deliveries.c, gathered.c
    single = select(d.alert_id).where(d.alert_id.in_(alerts), d.subscription_id == subscription, d.state != "dropped")
    joined = select(g.alert_id).where(g.alert_id.in_(alerts), g.subscription_id == subscription)
    return set(connection.execute(single.union(joined)).scalars())
