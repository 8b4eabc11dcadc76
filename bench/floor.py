"""The floor that no service in Python can beat here: a relay that forces each message to disk and passes it on.

It decodes, judges, signs and stores nothing: one write and one ``fdatasync`` a message, then one POST by the client
that webhooks are built on. Where this misses a target beside Alertmanager, the target is the machine's to miss.
``python -m bench.floor PORT SINK_PORT FILE``
"""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import aiohttp
import uvloop

from bench.end_to_end import Target
from bench.sinks import ANSWER, request_length
from tests.parts.process import Process, free_port, listening


@contextmanager
def relay(directory: Path, sink_port: int) -> Iterator[Target]:
    """A fresh relay before the sink."""
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [sys.executable, "-m", "bench.floor", str(port), str(sink_port), str(directory / "log")]
    with Process("floor", command, directory / "floor.log", lambda: listening(port)):
        yield Target(f"http://127.0.0.1:{port}/", {})


class _Relay(asyncio.Protocol):
    def __init__(self, session: aiohttp.ClientSession, url: str, file: int) -> None:
        self._session, self._url, self._file = session, url, file
        self._buffer = b""
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (whole := request_length(self._buffer)) and len(self._buffer) >= whole:
            body, self._buffer = self._buffer[self._buffer.find(b"\r\n\r\n") + 4 : whole], self._buffer[whole:]
            os.write(self._file, body)
            os.fdatasync(self._file)
            self._transport.write(ANSWER)
            task = asyncio.create_task(self._pass_on(body))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, body: bytes) -> None:
        async with self._session.post(self._url, data=body) as response:
            await response.read()


async def _serve(port: int, sink_port: int, file: str) -> None:
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=50)) as session:
        url = f"http://127.0.0.1:{sink_port}/"
        server = await asyncio.get_running_loop().create_server(
            lambda: _Relay(session, url, descriptor), "127.0.0.1", port
        )
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
