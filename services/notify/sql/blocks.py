"""Addresses whose readers blocked them, and the confirmations by which they do."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, select

from services.notify.domain.consent import fold_address
from services.notify.domain.subscription import Subscription
from services.notify.sql import confirmations
from services.notify.sql.subscription_rows import to_subscription
from services.notify.sql.subscriptions import save_in
from services.notify.sql.tables import subscriptions
from services.notify.sql.versions import next_version
from services.notify.use_cases.block_address import AskedAddress
from services.notify.use_cases.directory import StaleError
from services.platform.db.engine import Database
from services.platform.paging import PageQuery
from services.platform.security.sealing import Sealer

Also = Callable[[Connection], None]


class SqlBlocks:
    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def load_asked(self, token: str) -> AskedAddress | None:
        def work(connection: Connection) -> AskedAddress | None:
            found = confirmations.find_address(connection, self._sealer, token)
            if found is None:
                return None
            rows = connection.execute(self._naming(found[1])).mappings()
            return AskedAddress(*found, [to_subscription(row, self._sealer) for row in rows])

        return await self._database.read(work)

    async def block(self, asked: AskedAddress, after: Sequence[Subscription], now: int) -> None:
        """Block the address, and keep what becomes of each subscription. Raises StaleError where one of them changed,
        or another one names the address."""

        def work(connection: Connection) -> None:
            next_version(connection)
            naming = [row["id"] for row in connection.execute(self._naming(asked.address)).mappings()]
            if naming != [s.id for s in asked.subscriptions]:
                raise StaleError
            confirmations.block(connection, asked.confirmation, now)
            for before, changed in zip(asked.subscriptions, after, strict=True):
                save_in(connection, self._sealer, before, changed, [])

        await self._database.write(work)

    def _naming(self, address: str) -> Any:
        hashes, s = self._sealer.indexes(fold_address(address)), subscriptions.c
        named = select(subscriptions).where(s.target_hash.in_(hashes) | s.contact_hash.in_(hashes), s.state != "ended")
        return named.order_by(s.id)

    async def page(self, query: PageQuery) -> Sequence[confirmations.Block]:
        """One page of blocked addresses, with one more."""
        return await self._database.read(lambda c: confirmations.list_blocks(c, self._sealer, query))

    async def lift(self, id: str, also: Also) -> bool:
        """False where there is no such block. ``also`` is what happens with it, or not at all."""

        def work(connection: Connection) -> bool:
            next_version(connection)
            if confirmations.lift(connection, self._sealer, id) is None:
                return False
            also(connection)
            return True

        return await self._database.write(work)

    async def forget_confirmations(self, now: int) -> None:
        await self._database.write(lambda connection: confirmations.forget_old(connection, now), durable=False)
