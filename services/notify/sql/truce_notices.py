"""When each truce is in force, and the notices of it, as rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, delete, select, update

from schemas.events import TruceScheduled
from schemas.instants import SECOND
from services.notify.decisions.truce_notices import DecidedNotices, NoticeLedger
from services.notify.domain.truce_schedule import PublishedSchedule, read_schedule
from services.notify.sql.deliveries import delivery_row, insert_rows
from services.notify.sql.tables import truce_notices, truce_schedules
from services.notify.sql.versions import expect_version
from services.notify.use_cases.flush_truce_notices import DueBatch, DueNotices
from services.platform.db.apart import PUT_OFF, OnFault, each_apart, log_fault
from services.platform.db.engine import Database
from services.platform.db.lease import take_lease
from services.platform.db.upsert import merge, upsert

LEASE: Final = "notify.truce_notices"
LEASE_LASTS: Final = 15 * SECOND
_n, _s = truce_notices.c, truce_schedules.c
_read_event: Final = msgspec.json.Decoder(TruceScheduled).decode
_read_ledger: Final = msgspec.json.Decoder(NoticeLedger).decode
_encode: Final = msgspec.json.Encoder().encode
#: Of a row whose notices are to be decided anew.
_RAISED: Final = {"turn": _n.turn + 1}


@dataclass(frozen=True, slots=True)
class SqlTruceNotices:
    """``holder`` is the id of this process. ``on_fault`` is told what the notices of a subscription raised; those are
    put off, and the others are sent."""

    database: Database
    holder: str
    on_fault: OnFault = log_fault

    async def learn(self, schedules: Sequence[TruceScheduled], now: int) -> None:
        """Keep the schedules that are newer than what is known, and have the notices of all subscriptions decided
        anew. Repeating it changes nothing."""
        await self.database.write(partial(_learn, schedules, now))

    async def start(self, subscriptions: Sequence[str], now: int) -> None:
        rows = [{"subscription_id": id, "turn": 0, "due_at": now, "ledger": None} for id in subscriptions]

        def work(connection: Connection) -> None:
            connection.execute(merge(connection, truce_notices, lambda came: {"due_at": came.due_at, **_RAISED}), rows)

        await self.database.write(work)

    async def load_due(self, now: int, limit: int) -> DueBatch:
        due = select(truce_notices).where(_n.due_at <= now).order_by(_n.due_at, _n.subscription_id).limit(limit)

        def work(connection: Connection) -> DueBatch:
            rows = connection.execute(due).all()
            schedules = connection.execute(select(truce_schedules).order_by(_s.truce)).all() if rows else []
            return DueBatch([_to_due(row) for row in rows], [_to_schedule(row) for row in schedules])

        return await self.database.read(work)

    async def save(
        self,
        decided: Mapping[DueNotices, DecidedNotices],
        failed: Mapping[DueNotices, Exception],
        now: int,
        version: int,
    ) -> bool:
        def work(connection: Connection) -> list[Exception] | None:
            expect_version(connection, version)
            if not take_lease(connection, LEASE, self.holder, now, now + LEASE_LASTS):
                return None

            def keep(some: Sequence[tuple[DueNotices, DecidedNotices]]) -> None:
                for due, one in some:
                    _keep(connection, due, one)

            for due in failed:
                _put_off(connection, due, now)
            return each_apart(connection, list(decided.items()), keep, lambda one: _put_off(connection, one[0], now))[1]

        errors = await self.database.write(work)
        for error in (*failed.values(), *(errors or ())):
            self.on_fault(error)
        return errors is not None


def _learn(schedules: Sequence[TruceScheduled], now: int, connection: Connection) -> None:
    newest = {one.truce: one for one in sorted(schedules, key=lambda one: one.version)}
    known = {
        row.truce: row
        for row in connection.execute(select(_s.truce, _s.version, _s.known_since).where(_s.truce.in_(newest)))
    }
    rows = [
        {
            "truce": id,
            "version": one.version,
            "known_since": known[id].known_since if id in known else now,
            "body": _encode(one),
        }
        for id, one in sorted(newest.items())
        if id not in known or known[id].version < one.version
    ]
    if rows:
        connection.execute(upsert(connection, truce_schedules), rows)
        connection.execute(update(truce_notices).values(due_at=now, **_RAISED))


def _keep(connection: Connection, due: DueNotices, one: DecidedNotices) -> None:
    """Nothing where the row is at another turn: another process decided, or there is something new to decide on."""
    mine = (_n.subscription_id == due.subscription) & (_n.turn == due.turn)
    if one.ledger is None:
        connection.execute(delete(truce_notices).where(mine))
        return
    values = {"due_at": one.next_due, "ledger": _encode(one.ledger), **_RAISED}
    if connection.execute(update(truce_notices).where(mine).values(values)).rowcount:
        is_due = one.state == "pending"
        rows = [delivery_row(job, job.created_at if is_due else None, None, one.state) for job in one.jobs]
        insert_rows(connection, rows)


def _put_off(connection: Connection, due: DueNotices, now: int) -> None:
    mine = (_n.subscription_id == due.subscription) & (_n.turn == due.turn)
    connection.execute(update(truce_notices).where(mine).values(due_at=now + PUT_OFF))


def _to_due(row: Any) -> DueNotices:
    return DueNotices(row.subscription_id, row.turn, None if row.ledger is None else _read_ledger(row.ledger))


def _to_schedule(row: Any) -> PublishedSchedule:
    return read_schedule(_read_event(row.body), row.known_since)
