"""Administration, wired: keys, the audit, dead letters. It runs in the process of ingest."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from schemas import codec
from schemas.envelope import Event
from schemas.events import KeyChanged
from schemas.topics import AUDIT, KEYS
from services.admin.api import build_router
from services.admin.sql import SqlAuditTrail, SqlKeys, SqlKeyTransactions
from services.admin.use_cases import ensure_first_key
from services.platform.db.group import GroupWriter
from services.platform.process.runtime import Runtime, Service
from services.platform.security.keys import new_secret

#: Every process tails the keys; all add under one name to the dead letters what none can read.
KEYS_TAIL: Final = "keys"


async def build(runtime: Runtime) -> Service:
    """The API of operators and the projection of the audit. The key ring is the caller's to feed."""
    database = runtime.database
    audit = SqlAuditTrail(database)
    return Service(
        name="admin",
        component="ingest",
        router=build_router(runtime.clock, runtime.keys, SqlKeyTransactions(database), audit, runtime.dead_letters),
        loops=[await runtime.loop(AUDIT, "admin.audit", audit.keep)],
    )


async def prepare_keys(runtime: Runtime) -> str | None:
    """See that there is an operator key, and have the ring tail the log from now on.

    Returns the secret of a key that was made here, to be shown once.
    """
    await feed_keys(runtime)
    first = await ensure_key(runtime)
    for key in await runtime.database.read(lambda connection: SqlKeys(connection).all()):
        # A revoked key stays revoked whatever the log ends with: a relay stopped in mid-batch may repeat itself.
        runtime.keys.apply(key)
    return first


async def ensure_key(runtime: Runtime) -> str | None:
    """See that there is an operator key. Raises RetryLaterError."""
    secret, now = new_secret(), runtime.clock.now()

    def flush(connection: Connection, asked: Sequence[str | None]) -> list[str | None]:
        return [ensure_first_key(SqlKeys(connection), admin_key, secret, now) for admin_key in asked]

    (first,) = await GroupWriter(runtime.database, flush).write([runtime.settings.admin_key])
    return first


async def feed_keys(runtime: Runtime) -> None:
    """Fill the ring from the log, and tail the log for as long as the process runs."""

    async def apply(event: Event) -> None:
        change: KeyChanged = codec.decode(event)
        runtime.keys.apply(change)

    await runtime.tail(KEYS, KEYS_TAIL, apply)
