"""The outbox on PostgreSQL as its relay reads it: one process at a time takes the rows, in order.

The right to take them is an advisory lock of the session: when the process dies, its connection ends and the next one
has it at once. One that lives and does nothing loses it too, since the database ends a session that has been silent for
too long. Blocking; one thread at a time.
"""

from collections.abc import Sequence
from typing import Any, Final

import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy.engine import make_url

from schemas.envelope import Event
from services.platform.db.notices import CHANNEL
from services.platform.db.timeouts import TCP, hang_up
from services.platform.failures import RetryLaterError

#: "truce" in ASCII: any number does that nobody else in this database locks.
LOCK: Final = 0x7472756365
_TAKE: Final = (
    "SELECT seq, topic, key, id, type, source, time, data, traceparent, reason FROM outbox ORDER BY seq LIMIT %s"
)
#: Longer than any relay at work is silent, which asks for rows, or forgets some, every few seconds.
SILENCE_S: Final = 30.0


class PostgresOutbox:
    """The outbox as its relay sees it. Every method raises RetryLaterError when the database is away, and may then be
    called again: the right to take has to be won again."""

    def __init__(self, url: str, *, silence_s: float = SILENCE_S) -> None:
        self._silence_ms = int(silence_s * 1000)
        uri = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._conninfo = make_conninfo(uri, **TCP)
        self._connection: psycopg.Connection[Any] | None = None

    def lead(self) -> bool:
        """Whether this process leads now: it has, or has just taken, the lock."""
        won = bool(self._ask("SELECT pg_try_advisory_lock(%s)", (LOCK,))[0][0])
        if won:
            # A process that does not lead never reads the notices, which would pile up.
            self._ask(f"LISTEN {CHANNEL}", ())
        return won

    def delete_and_fetch(self, done: Sequence[int], limit: int, wait_s: float) -> list[tuple[int, Event]]:
        """Forget the rows that are ``done``, and take the oldest of the others in order, with their numbers: they stay
        until they are done. Where there are none, some are waited for, and there may be none all the same."""
        if done:
            # Only these: one with a smaller number may not have committed yet.
            self._ask("DELETE FROM outbox WHERE seq = ANY(%b)", (list(done),))
        self._hear(0)
        rows = self._ask(_TAKE, (limit,))
        if not rows:
            self._hear(wait_s)
            rows = self._ask(_TAKE, (limit,))
        return [(row[0], Event(*row[1:])) for row in rows]

    def hang_up(self) -> None:
        """Shut the connection down, so that a pending call fails. May be called on any thread."""
        if (connection := self._connection) is not None:
            hang_up(connection)

    def close(self) -> None:
        """Release the lock."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _hear(self, seconds: float) -> None:
        """Take the notices of commits off the connection; where there are none, wait for one for so long."""
        connection = self._opened()
        try:
            for _ in connection.notifies(timeout=seconds, stop_after=1):
                pass
        except psycopg.Error as error:
            raise self._lost(error) from error

    def _ask(self, query: str, values: tuple[object, ...]) -> list[Any]:
        try:
            with self._opened().cursor(binary=True) as cursor:
                cursor.execute(query.encode(), values)
                return cursor.fetchall() if cursor.description is not None else []
        except psycopg.Error as error:
            raise self._lost(error) from error

    def _opened(self) -> psycopg.Connection[Any]:
        if self._connection is None:
            try:
                self._connection = psycopg.connect(self._conninfo, autocommit=True)
                self._connection.execute(f"SET idle_session_timeout = {self._silence_ms}".encode())
                # Deletions that a crash of the server undoes are published once more, as after a crash before them.
                self._connection.execute("SET synchronous_commit = off")
            except psycopg.Error as error:
                raise self._lost(error) from error
        return self._connection

    def _lost(self, error: psycopg.Error) -> RetryLaterError:
        self.close()
        return RetryLaterError(f"outbox: {error}")
