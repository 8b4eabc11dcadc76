"""Encrypt what is stored in plain text, or under a key that was replaced; done at each start."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Final

from sqlalchemy import Connection, select, update

from services.notify.sql import confirmations
from services.notify.sql.subscription_rows import from_plain, to_row, to_subscription
from services.notify.sql.tables import subscriptions
from services.platform.db.engine import Database
from services.platform.security.sealing import Sealer, is_sealed
from services.platform.settings.config import SettingsError

#: Rows of one transaction, so that no other write waits long.
AT_ONCE: Final = 200


async def holds_sealed(database: Database) -> bool:
    """Whether anything is encrypted yet."""
    statement = select(subscriptions.c.sealed)
    return await database.read(lambda c: any(is_sealed(value) for value in c.execute(statement).scalars()))


async def seal_anew(database: Database, sealer: Sealer) -> int:
    """Encrypt with the first key whatever is not, and return how many rows that were; several processes may do so.

    Raises SettingsError, with nothing changed, where the key of a row is not at hand.
    """
    statement = select(subscriptions.c.id, subscriptions.c.sealed)
    rows = await database.read(lambda connection: connection.execute(statement).all())
    if foreign := sum(is_sealed(row.sealed) and not sealer.knows(row.sealed) for row in rows):
        raise SettingsError(
            f"the secret key is not the one that encrypted {foreign} of {len(rows)} subscriptions: "
            "TRUCEWATCH_SECRET_KEY must hold that one too; nothing was changed"
        )
    if lost := await database.read(lambda connection: confirmations.count_foreign(connection, sealer)):
        raise SettingsError(
            f"the secret key is not the one that encrypted {lost} confirmations by mail: "
            "TRUCEWATCH_SECRET_KEY must hold that one too; nothing was changed"
        )
    old = [row.id for row in rows if not sealer.is_current(row.sealed)]
    for start in range(0, len(old), AT_ONCE):
        await _write(database, sealer, old[start : start + AT_ONCE])
    asked = await database.read(lambda connection: confirmations.find_old_seals(connection, sealer))
    for start in range(0, len(asked), AT_ONCE):
        await database.write(partial(_seal_confirmations, sealer, asked[start : start + AT_ONCE]))
    if any(not is_sealed(row.sealed) for row in rows):
        await asyncio.to_thread(database.wipe_free_pages)
    return len(old)


def _seal_confirmations(sealer: Sealer, ids: Sequence[str], connection: Connection) -> None:
    confirmations.seal_again(connection, sealer, ids)


async def _write(database: Database, sealer: Sealer, ids: Sequence[str]) -> None:
    def work(connection: Connection) -> None:
        found = connection.execute(select(subscriptions).where(subscriptions.c.id.in_(ids)).with_for_update())
        for row in found.mappings().all():
            plain = not is_sealed(row["sealed"])
            subscription = from_plain(row) if plain else to_subscription(row, sealer)
            changed = update(subscriptions).where(subscriptions.c.id == subscription.id)
            connection.execute(changed.values(to_row(subscription, sealer)))

    await database.write(work)
