"""An HTTP answer goes out in one write, whole and in order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import Receive, Scope, Send
from uvicorn import Config, Server

from services.platform.http.coalescing import CoalescingHttpToolsProtocol, CoalescingTransport
from services.platform.process.lifecycle import bind


class Wire(asyncio.Transport):
    """Remembers what was written, and whether it is open."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


async def test_what_is_written_in_one_turn_of_the_loop_is_one_write() -> None:
    wire = Wire()
    gathering = CoalescingTransport(wire, asyncio.get_running_loop())
    gathering.write(b"head")
    gathering.write(b"body")
    assert wire.written == []
    await asyncio.sleep(0)
    assert wire.written == [b"headbody"]
    gathering.write(b"next")
    await asyncio.sleep(0)
    assert wire.written == [b"headbody", b"next"]


async def test_closing_sends_what_was_written_before() -> None:
    wire = Wire()
    gathering = CoalescingTransport(wire, asyncio.get_running_loop())
    gathering.write(b"last words")
    gathering.close()
    await asyncio.sleep(0)
    assert (wire.written, gathering.is_closing()) == ([b"last words"], True)


async def test_nothing_is_written_to_who_has_gone_meanwhile() -> None:
    wire = Wire()
    gathering = CoalescingTransport(wire, asyncio.get_running_loop())
    gathering.write(b"too late")
    wire.close()
    await asyncio.sleep(0)
    assert wire.written == []


@asynccontextmanager
async def served() -> AsyncIterator[int]:
    """An app that answers in three parts, over the protocol of the services."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
        for part in (b"ab", b"cd", b"ef"):
            await asyncio.sleep(0)
            await send({"type": "http.response.body", "body": part, "more_body": part != b"ef"})

    listener = bind("127.0.0.1", 0)
    server = Server(Config(app, http=CoalescingHttpToolsProtocol, lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
        await asyncio.sleep(0)
    yield listener.getsockname()[1]
    server.should_exit = True
    await serving
    listener.close()


async def test_answers_arrive_whole_and_in_order_however_many_are_asked_for_at_once() -> None:
    async with served() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"GET / HTTP/1.1\r\nhost: a\r\n\r\n" * 3 + b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        )
        answers = (await reader.read()).split(b"HTTP/1.1 200 OK")
        writer.close()
    assert [answer[-6:] for answer in answers[1:]] == [b"abcdef"] * 4
