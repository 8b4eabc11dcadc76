"""One attempt at a webhook against real receivers: good ones, slow ones, hostile ones."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from services.notify.channels.raw_answer import RawAnswer
from services.notify.channels.webhook import WebhookSender
from services.notify.domain.signing import format_secret
from services.platform.clock import SystemClock
from services.platform.outbound.address import Policy
from tests.component.notify.receivers import FakeNames, Receiver, http_receiver, raw_receiver, read_request
from tests.parts.hostile import HOSTILE

LOOPBACK = Policy(opened=(ip_network("127.0.0.0/8"),))
#: Self-signed for hooks.example.org, with its key; used nowhere else.
CERTIFICATE = Path(__file__).with_name("hooks_example_org.pem")
KEY, OLD = b"k" * 24, b"o" * 24
BODY = '{"type":"test","data":{"headline":"قصف"}}'.encode()


@pytest.fixture
async def sender() -> AsyncIterator[WebhookSender]:
    async with WebhookSender(LOOPBACK, SystemClock(), total_s=1.0) as running:
        yield running


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with http_receiver() as running:
        yield running


async def test_the_exact_bytes_arrive_signed(sender: WebhookSender, receiver: Receiver) -> None:
    answer = await sender.send(receiver.url("/hook?a=1"), BODY, message_id="msg_1", keys=[KEY, OLD])
    assert (answer.status, answer.excerpt, answer.failure) == (200, b"ok", None)
    assert answer.latency > 0
    (got,) = receiver.received
    assert (got.body, got.path) == (BODY, "/hook?a=1")
    assert got.headers["content-type"] == "application/json"
    assert got.headers["user-agent"].startswith("Trucewatch/")
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"
    for key in (KEY, OLD):
        Webhook(format_secret(key)).verify(got.body, got.headers)


async def test_connections_are_used_again(sender: WebhookSender) -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            await read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    async with raw_receiver(serve) as url:
        for _ in range(5):
            assert (await sender.send(url, BODY, message_id="m", keys=[KEY])).status == 200
    assert connections == 1


async def test_a_kept_connection_that_was_closed_meanwhile_costs_no_attempt(sender: WebhookSender) -> None:
    """The receiver answers, then closes without saying so: the second message must not fail for it."""
    requests = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await read_request(reader)
        requests += 1
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        if requests == 1:
            await reader.read(1)  # the second request begins; the connection dies under it
            writer.transport.abort()

    async with raw_receiver(serve) as url:
        first = await sender.send(url, BODY, message_id="m", keys=[KEY])
        second = await sender.send(url, BODY, message_id="m", keys=[KEY])
    assert (first.status, second.status) == (200, 200)


async def test_a_receiver_that_hangs_meets_the_deadline(sender: WebhookSender) -> None:
    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with raw_receiver(serve) as url, asyncio.timeout(60):
        answer = await sender.send(url, BODY, message_id="m", keys=[KEY])
    assert (answer.failure, answer.detail) == ("timeout", "no full answer within 1 s")


@pytest.mark.parametrize(
    "drip",
    [b"HTTP/1.1 200 OK\r\nx-a: ", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"],
    ids=["in the head", "in the body"],
)
async def test_a_receiver_that_drips_after_its_status_line_has_answered(sender: WebhookSender, drip: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(drip)
        while True:
            writer.write(b"1\r\na\r\n" if b"chunked" in drip else b"a")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with raw_receiver(serve) as url, asyncio.timeout(60):
        answer = await sender.send(url, BODY, message_id="m", keys=[KEY])
    assert (answer.status, answer.failure) == (200, None)


async def test_a_receiver_that_drips_its_status_line_meets_the_deadline(sender: WebhookSender) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 ")
        while True:
            writer.write(b"O")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with raw_receiver(serve) as url, asyncio.timeout(60):
        answer = await sender.send(url, BODY, message_id="m", keys=[KEY])
    assert answer.failure == "timeout"


async def test_an_answer_without_end_is_cut_off_and_its_connection_closed(sender: WebhookSender) -> None:
    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
                await writer.drain()
        finally:
            closed.set()

    async with raw_receiver(serve) as url, asyncio.timeout(60):
        answer = await sender.send(url, BODY, message_id="m", keys=[KEY])
        await closed.wait()
    assert (answer.status, answer.excerpt) == (200, b"x" * 1_024)


async def test_a_huge_answer_is_cut_off(sender: WebhookSender, receiver: Receiver) -> None:
    receiver.answer = lambda _: web.Response(status=500, body=b"y" * 5_000_000)
    answer = await sender.send(receiver.url(), BODY, message_id="m", keys=[KEY])
    assert (answer.status, answer.excerpt) == (500, b"y" * 1_024)


async def test_a_packed_answer_is_not_unpacked(sender: WebhookSender, receiver: Receiver) -> None:
    def packed(_: object) -> web.Response:
        response = web.Response(body=b"z" * 1_000_000)
        response.enable_compression(web.ContentCoding.gzip)
        return response

    receiver.answer = packed
    answer = await sender.send(receiver.url(), BODY, message_id="m", keys=[KEY])
    assert answer.status == 200
    assert answer.excerpt[:2] == b"\x1f\x8b"


@pytest.mark.parametrize(
    "reply",
    [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 999999 X\r\n\r\n", b"HTTP/1.1 200", b"HTTP/1.1 100 Continue\r\n\r\n" * 5],
    ids=["nothing", "nonsense", "status", "half a line", "only continue"],
)  # fmt: skip
async def test_a_receiver_that_speaks_no_http_is_a_failure_and_no_error(sender: WebhookSender, reply: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(reply)
        await writer.drain()

    async with raw_receiver(serve) as url:
        answer = await sender.send(url, BODY, message_id="m", keys=[KEY])
    assert answer.status is None
    assert answer.failure in ("disconnected", "protocol")


@pytest.mark.parametrize("end", ["closed", "reset"])
@pytest.mark.parametrize("status", [200, 204, 410, 503])
@pytest.mark.parametrize("reply", HOSTILE.values(), ids=HOSTILE.keys())
async def test_the_status_line_decides_whatever_follows(
    sender: WebhookSender, reply: bytes, status: int, end: str
) -> None:
    requests = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await read_request(reader)
        requests += 1
        writer.write(reply.replace(b"{}", b"%d" % status))
        await writer.drain()
        if end == "reset":
            await asyncio.sleep(0)
            writer.transport.abort()

    async with raw_receiver(serve) as url:
        answer = await sender.send(url, BODY, message_id="m", keys=[KEY])
    assert (answer.status, answer.failure, requests) == (status, None, 1)


@pytest.mark.parametrize(
    "reply", [r for n, r in HOSTILE.items() if r.endswith((b"ok", b"0\r\n\r\n")) and "second" not in n]
)
async def test_a_body_that_is_wanted_is_heard_though_the_parser_gave_up(sender: WebhookSender, reply: bytes) -> None:
    """Head and body come in two packets, as most servers send them."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        head, end, body = reply.replace(b"{}", b"200").partition(b"\r\n\r\n" if b"\r\n\r\n" in reply else b"\n\n")
        writer.write(head + end)
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(body)
        await writer.drain()
        await reader.read()

    async with raw_receiver(serve) as url:
        answer = await sender.send(url, BODY, message_id="m", keys=[KEY], wants_body=True)
    assert (answer.status, answer.excerpt) == (200, b"ok")


