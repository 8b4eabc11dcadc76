"""The version of the directory: every change of a subscription or a silence takes the next in its transaction."""

from sqlalchemy import Connection

from services.notify.sql.tables import directory_version
from services.notify.use_cases.directory import StaleError
from services.platform.db.bulk import scalar
from services.platform.db.upsert import merge


def current_version(connection: Connection) -> int:
    """The version of the newest change of a subscription or a silence; 0 before the first."""
    return scalar(connection, "SELECT version FROM directory_version") or 0


def expect_version(connection: Connection, version: int) -> None:
    """Raises StaleError when the directory is no longer at ``version``."""
    if current_version(connection) != version:
        raise StaleError


def next_version(connection: Connection) -> int:
    """Take the next version. On PostgreSQL the row stays locked until the commit, so versions commit in order."""
    raised = merge(connection, directory_version, lambda _: {"version": directory_version.c.version + 1})
    first = {"id": 1, "version": 1}
    version: int = connection.execute(raised.values(first).returning(directory_version.c.version)).scalar_one()
    return version
