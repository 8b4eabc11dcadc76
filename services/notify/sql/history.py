"""Deliveries as their owner sees them: every attempt with its answer; and asking for them again."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, update

from services.notify.domain.lifecycle import DeliveryState
from services.notify.kinds.catalogue import find_kind
from services.notify.kinds.kind import Job
from services.notify.sql.deliveries import delivery_row, insert_rows, needs_proof, queue_lanes
from services.notify.sql.tables import attempts, deliveries, gathered
from services.notify.use_cases.directory import UnknownError
from services.notify.use_cases.history import Attempted, Delivered
from services.platform.db.engine import Database
from services.platform.db.paging import at_times, one_of, select_page
from services.platform.paging import PageQuery

_d = deliveries.c

Also = Callable[[Connection], None]


def _nothing(_connection: Connection) -> None:
    return None


class SqlHistory:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, subscription: str, query: PageQuery) -> Sequence[Delivered]:
        """One page by creation and id, with one more."""
        conditions = [
            *at_times(query, _d.created_at),
            *one_of(query, "status", _d.state),
            *one_of(query, "alert", _d.alert_id),
        ]
        statement = select(deliveries).where(_d.subscription_id == subscription, *conditions)
        statement = select_page(statement, query, _d.created_at, _d.id)
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

    async def gathered_revisions(self, subscription: str, alert: str) -> dict[str, int]:
        """By the id of each gathered message that told a subscription of an alert, the revision that it told."""
        statement = select(gathered.c.delivery_id, gathered.c.revision).where(
            gathered.c.alert_id == alert, gathered.c.subscription_id == subscription
        )
        rows = await self._database.read(lambda connection: connection.execute(statement).all())
        return {row.delivery_id: row.revision for row in rows}

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

    async def queue_again(
        self, subscription: str, id: str, states: Collection[DeliveryState], now: int, also: Also = _nothing
    ) -> bool:
        """Queue one message again, under its id, if it is in one of the states; ``also`` is what happens with it, or
        not at all. Returns whether it was."""
        return await self._queue_again((_d.subscription_id == subscription, _d.id == id), states, now, also) > 0

    async def queue_again_since(
        self, subscription: str, since: int, states: Collection[DeliveryState], now: int
    ) -> int:
        """Queue again the messages made since then that are in one of the states; returns how many."""
        conditions = (_d.subscription_id == subscription, _d.created_at >= since, needs_proof())
        return await self._queue_again(conditions, states, now, _nothing)

    async def _queue_again(
        self, conditions: Sequence[ColumnElement[bool]], states: Collection[DeliveryState], now: int, also: Also
    ) -> int:
        wanted = select(_d.id, _d.lane).where(*conditions, _d.state.in_(states))

        def work(connection: Connection) -> int:
            found = [(row.id, row.lane) for row in connection.execute(wanted)]
            again(connection, found, now)
            if found:
                also(connection)
            return len(found)

        return await self._database.write(work)


def again(connection: Connection, found: Sequence[tuple[str, str]], now: int) -> None:
    """Queue deliveries, each with its lane, anew: due now, with all their retries before them."""
    statement = update(deliveries).values(state="pending", due_at=now, failures=0, finished_at=None, claimed_by=None)
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
            row.id, find_kind(row.kind), row.state, row.status, row.alert_id, row.revision, row.created_at, row.due_at,
            row.finished_at, tuple(made[row.id]),
        )
        for row in rows
    ]  # fmt: skip