@given(
    st.lists(
        st.binary(max_size=40) | st.sampled_from([b"HTTP/1.1 200 OK\r\n", b"\r\n\r\n", b"2\r\nok\r\n"]), max_size=8
    )
)
def test_whatever_comes_is_heard_without_an_error(chunks: list[bytes]) -> None:
    heard = RawAnswer()
    for chunk in chunks:
        heard.feed(chunk)
    assert heard.status is None or 101 <= heard.status <= 999
    assert isinstance(heard.complete, bool)
    assert len(heard.body) <= sum(map(len, chunks))


async def test_nobody_listening_and_no_tls(sender: WebhookSender, receiver: Receiver) -> None:
    spoken = await sender.send(receiver.url().replace("http:", "https:"), BODY, message_id="m", keys=[KEY])
    async with http_receiver() as gone:
        url = gone.url()
    unheard = await sender.send(url, BODY, message_id="m", keys=[KEY])
    assert (spoken.failure, unheard.failure) == ("tls", "connect")


async def test_retry_after_is_read(sender: WebhookSender, receiver: Receiver) -> None:
    receiver.answer = lambda _: web.Response(status=429, headers={"retry-after": "120"})
    answer = await sender.send(receiver.url(), BODY, message_id="m", keys=[KEY])
    assert (answer.status, answer.retry_after) == (429, 120)


