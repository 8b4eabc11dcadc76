"""Limits on what a client sends, how slowly it sends, and how slowly it reads. The test drives the clock."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Self

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from services.platform.http.connections import ConnectionTable, EdgeLimits, Reason
from services.platform.http.guarded import GuardedProtocol
from tests.examples import examples

GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
LIMITS = EdgeLimits()


class Wire(asyncio.Transport):
    """The server's end of a connection. ``stuck``: bytes that the client has not taken."""

    def __init__(self, host: str) -> None:
        super().__init__({"peername": (host, 1), "sockname": ("192.0.2.100", 80)})
        self.protocol: GuardedProtocol
        self.sent = b""
        self.stuck = 0
        self.reading, self.half_closed, self.closed, self.aborted = True, False, False, False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += data

    def write_eof(self) -> None:
        self.half_closed = True

    def get_write_buffer_size(self) -> int:
        return self.stuck

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def abort(self) -> None:
        self.aborted = True
        self.close()


@dataclass
class Edge:
    """A server with one table, and a clock that only the test moves."""

    limits: EdgeLimits = LIMITS
    now: float = 100.0
    ended: list[Reason] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[Any] = field(default_factory=list)
    answer: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.answer.set()
        self.table = ConnectionTable(self.limits, lambda: self.now, self.ended.append)
        self.config = uvicorn.Config(
            self.app, interface="asgi3", ws="none", lifespan="off", log_config=None, proxy_headers=False
        )
        self.state = ServerState()

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reads the body; ``/early`` answers before it; ``/stream`` begins an answer and never ends it."""
        if scope["path"] == "/stream":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"begun", "more_body": True})
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        body = b""
        while scope["path"] != "/early":
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            if not message["more_body"]:
                break
        await self.answer.wait()
        self.bodies.append(body)
        self.headers.append(scope["headers"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"done"})

    async def connect(self, host: str = "192.0.2.1") -> "Client":
        wire = Wire(host)
        wire.protocol = GuardedProtocol(
            self.table, config=self.config, server_state=self.state, app_state={}, _loop=asyncio.get_running_loop()
        )
        wire.protocol.connection_made(wire)
        return Client(self, wire)

    async def pass_time(self, seconds: float) -> None:
        """Second by second, as the sweep runs."""
        for _ in range(int(seconds / self.limits.sweep_s)):
            self.now += self.limits.sweep_s
            self.table.sweep()
            await settle()


@dataclass
class Client:
    edge: Edge
    wire: Wire

    async def send(self, data: bytes) -> Self:
        if not self.wire.closed:
            self.wire.protocol.data_received(data)
        await settle()
        return self

    @property
    def statuses(self) -> list[int]:
        return [int(part[:3]) for part in self.wire.sent.split(b"HTTP/1.1 ")[1:]]

    @property
    def problem(self) -> Any:
        return json.loads(self.wire.sent.partition(b"\r\n\r\n")[2])


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_request_is_answered_and_the_connection_kept() -> None:
    client = await (await Edge().connect()).send(GET)
    await client.send(GET)
    assert (client.statuses, client.wire.closed) == ([200, 200], False)


# Heads


def head_of(size: int) -> bytes:
    start = b"GET / HTTP/1.1\r\nx: "
    return start + b"a" * (size - len(start) - 4) + b"\r\n\r\n"


@pytest.mark.parametrize("packet", [1_000, 40_000, 300_000])
@pytest.mark.parametrize(("size", "status"), [(LIMITS.head_bytes - 200, 200), (LIMITS.head_bytes + 200, 431)])
async def test_a_head_of_more_than_32_kib_is_431(packet: int, size: int, status: int) -> None:
    client = await Edge().connect()
    head = head_of(size)
    for start in range(0, len(head), packet):
        await client.send(head[start : start + packet])
    assert client.statuses == [status]


async def test_a_head_without_end_is_not_kept() -> None:
    edge = Edge()
    client = await edge.connect()
    await client.send(b"GET / HTTP/1.1\r\nx: ")
    for _ in range(800):
        await client.send(b"a" * 262_144)
    assert client.statuses == [431]
    assert client.problem["title"] == "Head too large"
    assert edge.ended == ["head_too_large"]


async def test_a_head_of_too_many_fields_is_431() -> None:
    client = await Edge().connect()
    await client.send(b"GET / HTTP/1.1\r\n" + b"a:b\r\n" * (LIMITS.head_fields + 1) + b"\r\n")
    assert client.statuses == [431]


async def test_a_silent_connection_is_closed_without_an_answer() -> None:
    edge = Edge()
    client = await edge.connect()
    await edge.pass_time(LIMITS.grace_s - 1)
    assert not client.wire.closed
    await edge.pass_time(2)
    assert (client.wire.closed, client.wire.sent) == (True, b"")


async def test_a_head_that_drips_is_408_after_the_grace() -> None:
    edge = Edge()
    client = await edge.connect()
    for byte in b"GET / HTTP/1.1":
        await client.send(bytes([byte]))
        await edge.pass_time(1)
    assert (client.statuses, client.problem["status"]) == ([408], 408)
    assert edge.ended == ["head_slow"]


async def test_the_next_head_of_a_connection_has_its_own_time() -> None:
    edge = Edge()
    client = await (await edge.connect()).send(GET)
    await edge.pass_time(9)
    await client.send(b"GET / ")
    await edge.pass_time(9)
    assert client.statuses == [200]
    await edge.pass_time(2)
    assert client.statuses == [200, 408]


async def test_a_refused_sender_may_read_the_answer_and_is_then_cut_off() -> None:
    edge = Edge()
    client = await (await edge.connect()).send(b"a" * 40_000)
    assert (client.wire.half_closed, client.wire.closed) == (True, False)
    await client.send(b"a" * 40_000)
    await edge.pass_time(LIMITS.linger_s)
    assert client.wire.aborted


async def test_what_is_not_http_is_a_problem_document() -> None:
    client = await (await Edge().connect()).send(b"\x16\x03\x01\r\n\r\n")
    assert (client.statuses, client.problem["status"]) == ([400], 400)


async def test_line_ends_alone_keep_no_connection_open() -> None:
    edge = Edge()
    client = await (await edge.connect()).send(GET)
    for _ in range(12):
        await client.send(b"\r\n")
        await edge.pass_time(1)
    assert client.wire.half_closed


# Bodies


def post(length: int, path: bytes = b"/") -> bytes:
    return b"POST %s HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % (path, length)


async def test_a_body_that_drips_is_408() -> None:
    edge = Edge()
    client = await (await edge.connect()).send(post(100_000))
    for _ in range(20):
        await client.send(b"a" * 100)
        await edge.pass_time(1)
    assert (client.statuses, edge.ended, edge.bodies) == ([408], ["body_slow"], [])


async def test_a_body_at_the_lowest_rate_is_taken() -> None:
    edge = Edge()
    client = await (await edge.connect()).send(post(60_000))
    for _ in range(60):
        await client.send(b"a" * 1_000)
        await edge.pass_time(1)
    assert (client.statuses, edge.bodies) == ([200], [b"a" * 60_000])


async def test_a_fast_start_buys_no_long_silence() -> None:
    edge = Edge()
    client = await (await edge.connect()).send(post(10_000_000) + b"a" * 5_000_000)
    await edge.pass_time(LIMITS.grace_s + 1)
    assert client.statuses == [408]


async def test_a_sender_that_waits_for_100_continue_is_not_slow() -> None:
    edge = Edge()
    client = await edge.connect()
    cycle_of = client.wire.protocol
    await client.send(b"POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n")
    cycle_of.cycle.waiting_for_100_continue = True
    await edge.pass_time(30)
    assert not client.wire.closed
    await client.send(b"abc")
    assert edge.bodies == [b"abc"]


async def test_the_rest_of_a_body_that_was_answered_early_comes_within_the_grace() -> None:
    edge = Edge()
    client = await (await edge.connect()).send(post(1_000_000, b"/early") + b"a")
    assert client.statuses == [200]
    for _ in range(12):
        await client.send(b"a" * 10_000)
        await edge.pass_time(1)
    assert client.wire.aborted


async def test_a_connection_whose_body_ended_after_the_answer_is_used_again() -> None:
    edge = Edge()
    client = await (await edge.connect()).send(post(5, b"/early"))
    await client.send(b"abcde")
    await client.send(GET)
    assert (client.statuses, client.wire.closed) == ([200, 200], False)


CHUNKED = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"


async def test_trailers_are_dropped() -> None:
    edge = Edge()
    client = await (await edge.connect()).send(CHUNKED + b"0\r\nauthorization: Bearer x\r\n\r\n")
    assert (client.statuses, edge.bodies) == ([200], [b"abc"])
    assert edge.headers == [[(b"transfer-encoding", b"chunked")]]


@pytest.mark.parametrize("begun", [b"0\r\nx: ", b"0\r\n", b"5;"])
async def test_trailers_and_chunk_extensions_have_an_end(begun: bytes) -> None:
    edge = Edge()
    client = await (await edge.connect()).send(CHUNKED + begun)
    filler = b"x: y\r\n" * 1_000 if begun == b"0\r\n" else b"a" * 6_000
    for _ in range(20):
        await client.send(filler)
    assert client.statuses == [431]


# Answers


async def test_a_stream_to_a_silent_reader_stays_open() -> None:
    edge = Edge()
    client = await (await edge.connect()).send(b"GET /stream HTTP/1.1\r\nhost: a\r\n\r\n")
    await edge.pass_time(3_600)
    assert (client.wire.closed, client.wire.aborted) == (False, False)


async def test_a_reader_that_takes_nothing_is_dropped() -> None:
    edge = Edge()
    client = await (await edge.connect()).send(b"GET /stream HTTP/1.1\r\nhost: a\r\n\r\n")
    client.wire.stuck = 5
    await edge.pass_time(LIMITS.reader_grace_s)
    assert not client.wire.aborted
    await edge.pass_time(2)
    assert (client.wire.aborted, edge.ended) == (True, ["reader_slow"])


async def test_a_reader_that_takes_little_but_steadily_is_kept() -> None:
    edge = Edge()
    client = await (await edge.connect()).send(b"GET /stream HTTP/1.1\r\nhost: a\r\n\r\n")
    client.wire.protocol.transport.written = client.wire.stuck = 1_000_000
    for _ in range(300):
        client.wire.stuck -= LIMITS.bytes_per_s
        await edge.pass_time(1)
    assert not client.wire.aborted


# Pipelining and upgrades


async def test_pipelined_requests_are_bounded_and_those_before_are_answered() -> None:
    edge = Edge()
    client = await (await edge.connect()).send(GET * 10_000)
    for _ in range(20):
        await settle()
    assert client.statuses == [200] * (LIMITS.pipelined + 1)
    assert b"connection: close" in client.wire.sent[-100:]
    assert (client.wire.closed, edge.ended) == (True, ["pipelined"])


async def test_a_bad_request_behind_a_good_one_waits_for_its_turn() -> None:
    edge = Edge()
    edge.answer.clear()
    client = await (await edge.connect()).send(GET + b"\x00\x00\r\n\r\n")
    assert client.statuses == []
    edge.answer.set()
    await settle()
    assert (client.statuses, client.wire.closed) == ([200], True)


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c"])
async def test_an_upgrade_is_answered_as_any_request_and_the_connection_closed(protocol: bytes) -> None:
    edge = Edge()
    client = await edge.connect()
    await client.send(b"GET / HTTP/1.1\r\nconnection: Upgrade\r\nupgrade: " + protocol + b"\r\n\r\nPRI * HTTP/2.0")
    assert (client.statuses, client.wire.closed) == ([200], True)


# Places


async def test_a_connection_that_finds_no_place_is_put_off_but_for_probes() -> None:
    edge = Edge(EdgeLimits(connections=3, reserved=1))
    edge.answer.clear()
    for _ in range(2):
        await (await edge.connect()).send(GET)
    client = await (await edge.connect()).send(GET)
    assert (client.statuses, client.wire.closed) == ([503], True)
    assert client.problem["detail"] == "Too many connections are open."
    probe = await edge.connect()
    edge.answer.set()
    await probe.send(b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n")
    assert probe.statuses == [200]


async def test_the_connection_that_was_heard_last_stays() -> None:
    edge = Edge(EdgeLimits(connections=3, reserved=1))
    first, second = await edge.connect(), await edge.connect()
    await first.send(b"GET / HTTP/1.1\r\n")
    await edge.connect()
    assert (first.wire.closed, second.wire.closed) == (False, True)


async def test_every_place_is_given_back() -> None:
    edge = Edge(EdgeLimits(connections=3, reserved=1))
    for _ in range(20):
        client = await (await edge.connect()).send(b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n")
        assert client.statuses == [200]
    assert edge.table.open == set()
    assert edge.ended == []


REQUESTS = [GET, post(5) + b"abcde", CHUNKED + b"0\r\n\r\n", post(3, b"/early") + b"abc", b"\r\n" + GET]


@given(st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=8), st.lists(st.integers(0, 400), max_size=12))
@examples(150)
def test_requests_are_answered_alike_however_they_are_cut(requests: list[bytes], cuts: list[int]) -> None:
    async def ask() -> list[int]:
        client = await Edge().connect()
        whole = b"".join(requests)
        places = sorted({0, *(cut for cut in cuts if cut < len(whole)), len(whole)})
        for start, end in pairwise(places):
            await client.send(whole[start:end])
        await settle()
        return client.statuses

    assert asyncio.run(ask()) == [200] * len(requests)


@given(st.lists(st.sampled_from([GET, b"GET / HT", b"\r\n", post(4000), b"a" * 900, CHUNKED, b"\0", b"x: y\r\n"])))
@examples(200)
def test_whatever_is_sent_the_connection_is_closed_once_nothing_more_comes(packets: list[bytes]) -> None:
    async def ask() -> None:
        edge = Edge()
        client = await edge.connect()
        for packet in packets:
            await client.send(packet)
            await edge.pass_time(1)
        idle: Callable[[], bool] = lambda: client.wire.protocol.timeout_keep_alive_task is not None  # noqa: E731
        await edge.pass_time(40)
        assert client.wire.closed or idle()

    asyncio.run(ask())
