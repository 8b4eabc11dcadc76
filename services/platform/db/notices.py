"""The notice by which PostgreSQL wakes the relay when rows of the outbox have committed."""

from contextlib import suppress
from typing import Any, Final

from sqlalchemy import Connection

CHANNEL: Final = "outbox"
#: One round trip, and nothing that waits for the disk.
_NOTIFY: Final = f"BEGIN; SET LOCAL synchronous_commit = off; NOTIFY {CHANNEL}; COMMIT".encode()


def tell_relay(connection: Connection) -> None:
    """Wake the relay; after the commit, and in a transaction of its own: one that notifies holds a lock of the whole
    server until it is on disk, so that no two of them could share a write to it. A notice that fails is left out: the
    relay looks by itself every second."""
    driver: Any = connection.connection.driver_connection
    with suppress(connection.dialect.loaded_dbapi.Error):
        driver.pgconn.exec_(_NOTIFY)
