"""One holder at a time for what only one process may do. A lease that is not renewed passes on when it ends."""

from sqlalchemy import Connection, delete, select

from services.platform.db.tables import leases
from services.platform.db.upsert import upsert


def take_lease(connection: Connection, name: str, holder: str, now: int, until: int) -> bool:
    """Take or renew the lease ``name`` until the instant ``until``. False while another holds it.

    One statement decides, so that of several concurrent calls exactly one returns True.
    """
    free = (leases.c.holder == holder) | (leases.c.until <= now)
    statement = upsert(connection, leases, where=free).values(name=name, holder=holder, until=until)
    return connection.execute(statement.returning(leases.c.name)).first() is not None


def drop_lease(connection: Connection, name: str, holder: str) -> None:
    """Release a lease that ``holder`` has, before its end."""
    connection.execute(delete(leases).where(leases.c.name == name, leases.c.holder == holder))


def holder_of(connection: Connection, name: str, now: int) -> str | None:
    """The holder of the lease now; None where it is free."""
    statement = select(leases.c.holder).where(leases.c.name == name, leases.c.until > now)
    holder: str | None = connection.execute(statement).scalar()
    return holder