async def test_slots_bound_the_attempts_and_waiting_for_one_is_not_held_against_the_receiver() -> None:
    under_way = most = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal under_way, most
        while True:
            await read_request(reader)
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.02)
            under_way -= 1
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    async with (
        WebhookSender(LOOPBACK, SystemClock(), concurrency=4, total_s=0.3) as sender,
        raw_receiver(serve) as url,
    ):
        sends = (sender.send(url, BODY, message_id="m", keys=[KEY]) for _ in range(100))
        answers = await asyncio.gather(*sends)
    assert most == 4
    assert {a.status for a in answers} == {200}


async def test_a_cancelled_attempt_gives_its_place_back() -> None:
    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with (
        WebhookSender(LOOPBACK, SystemClock(), concurrency=1, total_s=30) as sender,
        raw_receiver(serve) as hanging,
        http_receiver() as good,
    ):
        for _ in range(20):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await sender.send(hanging, BODY, message_id="m", keys=[KEY])
        assert (await sender.send(good.url(), BODY, message_id="m", keys=[KEY])).status == 200


@asynccontextmanager
async def tls_receiver(names: list[str | None]) -> AsyncIterator[int]:
    """A TLS server for hooks.example.org; its port. ``names`` gets the server name that each client asks for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    context.sni_callback = lambda _, name, __: names.append(name)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await read_request(reader)
        status = b"200 OK" if b"Host: hooks.example.org" in head else b"400 Bad Request"
        writer.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_certificates_are_verified() -> None:
    async with tls_receiver([]) as port, WebhookSender(LOOPBACK, SystemClock(), total_s=2) as sender:
        answer = await sender.send(f"https://127.0.0.1:{port}/", BODY, message_id="m", keys=[KEY])
    assert answer.failure == "tls"
    assert "self-signed" in answer.detail


async def test_name_and_certificate_stay_those_of_the_url_though_the_address_was_checked() -> None:
    trusting = ssl.create_default_context(cafile=CERTIFICATE)
    names = FakeNames({"hooks.example.org": [["127.0.0.1"]], "other.example.org": [["127.0.0.1"]]})
    asked: list[str | None] = []
    async with (
        tls_receiver(asked) as port,
        WebhookSender(LOOPBACK, SystemClock(), total_s=2, lookups=names, tls=trusting) as sender,
    ):
        right = await sender.send(f"https://hooks.example.org:{port}/", BODY, message_id="m", keys=[KEY])
        wrong = await sender.send(f"https://other.example.org:{port}/", BODY, message_id="m", keys=[KEY])
    assert (right.status, wrong.failure) == (200, "tls")
    assert asked == ["hooks.example.org", "other.example.org"]


async def test_a_bad_id_is_the_callers_error(sender: WebhookSender) -> None:
    with pytest.raises(ValueError, match="dot"):
        await sender.send("http://127.0.0.1:9/", BODY, message_id="a.b", keys=[KEY])
