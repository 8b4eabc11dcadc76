"""A mail server that keeps what it is sent: aiosmtpd with a mailbox that a test can read, and refusals on demand."""

import asyncio
import threading
import time
from collections import deque
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Self

from aiosmtpd.controller import Controller

from tests.parts.machine import exceeds
from tests.parts.process import free_port

ACCEPTED = "250 OK"


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """One accepted message: its envelope, its bytes, and the message that they are."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    message: EmailMessage


class Mailbox:
    """Listens on loopback.

    ``answer("451 later", "250 OK")`` decides the replies to the next messages; the last one stays.
    """

    def __init__(self, port: int | None = None) -> None:
        self.port = port if port is not None else free_port()
        self._letters: list[ReceivedMail] = []
        self._changed = threading.Condition(threading.RLock())
        self._answers: deque[str] = deque([ACCEPTED])
        self._controller: Any = None

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def answer(self, *answers: str) -> None:
        self._answers = deque(answers)

    def letters(self, to: str | None = None) -> list[ReceivedMail]:
        """Accepted messages in order, to everyone or to one address."""
        with self._changed:
            return [letter for letter in self._letters if to is None or to in letter.recipients]

    async def arrived(self, count: int, within_s: float, to: str | None = None) -> list[ReceivedMail]:
        """At least ``count`` messages. Raises TimeoutError."""
        return await asyncio.to_thread(self._wait, count, within_s, to)

    def forget(self) -> None:
        """An empty mailbox that accepts everything."""
        with self._changed:
            self._letters.clear()
        self._answers = deque([ACCEPTED])

    def _wait(self, count: int, within_s: float, to: str | None) -> list[ReceivedMail]:
        began = time.monotonic()
        with self._changed:
            while len(found := self.letters(to)) < count:
                self._changed.wait(1)
                if exceeds(time.monotonic() - began, within_s):
                    raise TimeoutError(f"within {within_s} s came only {len(found)} of {count} messages")
            return found

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:
        answer = self._answers.popleft() if len(self._answers) > 1 else self._answers[0]
        if answer.startswith("2"):
            raw = bytes(envelope.original_content or envelope.content)
            message = message_from_bytes(raw, policy=policy.default)
            assert isinstance(message, EmailMessage)
            with self._changed:
                self._letters.append(ReceivedMail(envelope.mail_from, tuple(envelope.rcpt_tos), raw, message))
                self._changed.notify_all()
        return answer

    def start(self) -> Self:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()
        return self

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def __enter__(self) -> Self:
        return self if self._controller is not None else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
