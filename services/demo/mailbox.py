"""A mail server that keeps what it gets: where the demo's emails go, so that none leaves the machine."""

import asyncio
import re
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Final, Self

_CONFIRM: Final = re.compile(r"https?://[^\s\"<>]+/v1/confirm\?token=[\w~.-]+")
_INCIDENT: Final = "X-Trucewatch-Incident"

Letter = Callable[[EmailMessage], None]


class Mailbox:
    """Listens on a free port of loopback; every message is passed to ``on_letter``."""

    def __init__(self, on_letter: Letter) -> None:
        self._on_letter = on_letter
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        # Of the extra "demo".
        from aiosmtpd.smtp import SMTP

        loop = asyncio.get_running_loop()
        # A hostname of its own: else it would be looked up, which blocks where there is no name server.
        self._server = await loop.create_server(lambda: SMTP(self, hostname="localhost"), "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"smtp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self._on_letter(message)
        return "250 OK"


def text_of(message: EmailMessage) -> str:
    """The plain text of a message."""
    part = message.get_body(("plain",))
    return "" if part is None else str(part.get_content())


def find_confirmation(message: EmailMessage) -> str | None:
    """The link to confirm a subscription, if this is that kind of message."""
    found = _CONFIRM.search(text_of(message))
    return found.group() if found else None


def find_incident(message: EmailMessage) -> str | None:
    """The incident that an alert in a message is about."""
    found = message.get(_INCIDENT)
    return None if found is None else str(found)
