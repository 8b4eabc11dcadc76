"""A load generator in a process of its own: raw HTTP/1.1 over keep-alive connections, so that it costs little.

``closed`` sends the next request when the last was answered, on each connection; ``open`` sends at a fixed rate,
whatever the answers do. It takes a plan as JSON on standard input and gives its result as JSON on standard output.
"""

import asyncio
import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import cast
from urllib.parse import urlsplit

import uvloop


@dataclass
class Plan:
    """A load: what is sent where. ``rate`` in requests per second; 0 means closed loop. ``bodies`` are sent in turn."""

    url: str
    bodies: list[str]
    connections: int = 32
    rate: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    #: Listen on this port for what the requests cause, until ``expect`` messages came or ``timeout_s`` passed.
    sink_port: int = 0
    expect: int = 0
    timeout_s: float = 60.0
    #: Every message counts, not only the first of each number.
    each: bool = False


@dataclass
class Result:
    """Latencies in seconds by index; ``sent_at`` and ``arrived_at`` are wall-clock seconds by index: when a body left,
    and when a message that names ``bench-<index>`` reached the sink (0: never). ``arrived`` counts messages;
    ``until_last_s`` runs from the first request to the last arrival."""

    seconds: float
    answered: int
    statuses: dict[str, int]
    latencies: list[float]
    sent_at: list[float]
    arrived_at: list[float] = field(default_factory=list)
    arrived: int = 0
    repeated: int = 0
    until_last_s: float = 0.0


class _Sink(asyncio.Protocol):
    """The cheapest webhook receiver there is: it notes when each numbered message came, and answers 200."""

    def __init__(self, result: Result, arrivals: list[float], complete: asyncio.Event, plan: Plan) -> None:
        self.buffer = bytearray()
        self.result, self.arrivals, self.complete = result, arrivals, complete
        self.expect, self.each = plan.expect, plan.each
        self.transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            length = _content_length(bytes(self.buffer[:end]))
            if len(self.buffer) < end + 4 + length:
                return
            body = bytes(self.buffer[end + 4 : end + 4 + length])
            del self.buffer[: end + 4 + length]
            self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            self._note(body)

    def _note(self, body: bytes) -> None:
        now = time.time()  # noqa: TID251 - compared with the generator's own clock
        for index in {int(number) for number in _NUMBERED.findall(body)}:
            if self.result.arrived_at[index] and not self.each:
                self.result.repeated += 1
                continue
            self.result.arrived_at[index] = now
            self.arrivals.append(now)
            if len(self.arrivals) >= self.expect:
                self.complete.set()


_NUMBERED = re.compile(rb"bench-(\d+)")


def _content_length(head: bytes) -> int:
    start = head.lower().find(b"content-length:")
    return int(head[start + 15 :].split(b"\r\n", 1)[0]) if start >= 0 else 0


