"""Timeouts for a database that hangs without dying: it answers nothing and closes nothing.

A network that swallows packets is noticed by TCP, within about ten seconds. A server that is stopped still acknowledges
every packet, so callers need a timeout of their own.
"""

import asyncio
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeVar
from weakref import WeakSet

from services.platform.failures import RetryLaterError

if TYPE_CHECKING:
    import psycopg

T = TypeVar("T")

#: Timeout of an answer, seconds; the API promises one within 5 s.
ANSWER_S: Final = 4.5
#: Grace period of pending calls at the end, seconds; then the connections are shut down and the calls fail.
CLOSE_S: Final = 2.0
#: For libpq: a peer that is gone without a word is noticed, whether we are sending (milliseconds) or waiting.
TCP: Final = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
#: When this process is gone, the database ends its open transaction after so long, since it may hold locks.
_LEFT_OPEN: Final = "SET idle_in_transaction_session_timeout = '30s'"


class AnswerTimeouts:
    """Detects a database that answers nothing. One slow statement is no silence while others are answered."""

    def __init__(self) -> None:
        self._heard = monotonic()
        self._connections: WeakSet[psycopg.Connection[Any]] = WeakSet()
        self._opening = threading.Lock()
        self._hung_up = False

    def note_answer(self, *_: Any) -> None:
        """A statement was answered. May be called on any thread."""
        self._heard = monotonic()

    async def wait(self, answer: asyncio.Future[T]) -> T:
        """The answer. Raises RetryLaterError once the database has been silent for too long, and then cancels
        ``answer``; what was under way may happen all the same."""
        begin = monotonic()
        try:
            while not answer.done():
                left = max(begin, self._heard) + ANSWER_S - monotonic()
                if left <= 0:
                    raise RetryLaterError(f"database: no answer within {ANSWER_S} s")
                await asyncio.wait({answer}, timeout=left)
        finally:
            answer.cancel()
        return answer.result()

    def admit(self, *_: Any) -> None:
        """Before each connection is opened. Raises OperationalError where there shall be none any more."""
        if self._hung_up:
            import psycopg

            raise psycopg.OperationalError("the process is ending")

    def prepare(self, connection: Any, _record: object) -> None:
        """For each new connection of the driver."""
        with self._opening:
            self._connections.add(connection)
        if self._hung_up:
            # It was being opened meanwhile.
            hang_up(connection)
        connection.execute(_LEFT_OPEN)
        connection.commit()

    def hang_up(self) -> None:
        """Shut every connection down, and open no more."""
        self._hung_up = True
        with self._opening:
            opened = list(self._connections)
        for connection in opened:
            hang_up(connection)


def hang_up(connection: "psycopg.Connection[Any]") -> None:
    """Shut a connection down. A call on it in another thread raises OperationalError."""
    import psycopg

    # One that is being closed has no descriptor any more.
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


def after_closing(hang_up: Callable[[], None]) -> threading.Timer:
    """Calls ``hang_up`` in :data:`CLOSE_S` seconds, unless it is cancelled before. It keeps no process alive."""
    timer = threading.Timer(CLOSE_S, hang_up)
    timer.daemon = True
    timer.start()
    return timer
