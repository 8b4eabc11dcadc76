"""Bring a database to the schema that this code expects. One history for SQLite and PostgreSQL."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import InterfaceError, OperationalError

from services.platform.db.connecting import retry_while_locked
from services.platform.failures import RetryLaterError

MIGRATIONS: Final = Path(__file__).parents[3] / "deploy" / "migrations"
#: Any number that nothing else of ours locks: processes that start together migrate one after the other.
_LOCK: Final = 7_263_781


def upgrade(engine: Engine) -> None:
    """Migrate to the newest version; several processes may call this at once. Raises RetryLaterError when the
    database is away."""
    try:
        # SQLite itself does not wait for another process that is just making the file.
        with retry_while_locked(engine.connect) as connection, connection.begin():
            upgrade_within(connection)
    except (OperationalError, InterfaceError) as error:
        raise RetryLaterError(f"database: {error.orig}") from error


def upgrade_within(connection: Connection) -> None:
    """The same in the transaction of ``connection``."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    command.upgrade(config(connection), "head")


def config(connection: Connection) -> Config:
    """Alembic's configuration, with nothing read from a file."""
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS))
    made.attributes["connection"] = connection
    return made
