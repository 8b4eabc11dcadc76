"""Readers of answers over real sockets: the kernel's buffers are counted, and who takes nothing is dropped."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send

from services.platform.http.coalescing import CoalescingTransport
from services.platform.http.connections import ConnectionTable, EdgeLimits, Reason
from services.platform.http.guarded import GuardedProtocol, in_kernel
from services.platform.process.lifecycle import bind, run

SIZE = 32 * 1024 * 1024
PART = 64 * 1024


async def large(_scope: Scope, _receive: Receive, send: Send) -> None:
    """An answer that no buffer of a kernel holds."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % SIZE)]})
    for _ in range(SIZE // PART):
        await send({"type": "http.response.body", "body": bytes(PART), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@dataclass
class Seen:
    """Why connections were ended, and the protocol of the last one."""

    reasons: list[Reason] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self, reason: Reason) -> None:
        self.reasons.append(reason)
        self.ended.set()


@asynccontextmanager
async def dial(port: int) -> AsyncIterator[socket.socket]:
    """A client with a small receive buffer, which has asked for the answer and reads only when told to."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(connection, ("127.0.0.1", port))
        await loop.sock_sendall(connection, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        yield connection


async def read(connection: socket.socket, size: int) -> None:
    while size > 0:
        size -= len(await asyncio.get_running_loop().sock_recv(connection, size))


Runner = Callable[[Coroutine[Any, Any, None]], None]
#: The services run on uvloop; the tests of their parts on the loop of the standard library.
loops = pytest.mark.parametrize("runner", [uvloop.run, asyncio.run])


@loops
def test_a_reader_that_takes_nothing_is_dropped_and_its_place_freed(runner: Runner) -> None:
    async def ask() -> None:
        seen, stop, ready = Seen(), asyncio.Event(), asyncio.Event()
        limits = EdgeLimits(reader_grace_s=0.2, sweep_s=0.05)
        with bind("127.0.0.1", 0) as listener:
            port = listener.getsockname()[1]
            serving = asyncio.create_task(
                run(large, listener, [], stop=stop, on_ready=ready.set, limits=limits, on_end=seen.end)
            )
            await ready.wait()
            async with dial(port):
                await seen.ended.wait()
            assert seen.reasons == ["reader_slow"]
            stop.set()
            await serving

    runner(ask())


@asynccontextmanager
async def served(table: ConnectionTable) -> AsyncIterator[int]:
    listener = bind("127.0.0.1", 0)
    protocol = partial(GuardedProtocol, table)
    server = uvicorn.Server(uvicorn.Config(large, http=protocol, ws="none", lifespan="off", log_config=None))  # type: ignore[arg-type]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
        await asyncio.sleep(0)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await serving
        listener.close()


@loops
def test_what_a_reader_takes_out_of_the_kernel_counts_as_read(runner: Runner) -> None:
    """Else a steady reader would look stalled until the kernel had room for more."""
    runner(_read_steadily())


async def _read_steadily() -> None:
    now, reasons = [0.0], list[Reason]()
    table = ConnectionTable(EdgeLimits(), lambda: now[0], reasons.append)
    async with served(table) as port, dial(port) as client:
        await _until(lambda: bool(table.open))
        (connection,) = table.open
        assert isinstance(connection, GuardedProtocol)
        transport = connection.transport
        await _until(lambda: transport.get_write_buffer_size() > 0)
        # At 3 kB/s of the driven clock, far less at a time than what makes the kernel ask for more.
        for _ in range(6):
            taken = _left(transport)
            await read(client, 30_000)
            await _until(lambda taken=taken: _left(transport) < taken)  # type: ignore[misc]
            now[0] += 10.0
            table.sweep()
        assert reasons == []
        for _ in range(10):
            now[0] += 31.0
            table.sweep()
            await asyncio.sleep(0)
        assert reasons == ["reader_slow"]


def _left(transport: CoalescingTransport) -> int:
    """Bytes that the client has not taken."""
    waiting: int = transport.get_write_buffer_size()
    return waiting + in_kernel(transport) - transport.written


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.001)
