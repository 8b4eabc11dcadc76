"""Mail on the wire: a few SMTP connections, kept and used again, each for one message at a time.

What a reply means is :mod:`services.notify.domain.delivery`'s word. A reply about the recipient or the message is an
answer; one about the connection, the login or our own address is a failure of the road, since another try after its
repair succeeds.
"""

import asyncio
import ipaddress
import ssl
import time
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

import aiosmtplib

from services.notify.domain.delivery import EXCERPT_BYTES, AttemptAnswer, Failure
from services.notify.render.mime import Sender, check_address

CONNECTIONS: Final = 10
TIMEOUT_S: Final = 15.0
#: For one message, whatever its connection and its replies take.
TOTAL_S: Final = 45.0
#: Relays close what idles for long, and some after a number of messages or minutes.
MAX_AGE_S: Final = 120.0
MAX_IDLE_S: Final = 20.0
_PORTS: Final = {"none": 25, "offered": 25, "required": 587, "implicit": 465}

Encryption = Literal["none", "offered", "required", "implicit"]
_SCHEMES: Final[dict[str, Encryption]] = {
    "smtp": "offered",
    "smtp+starttls": "required",
    "smtp+plain": "none",
    "smtps": "implicit",
}


@dataclass(frozen=True, slots=True)
class MailRelay:
    """The server that takes our mail. ``offered``: TLS where it offers it."""

    host: str
    port: int
    encryption: Encryption
    username: str | None = None
    password: str | None = None


def parse_relay(url: str, *, secured: bool = False) -> MailRelay:
    """The relay of ``smtp://user:password@host:port``, with TLS by STARTTLS where it is offered.

    ``smtps://`` is TLS from the start, ``smtp+starttls://`` insists on it, ``smtp+plain://`` does without. A password
    goes over the network only encrypted: with one, ``smtp://`` insists too, save to this machine. ``secured``: it
    insists in any case. Raises ValueError.
    """
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError(f"an SMTP URL is {' or '.join(_SCHEMES)} with a host, and no path")
    encryption = _SCHEMES[parts.scheme]
    if encryption == "offered" and (secured or (parts.password and not _is_loopback(parts.hostname))):
        encryption = "required"
    return MailRelay(
        host=parts.hostname,
        port=parts.port or _PORTS[encryption],
        encryption=encryption,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(slots=True)
class _Connection:
    client: aiosmtplib.SMTP
    born: float
    used: float


class SmtpSender:
    """Sends mail over at most ``connections`` connections. Made inside a running loop; ``close`` ends them all."""

    def __init__(
        self,
        relay: MailRelay,
        sender: Sender,
        *,
        connections: int = CONNECTIONS,
        timeout_s: float = TIMEOUT_S,
        total_s: float = TOTAL_S,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.sender = sender
        self._relay = relay
        self._timeout_s = timeout_s
        self._total_s = total_s
        self._tls = tls
        self._slots = asyncio.Semaphore(connections)
        self._idle: deque[_Connection] = deque()

    async def send(self, recipient: str, message: bytes) -> AttemptAnswer:
        """One attempt to hand one message over. Never raises for what the relay does.

        Raises BadHeaderError for a recipient that is no address.
        """
        check_address(recipient)
        async with self._slots:
            started = time.perf_counter_ns()
            try:
                async with asyncio.timeout(self._total_s):
                    status, text = await self._transact(recipient, message)
            except aiosmtplib.SMTPRecipientsRefused as error:
                refused = error.recipients[0]
                status, text = refused.code, refused.message
            except aiosmtplib.SMTPDataError as error:
                status, text = error.code, error.message
            except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
                return _failed(error, started)
        return AttemptAnswer(
            "email", _since(started), status=status, detail=text[:300], excerpt=text.encode()[:EXCERPT_BYTES]
        )

    async def _transact(self, recipient: str, message: bytes) -> tuple[int, str]:
        """Hand over on a kept connection; on a new one, where the kept one had been closed meanwhile."""
        kept = self._take_idle()
        if kept is not None:
            try:
                return await self._hand_over(kept, recipient, message)
            except aiosmtplib.SMTPServerDisconnected:
                pass
        return await self._hand_over(await self._connect(), recipient, message)

    async def _hand_over(self, connection: _Connection, recipient: str, message: bytes) -> tuple[int, str]:
        whole = False
        try:
            _, text = await connection.client.sendmail(self.sender.address, [recipient], message)
            whole = True
        except (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPDataError):
            whole = True  # the session goes on after a refusal
            raise
        finally:
            if whole and connection.client.is_connected:
                connection.used = time.monotonic()
                self._idle.append(connection)
            else:
                connection.client.close()
        return 250, text

    def _take_idle(self) -> _Connection | None:
        now = time.monotonic()
        while self._idle:
            connection = self._idle.pop()
            fresh = now - connection.born < MAX_AGE_S and now - connection.used < MAX_IDLE_S
            if fresh and connection.client.is_connected:
                return connection
            connection.client.close()
        return None

    async def _connect(self) -> _Connection:
        relay = self._relay
        client = aiosmtplib.SMTP(
            hostname=relay.host,
            port=relay.port,
            username=relay.username,
            password=relay.password,
            local_hostname=self.sender.domain,
            timeout=self._timeout_s,
            use_tls=relay.encryption == "implicit",
            start_tls={"offered": None, "required": True}.get(relay.encryption, False),
            tls_context=self._tls,
        )
        try:
            await client.connect()
        except BaseException:
            client.close()
            raise
        now = time.monotonic()
        return _Connection(client, now, now)

    async def close(self) -> None:
        """Say goodbye on every idle connection."""
        while self._idle:
            client = self._idle.pop().client
            try:
                await client.quit(timeout=1)
            except (aiosmtplib.SMTPException, OSError, TimeoutError):
                client.close()

    async def __aenter__(self) -> "SmtpSender":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _since(started: int) -> int:
    return (time.perf_counter_ns() - started) // 1_000


#: Read from the top: the errors inherit from one another.
_FAILURES: Final[tuple[tuple[type[BaseException], Failure], ...]] = (
    (TimeoutError, "timeout"),
    (ssl.SSLError, "tls"),
    (aiosmtplib.SMTPConnectError, "connect"),
    (aiosmtplib.SMTPServerDisconnected, "disconnected"),
    (aiosmtplib.SMTPException, "protocol"),
    (OSError, "connect"),
)


def _failed(error: BaseException, started: int) -> AttemptAnswer:
    # aiosmtplib says of every failure at the start that it could not connect.
    root = error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else error
    failure = next(failure for kind, failure in _FAILURES if isinstance(root, kind))
    return AttemptAnswer("email", _since(started), failure=failure, detail=f"{type(error).__name__}: {error}"[:300])
