"""The store of subscriptions. Every change takes the next version of the directory in the same transaction."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from services.notify.decisions.attempts import Outcome
from services.notify.domain.identity import hash_token
from services.notify.domain.silence import Silence
from services.notify.domain.subscription import Subscription
from services.notify.kinds.catalogue import names_of
from services.notify.kinds.kind import Job
from services.notify.sql import confirmations, deliveries
from services.notify.sql.silences import to_silence
from services.notify.sql.subscription_rows import read_all, to_row, to_subscription
from services.notify.sql.tables import deliveries as sent
from services.notify.sql.tables import silences, subscriptions
from services.notify.sql.versions import current_version, next_version
from services.notify.use_cases.directory import StaleError, UnknownError
from services.platform.db.engine import Database
from services.platform.db.paging import at_times, select_page
from services.platform.paging import PageQuery
from services.platform.security.sealing import Sealer

#: Ids in one statement.
IDS_AT_ONCE: Final = 500

Also = Callable[[Connection], None]


class SqlSubscriptions:
    """The store of subscriptions; ``also`` in each change is what happens with it, or not at all."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def add(self, subscription: Subscription, jobs: Sequence[Job], also: Also) -> Subscription:
        """Keep a new one, with the messages that prove it. Returns it with its version."""

        def work(connection: Connection) -> Subscription:
            row = to_row(subscription, self._sealer) | {"version": next_version(connection)}
            connection.execute(insert(subscriptions), row)
            confirmations.admit(connection, self._sealer, None, subscription, jobs)
            deliveries.insert_jobs(connection, jobs)
            also(connection)
            return replace(subscription, version=row["version"])

        return await self._database.write(work)

    async def save(self, before: Subscription, after: Subscription, jobs: Sequence[Job], also: Also) -> Subscription:
        """Keep what became of one, with the messages that follow. Returns it with its version. Raises UnknownError, and
        StaleError where it is not as it was ``before``."""

        def work(connection: Connection) -> Subscription:
            kept = save_in(connection, self._sealer, before, after, jobs)
            also(connection)
            return kept

        return await self._database.write(work)

    async def load(self, id: str) -> Subscription:
        """Raises UnknownError."""
        statement = select(subscriptions).where(subscriptions.c.id == id)

        def work(connection: Connection) -> Subscription:
            row = connection.execute(statement).first()
            if row is None:
                raise UnknownError(f"no subscription {id}")
            return to_subscription(row._mapping, self._sealer)

        return await self._database.read(work)

    async def find(self, **column: str) -> Subscription | None:
        """The one whose only given secret (``nonce``, ``token``, ``contact_nonce``) has that value."""
        ((name, value),) = column.items()
        wanted = subscriptions.c[f"{name}_hash"] == hash_token(value)

        def work(connection: Connection) -> Subscription | None:
            row = connection.execute(select(subscriptions).where(wanted)).first()
            return None if row is None else to_subscription(row._mapping, self._sealer)

        return await self._database.read(work)

    async def page(self, owner: str | None, query: PageQuery) -> Sequence[Subscription]:
        """One page of one owner's, or of everybody's, by creation and id, with one more. Ended ones are left out."""
        created = subscriptions.c.created_at
        statement = select(subscriptions).where(subscriptions.c.state != "ended", *at_times(query, created))
        if owner is not None:
            statement = statement.where(subscriptions.c.owner == owner)
        statement = select_page(statement, query, created, subscriptions.c.id)
        return await self._database.read(lambda c: read_all(c.execute(statement), self._sealer))

    async def changed_since(self, version: int) -> tuple[int, list[Subscription], list[Silence]]:
        """The directory's version, and all that changed after ``version``, of one moment."""

        def work(connection: Connection) -> tuple[int, list[Subscription], list[Silence]]:
            now = current_version(connection)
            found = connection.execute(select(subscriptions).where(subscriptions.c.version > version))
            quiet = connection.execute(select(silences).where(silences.c.version > version))
            return now, read_all(found, self._sealer), [to_silence(r) for r in quiet]

        return await self._database.read(work)

    async def answered(self, ids: Sequence[str]) -> list[Outcome]:
        """The challenges of these subscriptions that were answered, whatever follows from it."""
        d = sent.c
        proving = names_of(lambda kind: kind.proves is not None)
        found: list[Outcome] = []
        for start in range(0, len(ids), IDS_AT_ONCE):
            mine = d.subscription_id.in_(ids[start : start + IDS_AT_ONCE])
            statement: Any = select(sent).where(mine, d.kind.in_(proving), d.state == "delivered")
            rows = await self._database.read(lambda connection, s=statement: connection.execute(s).all())  # type: ignore[misc]
            found += [Outcome(deliveries.to_job(row), row.finished_at, "delivered", "answered") for row in rows]
        return found


def save_in(
    connection: Connection, sealer: Sealer, before: Subscription, after: Subscription, jobs: Sequence[Job]
) -> Subscription:
    """:meth:`SqlSubscriptions.save` within a transaction that is under way."""
    # The version is locked first, by all alike: several changes in one transaction must not wait for one another's.
    version, mine = next_version(connection), subscriptions.c.id == before.id
    there = connection.execute(select(subscriptions.c.version).where(mine).with_for_update()).scalar()
    if there is None:
        raise UnknownError(f"no subscription {before.id}")
    if there != before.version:
        raise StaleError
    confirmations.admit(connection, sealer, before, after, jobs)
    kept = after if after == before else replace(after, version=version)
    connection.execute(update(subscriptions).where(mine).values(to_row(kept, sealer)))
    deliveries.follow_endpoint(connection, before, after)
    deliveries.insert_jobs(connection, jobs)
    return kept
