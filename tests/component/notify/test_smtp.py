"""Mail over a real SMTP connection: kept connections, refusals of every kind, relays that hang or vanish."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from services.notify.channels.smtp import MailRelay, SmtpSender, parse_relay
from services.notify.domain.delivery import judge_answer
from services.notify.kinds.alert import alert_page
from services.notify.render import mime
from services.notify.render.mail import render
from tests.component.notify.receivers import raw_receiver
from tests.unit.notify.samples import ALERT

SENDER = mime.parse_sender("Trucewatch <alerts@truce.example.org>")
MESSAGE = b"From: <a@b.org>\r\nSubject: x\r\n\r\n.dot\r\n..dots\r\nend\r\n"
CERTIFICATE = Path(__file__).with_name("hooks_example_org.pem")


class Sink:
    """Keeps what it gets; refuses what its replies say."""

    def __init__(self) -> None:
        self.got: list[Envelope] = []
        self.sessions: set[int] = set()
        self.replies: dict[str, str] = {}

    async def handle_RCPT(self, server: Any, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        reply = self.replies.get(address)
        if reply is not None:
            return reply
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_MAIL(self, server: Any, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        envelope.mail_from = address
        return self.replies.get("MAIL", "250 2.1.0 OK")

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        self.got.append(envelope)
        self.sessions.add(id(server))
        return self.replies.get("DATA", "250 2.0.0 queued as 1")


@asynccontextmanager
async def smtp_server(sink: Sink, *, tls: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(sink, loop=loop, **options), "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def sending(port: int, **options: Any) -> AsyncIterator[SmtpSender]:
    relay = MailRelay("127.0.0.1", port, options.pop("encryption", "offered"), *options.pop("login", (None, None)))
    async with SmtpSender(relay, SENDER, timeout_s=options.pop("timeout_s", 2), **options) as sender:
        yield sender


@pytest.fixture
async def sink() -> Sink:
    return Sink()


async def test_the_exact_bytes_arrive(sink: Sink) -> None:
    async with smtp_server(sink) as port, sending(port) as sender:
        answer = await sender.send("desk@example.org", MESSAGE)
    assert (answer.status, answer.failure) == (250, None)
    assert answer.excerpt.endswith(b"queued as 1")
    assert answer.latency > 0
    (got,) = sink.got
    assert got.content == MESSAGE
    assert (got.mail_from, got.rcpt_tos) == ("alerts@truce.example.org", ["desk@example.org"])


async def test_a_letter_arrives_as_it_was_made(sink: Sink) -> None:
    letter = render(alert_page(ALERT, status="raised", language="ar"), "ar")
    message_id, references = mime.alert_mail_ids(ALERT, "desk@example.org", SENDER.domain)
    raw = letter.address_to(SENDER, mime.Addressing("desk@example.org", message_id, 0, references=references))
    async with smtp_server(sink) as port, sending(port) as sender:
        await sender.send("desk@example.org", raw)
    assert sink.got[0].content == raw


async def test_connections_are_kept_and_no_more_than_allowed(sink: Sink) -> None:
    async with smtp_server(sink) as port, sending(port, connections=3) as sender:
        for _ in range(4):
            await sender.send("desk@example.org", MESSAGE)
        assert len(sink.sessions) == 1
        answers = await asyncio.gather(*(sender.send("desk@example.org", MESSAGE) for _ in range(60)))
    assert {a.status for a in answers} == {250}
    assert len(sink.got) == 64
    assert 1 < len(sink.sessions) <= 3


@pytest.mark.parametrize(
    ("reply", "meaning"),
    [("550 5.1.1 no such user", "gone"), ("554 5.7.1 no", "rejected"), ("450 4.2.0 busy", "retry"),
     ("452 4.2.2 full", "retry"), ("421 4.7.0 slow down", "slow_down")],
)  # fmt: skip
@pytest.mark.parametrize("stage", ["desk@example.org", "DATA"])
async def test_refusals_are_answers_and_the_connection_goes_on(
    sink: Sink, stage: str, reply: str, meaning: str
) -> None:
    sink.replies[stage] = reply
    async with smtp_server(sink) as port, sending(port) as sender:
        answer = await sender.send("desk@example.org", MESSAGE)
        assert answer.status == int(reply[:3])
        assert answer.excerpt.decode() == reply[4:]
        assert judge_answer(answer).meaning == meaning
        sink.replies.clear()
        assert (await sender.send("other@example.org", MESSAGE)).status == 250


async def test_a_refusal_of_our_own_address_is_not_the_recipients_fault(sink: Sink) -> None:
    sink.replies["MAIL"] = "550 5.7.1 sender not allowed"
    async with smtp_server(sink) as port, sending(port) as sender:
        answer = await sender.send("desk@example.org", MESSAGE)
    assert answer.failure == "protocol"
    assert judge_answer(answer).meaning == "retry"


async def test_a_relay_that_dies_under_a_kept_connection_costs_no_attempt() -> None:
    served = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        served += 1
        replies = {b"EHLO": b"250 x\r\n", b"MAIL": b"250 ok\r\n", b"RCPT": b"250 ok\r\n", b"DATA": b"354 go\r\n"}
        writer.write(b"220 x\r\n")
        mails = 0
        while line := await reader.readline():
            mails += line[:4] == b"MAIL"
            if served == 1 and mails == 2:
                writer.transport.abort()
                return
            writer.write(replies.get(line[:4], b""))
            if line[:4] == b"DATA":
                await reader.readuntil(b"\r\n.\r\n")
                writer.write(b"250 queued\r\n")

    async with raw_receiver(serve) as url, sending(int(url.split(":")[2].split("/")[0])) as sender:
        answers = [await sender.send("desk@example.org", MESSAGE) for _ in range(2)]
    assert [a.status for a in answers] == [250, 250]
    assert served == 2


async def test_a_relay_that_hangs_meets_the_deadline_and_gives_the_place_back() -> None:
    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with raw_receiver(serve) as url:
        port = int(url.split(":")[2].split("/")[0])
        async with sending(port, timeout_s=0.2, connections=1) as sender, asyncio.timeout(60):
            for _ in range(3):
                answer = await sender.send("desk@example.org", MESSAGE)
                assert answer.failure == "timeout"
                assert judge_answer(answer).meaning == "retry"


@pytest.mark.parametrize("greeting", [b"", b"hello\r\n", b"554 no service\r\n", b"220 " + b"x" * 100_000])
async def test_a_relay_that_speaks_no_smtp_is_a_failure(greeting: bytes) -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await writer.drain()

    async with raw_receiver(serve) as url, sending(int(url.split(":")[2].split("/")[0])) as sender:
        answer = await sender.send("desk@example.org", MESSAGE)
    assert answer.status is None
    assert judge_answer(answer).meaning == "retry"


async def test_nobody_listening() -> None:
    async with smtp_server(Sink()) as port:
        pass
    async with sending(port) as sender:
        assert (await sender.send("desk@example.org", MESSAGE)).failure == "connect"


async def test_the_login_and_a_wrong_one(sink: Sink) -> None:
    def check(_: Any, __: Any, ___: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=data.password == b"right")

    options: dict[str, Any] = {"authenticator": check, "auth_require_tls": False}
    async with smtp_server(sink, **options) as port:
        async with sending(port, login=("user", "right")) as sender:
            assert (await sender.send("desk@example.org", MESSAGE)).status == 250
        async with sending(port, login=("user", "wrong")) as sender:
            answer = await sender.send("desk@example.org", MESSAGE)
    assert answer.status is None
    assert judge_answer(answer).meaning == "retry"


async def test_starttls_is_used_where_offered_and_insisted_on_where_required(sink: Sink) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    trusting = ssl.create_default_context(cafile=str(CERTIFICATE))
    trusting.check_hostname = False
    async with smtp_server(sink, tls_context=context, require_starttls=True) as port:
        async with sending(port, tls=trusting) as sender:
            assert (await sender.send("desk@example.org", MESSAGE)).status == 250
        async with sending(port, encryption="none") as sender:
            assert (await sender.send("desk@example.org", MESSAGE)).status is None
        async with sending(port) as sender:
            assert (await sender.send("desk@example.org", MESSAGE)).failure in ("tls", "connect")
    async with smtp_server(sink) as port, sending(port, encryption="required") as sender:
        assert (await sender.send("desk@example.org", MESSAGE)).status is None


@pytest.mark.parametrize(
    ("url", "relay"),
    [("smtp://localhost:1025", MailRelay("localhost", 1025, "offered")),
     ("smtp://mail.example.org", MailRelay("mail.example.org", 25, "offered")),
     ("smtps://u:p%40ss@mail.example.org", MailRelay("mail.example.org", 465, "implicit", "u", "p@ss")),
     ("smtp://u:p@mail.example.org", MailRelay("mail.example.org", 587, "required", "u", "p")),
     ("smtp://u:p@127.0.0.1:1025", MailRelay("127.0.0.1", 1025, "offered", "u", "p")),
     ("smtp+starttls://mail.example.org:2525/", MailRelay("mail.example.org", 2525, "required")),
     ("smtp+plain://[::1]:1025", MailRelay("::1", 1025, "none"))],
)  # fmt: skip
def test_relays(url: str, relay: MailRelay) -> None:
    assert parse_relay(url) == relay


@pytest.mark.parametrize(
    "url", ["", "http://x", "smtp://", "smtp:///path", "smtp://x/path", "smtp://x:port", "smtp://x?a=b"]
)
def test_what_is_no_relay_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_relay(url)


async def test_a_recipient_that_is_no_address_is_the_callers_error(sink: Sink) -> None:
    async with smtp_server(sink) as port, sending(port) as sender:
        with pytest.raises(ValueError, match=r".+"):
            await sender.send("a@b.org>\r\nRCPT TO:<c@d.org", MESSAGE)
        assert (await sender.send("desk@example.org", MESSAGE)).status == 250
    assert len(sink.got) == 1
