"""One holder at a time for what only one process may do. A lease that is not renewed passes on when it ends."""

from sqlalchemy import Connection, delete, select

from services.shared.db.tables import leases
from services.shared.db.upsert import upsert


def take_lease(connection: Connection, name: str, holder: str, now: int, until: int) -> bool:
    """Take or renew the lease ``name`` until the instant ``until``. False while somebody else holds it.

    One statement decides, so that of several processes that ask at once exactly one is told True.
    """
    free = (leases.c.holder == holder) | (leases.c.until <= now)
    statement = upsert(connection, leases, where=free).values(name=name, holder=holder, until=until)
    return connection.execute(statement.returning(leases.c.name)).first() is not None


def drop_lease(connection: Connection, name: str, holder: str) -> None:
    """Let go of a lease, if ``holder`` has it: the next one need not wait for its end."""
    connection.execute(delete(leases).where(leases.c.name == name, leases.c.holder == holder))


def holder_of(connection: Connection, name: str, now: int) -> str | None:
    """Who holds the lease now."""
    statement = select(leases.c.holder).where(leases.c.name == name, leases.c.until > now)
    holder: str | None = connection.execute(statement).scalar()
    return holder
