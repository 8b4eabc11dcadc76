"""Which processes of notify are alive: each renews a lease of its own."""

from typing import Final

from sqlalchemy import Connection, delete

from schemas.instants import SECOND
from services.platform.db.lease import drop_lease, take_lease
from services.platform.db.tables import leases

#: A process that has not renewed its lease for so long has died: what it had claimed is anybody's.
ALIVE_FOR: Final = 30 * SECOND


def stay(connection: Connection, instance: str, now: int) -> None:
    """Renew this process's lease, and clear away those that ended long ago."""
    take_lease(connection, f"notify/{instance}", instance, now, now + ALIVE_FOR)
    connection.execute(delete(leases).where(leases.c.name.like("notify/%"), leases.c.until < now - 10 * ALIVE_FOR))


def leave(connection: Connection, instance: str) -> None:
    """Say goodbye: what this process still has claimed is anybody's at once."""
    drop_lease(connection, f"notify/{instance}", instance)
