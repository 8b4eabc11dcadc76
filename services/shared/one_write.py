"""HTTP answers in one write: head and body come as two from the framework, each a system call and a packet."""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Bytes that go out at once.
LARGE: Final = 16 * 1024


class Gathering:
    """A transport that writes at the end of the loop's turn what was written during it; all else is the transport's."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._parts: list[bytes] = []
        #: Bytes so far.
        self.written = 0

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)
        if len(data) >= LARGE:
            # Joining large parts gains nothing, and the transport has to say when it is too much.
            self._flush()

    def write_eof(self) -> None:
        """Earlier writes go out first."""
        self._flush()
        self._transport.write_eof()

    def close(self) -> None:
        """What was written before goes out before."""
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        # The other side may have gone since.
        if parts and not self._transport.is_closing():
            data = parts[0] if len(parts) == 1 else b"".join(parts)
            self.written += len(data)
            self._transport.write(data)


class OneWriteProtocol(HttpToolsProtocol):
    """uvicorn's own protocol over such a transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(Gathering(transport, self.loop))  # type: ignore[arg-type]
