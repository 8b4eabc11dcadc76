"""Receivers that cost as little as they can, in a process of their own: ``python -m bench.sinks http|smtp PORT``."""

import asyncio
import sys
from typing import cast

import uvloop

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
END_OF_MAIL = b"\r\n.\r\n"


class HttpSink(asyncio.Protocol):
    """Answers 200 to whatever has a head and a body of the length it names."""

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (whole := request_length(self._buffer)) and len(self._buffer) >= whole:
            self._buffer = self._buffer[whole:]
            self._transport.write(ANSWER)


def request_length(buffer: bytes) -> int:
    """How long the first request is; 0 while its head is not complete."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return 0
    head = buffer[:end].lower()
    start = head.find(b"content-length:")
    return end + 4 + (int(head[start + 15 :].split(b"\r\n", 1)[0]) if start >= 0 else 0)


class SmtpSink(asyncio.Protocol):
    """Takes every mail and keeps none: as much of SMTP as one sender with well-formed mail needs."""

    def __init__(self) -> None:
        self._buffer = b""
        self._in_mail = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(END_OF_MAIL if self._in_mail else b"\r\n")) >= 0:
            self._answer(self._buffer[:4].upper())
            self._buffer = self._buffer[end + 2 :].removeprefix(b".\r\n")

    def _answer(self, verb: bytes) -> None:
        if self._in_mail:
            self._in_mail = False
            self._transport.write(b"250 2.0.0 OK\r\n")
        elif verb == b"DATA":
            self._in_mail = True
            self._transport.write(b"354 go on\r\n")
        elif verb == b"QUIT":
            self._transport.write(b"221 bye\r\n")
            self._transport.close()
        else:
            self._transport.write(b"250 OK\r\n")


async def serve(kind: str, port: int) -> None:
    connection = HttpSink if kind == "http" else SmtpSink
    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], int(sys.argv[2])))