class _LoadConnection(asyncio.Protocol):
    """One keep-alive connection with at most one request under way."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.waiter: asyncio.Future[int] | None = None
        self.transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_exception(error or ConnectionError("closed"))

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self.buffer[:end])
        length = _content_length(head)
        if len(self.buffer) >= end + 4 + length and self.waiter is not None and not self.waiter.done():
            status = int(head[9:12])
            del self.buffer[: end + 4 + length]
            self.waiter.set_result(status)

    def request(self, payload: bytes) -> "asyncio.Future[int]":
        self.waiter = asyncio.get_running_loop().create_future()
        self.transport.write(payload)
        return self.waiter


def _payloads(plan: Plan) -> Iterator[bytes]:
    parts = urlsplit(plan.url)
    extra = "".join(f"{k}: {v}\r\n" for k, v in plan.headers.items())
    for body in plan.bodies:
        data = body.encode()
        head = f"POST {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\n{extra}content-length: {len(data)}\r\n\r\n"
        yield head.encode() + data


Send = Callable[[_LoadConnection, int], Awaitable[None]]


async def _go(plan: Plan) -> Result:
    loop = asyncio.get_running_loop()
    payloads = list(_payloads(plan))
    result = Result(0.0, 0, {}, [0.0] * len(payloads), [0.0] * len(payloads))
    arrivals: list[float] = []
    complete = asyncio.Event()
    if plan.sink_port:
        result.arrived_at = [0.0] * max(plan.expect, len(payloads))
        await loop.create_server(
            lambda: _Sink(result, arrivals, complete, plan), "127.0.0.1", plan.sink_port, backlog=1024
        )
    connections = await _connect(plan)

    async def send(connection: _LoadConnection, index: int) -> None:
        result.sent_at[index] = time.time()  # noqa: TID251 - compared with another process's clock
        begin = time.perf_counter()
        status = await connection.request(payloads[index])
        result.latencies[index] = time.perf_counter() - begin
        result.statuses[str(status)] = result.statuses.get(str(status), 0) + 1
        result.answered += 1

    begin = time.perf_counter()
    if plan.rate:
        await _send_at_rate(connections, len(payloads), plan.rate, send)
    else:
        await _send_in_turn(connections, len(payloads), send)
    result.seconds = time.perf_counter() - begin
    if plan.expect:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(complete.wait(), plan.timeout_s)
        result.arrived = len(arrivals)
        result.until_last_s = (arrivals[-1] if arrivals else 0.0) - min(t for t in result.sent_at if t)
    for connection in connections:
        connection.transport.close()
    return result


async def _connect(plan: Plan) -> list[_LoadConnection]:
    parts = urlsplit(plan.url)
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(_LoadConnection, parts.hostname or "", parts.port or 80)
        for _ in range(plan.connections)
    ]
    return [protocol for _, protocol in made]


async def _send_in_turn(connections: list[_LoadConnection], count: int, send: Send) -> None:
    numbers = iter(range(count))

    async def drain(connection: _LoadConnection) -> None:
        for index in numbers:
            await send(connection, index)

    await asyncio.gather(*(drain(c) for c in connections))


async def _send_at_rate(connections: list[_LoadConnection], count: int, rate: float, send: Send) -> None:
    free: asyncio.Queue[_LoadConnection] = asyncio.Queue()
    for connection in connections:
        free.put_nowait(connection)
    pending: set[asyncio.Task[None]] = set()

    async def timed(connection: _LoadConnection, index: int) -> None:
        await send(connection, index)
        free.put_nowait(connection)

    begin = time.perf_counter()
    for index in range(count):
        delay = begin + index / rate - time.perf_counter()
        if delay > 0:
            await asyncio.sleep(delay)
        task = asyncio.create_task(timed(await free.get(), index))
        pending.add(task)
        task.add_done_callback(pending.discard)
    await asyncio.gather(*pending)


def start(plan: Plan) -> "subprocess.Popen[bytes]":
    """Send a plan from a process of its own; :func:`finish` waits for it."""
    process = subprocess.Popen([sys.executable, "-m", "bench.load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(json.dumps(asdict(plan)).encode())
    process.stdin.close()
    process.stdin = None
    return process


def finish(process: "subprocess.Popen[bytes]") -> Result:
    """The result of a plan. Raises RuntimeError when the generator failed."""
    out, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"the load generator ended with {process.returncode}")
    return Result(**json.loads(out))


def complete(result: Result, expected: int) -> Result:
    """The result, of which everything arrived, once. Raises RuntimeError: what is missing makes no rate."""
    if result.arrived != expected or result.repeated:
        raise RuntimeError(
            f"{result.arrived} of {expected} arrived, {result.repeated} repeated; answers {result.statuses}"
        )
    return result


def percentile(values: list[float], share: float) -> float:
    """The value below which ``share`` (0..1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


if __name__ == "__main__":
    json.dump(asdict(uvloop.run(_go(Plan(**json.load(sys.stdin))))), sys.stdout)
