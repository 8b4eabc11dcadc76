"""Deliveries as their owner sees them: every attempt with its answer; and asking for them again."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, select, tuple_, update

from services.notify.domain.attempt import UNPROVED_KINDS, Job
from services.notify.domain.lifecycle import DeliveryState, NotPossibleError, next_delivery
from services.notify.sql.deliveries import delivery_row, insert_rows, queue_lanes
from services.notify.sql.subscriptions import UnknownError
from services.notify.sql.tables import attempts, deliveries, gathered
from services.notify.use_cases.history import Attempted, Delivered
from services.shared.db.engine import Database

_d = deliveries.c

Also = Callable[[Connection], None]


def _nothing(_connection: Connection) -> None:
    return None


class SqlHistory:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, subscription: str, before: tuple[int, str] | None, limit: int) -> Sequence[Delivered]:
        """Newest first, from before (creation, id)."""
        statement = select(deliveries).where(_d.subscription_id == subscription)
        if before is not None:
            statement = statement.where(tuple_(_d.created_at, _d.id) < before)
        statement = statement.order_by(_d.created_at.desc(), _d.id.desc()).limit(limit)
        return await self._database.read(lambda connection: with_attempts(connection, statement))

    async def about(self, subscription: str, alert: str) -> Sequence[Delivered]:
        """The messages that told a subscription of an alert, its own and gathered ones, oldest first."""
        told = select(gathered.c.delivery_id).where(
            gathered.c.alert_id == alert, gathered.c.subscription_id == subscription
        )
        statement = select(deliveries).where(
            _d.subscription_id == subscription, (_d.alert_id == alert) | _d.id.in_(told)
        )
        return await self._database.read(lambda c: with_attempts(c, statement.order_by(_d.created_at, _d.revision)))

    async def get(self, subscription: str, id: str) -> Delivered:
        """Raises UnknownError."""
        statement = select(deliveries).where(_d.id == id, _d.subscription_id == subscription)
        found = await self._database.read(lambda connection: with_attempts(connection, statement))
        if not found:
            raise UnknownError(f"no delivery {id}")
        return found[0]

    async def add(self, jobs: Sequence[Job], also: Also = _nothing) -> None:
        """Queue messages that are due at once; ``also`` is what happens with it, or not at all."""
        rows = [delivery_row(job, job.created_at) for job in jobs]

        def work(connection: Connection) -> None:
            insert_rows(connection, rows)
            also(connection)

        await self._database.write(work)

    async def resend(self, subscription: str, id: str, now: int, also: Also = _nothing) -> None:
        """Queue one message again, under its id. Raises UnknownError, NotPossibleError."""

        def work(connection: Connection) -> None:
            wanted = select(_d.state, _d.lane, _d.kind).where(_d.id == id, _d.subscription_id == subscription)
            row = connection.execute(wanted).first()
            if row is None:
                raise UnknownError(f"no delivery {id}")
            if row.kind in UNPROVED_KINDS:
                raise NotPossibleError(f"a {row.kind} is not sent again; POST …/verify asks for a new proof")
            again(connection, [(id, row.lane)], next_delivery(row.state, "resent"), now)
            also(connection)

        await self._database.write(work)

    async def recover(self, subscription: str, since: int, now: int) -> int:
        """Queue again what was held or failed since then; returns how many messages that are."""

        def work(connection: Connection) -> int:
            wanted = select(_d.id, _d.lane, _d.state).where(
                _d.subscription_id == subscription, _d.created_at >= since, _d.state.in_(("held", "failed")),
                _d.kind.not_in(UNPROVED_KINDS),
            )  # fmt: skip
            found = [(row.id, row.lane) for row in connection.execute(wanted)]
            again(connection, found, next_delivery("held", "recovered"), now)
            return len(found)

        return await self._database.write(work)


def again(connection: Connection, found: Sequence[tuple[str, str]], state: DeliveryState, now: int) -> None:
    """Queue deliveries, each with its lane, anew: due now, with all their retries before them."""
    statement = update(deliveries).values(state=state, due_at=now, failures=0, finished_at=None, claimed_by=None)
    for start in range(0, len(found), 500):
        some = found[start : start + 500]
        connection.execute(statement.where(_d.id.in_([id for id, _ in some])))
        queue_lanes(connection, [(lane, now) for _, lane in some])


def with_attempts(connection: Connection, statement: Any) -> list[Delivered]:
    rows = connection.execute(statement).all()
    made: dict[str, list[Attempted]] = {row.id: [] for row in rows}
    for start in range(0, len(rows), 500):
        ids = [row.id for row in rows[start : start + 500]]
        found = select(attempts).where(attempts.c.delivery_id.in_(ids)).order_by(attempts.c.number)
        for a in connection.execute(found):
            made[a.delivery_id].append(Attempted(a.number, a.at, a.status, a.failure, a.latency, a.reason, a.excerpt))
    return [
        Delivered(
            row.id, row.kind, row.state, row.status, row.alert_id, row.revision, row.created_at, row.due_at,
            row.finished_at, tuple(made[row.id]),
        )
        for row in rows
    ]  # fmt: skip
