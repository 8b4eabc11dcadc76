"""Receivers that cost as little as they can, in a process of their own: ``python -m bench.sinks http|smtp PORT``."""

import asyncio
import sys
from typing import cast

import uvloop
from aiosmtpd.smtp import SMTP

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class HttpSink(asyncio.Protocol):
    """Answers 200 to whatever has a head and a body of the length it names."""

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (whole := _length(self._buffer)) and len(self._buffer) >= whole:
            self._buffer = self._buffer[whole:]
            self._transport.write(ANSWER)


def _length(buffer: bytes) -> int:
    """How long the first request is; 0 while its head is not complete."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return 0
    head = buffer[:end].lower()
    start = head.find(b"content-length:")
    return end + 4 + (int(head[start + 15 :].split(b"\r\n", 1)[0]) if start >= 0 else 0)


class Mailbox:
    """Takes every mail and keeps none."""

    async def handle_DATA(self, *_: object) -> str:  # noqa: N802 (aiosmtpd's name)
        return "250 2.0.0 OK"


async def serve(kind: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    mailbox = Mailbox()

    def connection() -> asyncio.Protocol:
        return HttpSink() if kind == "http" else SMTP(mailbox, loop=loop)

    server = await loop.create_server(connection, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], int(sys.argv[2])))
