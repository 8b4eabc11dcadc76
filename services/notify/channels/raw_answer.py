"""The bytes of an answer as they came, apart from what HTTP's parser makes of them.

A receiver that has sent a status line has answered. What follows may break off, never end or break the rules of HTTP:
the parser then raises, and what was heard still says how the attempt ended. Source: the contract, "A webhook's
channel": the status line decides.
"""

import re
from contextvars import ContextVar
from typing import Any, Final

from aiohttp.client_proto import ResponseHandler

#: So much of an answer is kept, bytes.
MAX_KEPT: Final = 64 * 1024
#: RFC 9112, 4; the reason may be missing, and a line may end by LF alone.
_STATUS_LINE: Final = re.compile(rb"HTTP/\d(?:\.\d)? ([1-9]\d\d)(?: [^\n]*)?\r?\n")
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_CHUNK: Final = re.compile(rb"([0-9a-fA-F]{1,8})[^\n]*\n")
SWITCHING: Final = 101


class RawAnswer:
    """The bytes of one answer as they came, up to a limit. ``wants_body``: the head alone is no whole answer."""

    __slots__ = ("_chunks", "_size", "wants_body")

    def __init__(self, *, wants_body: bool = False) -> None:
        self._chunks: list[bytes] = []
        self._size = 0
        self.wants_body = wants_body

    def feed(self, data: bytes) -> None:
        if self._size < MAX_KEPT:
            self._chunks.append(data)
            self._size += len(data)

    @property
    def status(self) -> int | None:
        """The status of the final status line; None before there is one. Interim answers (1xx) are passed over."""
        return self._read()[0]

    def header(self, name: bytes) -> str | None:
        """The first header of this name, given in lower case."""
        for line in self._read()[1].split(b"\n")[1:]:
            key, separator, value = line.partition(b":")
            if separator and key.strip().lower() == name:
                return value.strip().decode("latin-1")
        return None

    @property
    def body(self) -> bytes:
        """The bytes behind the head, with the frames of chunks taken off as far as they can be read."""
        body = self._read()[2]
        return _unframed(body) if "chunked" in (self.header(b"transfer-encoding") or "").lower() else body

    @property
    def complete(self) -> bool:
        """Whether nothing more is to be waited for: the body ended as its head says, or too much has come."""
        if self._size >= MAX_KEPT:
            return True
        status, head, body = self._read()
        if status is None or not head:
            return False
        if "chunked" in (self.header(b"transfer-encoding") or "").lower():
            return body.endswith(b"0\r\n\r\n")
        length = self.header(b"content-length")
        return length is not None and length.isascii() and length.isdigit() and len(body) >= int(length[:9])

    def _read(self) -> tuple[int | None, bytes, bytes]:
        """Status, head up to its end (empty while it goes on), body."""
        rest = b"".join(self._chunks)
        while (line := _STATUS_LINE.match(rest)) is not None:
            status, end = int(line[1]), _HEAD_END.search(rest, line.end() - 2)
            if status >= 200 or status == SWITCHING:
                return (status, rest, b"") if end is None else (status, rest[: end.start()], rest[end.end() :])
            if end is None:
                break
            rest = rest[end.end() :]
        return None, b"", b""


#: Keeps the answer of the request that is being sent in this context.
RAW_ANSWER: Final[ContextVar[RawAnswer | None]] = ContextVar("heard", default=None)


class RecordingHandler(ResponseHandler):
    """aiohttp's protocol, which also lets the attempt under way hear what comes.

    Where the body is wanted and the parser gives up, the connection stays open until the body has come.
    """

    _heard: RawAnswer | None = None
    _broken: tuple[BaseException, ...] = ()
    _feeding = False

    def set_response_params(self, **params: Any) -> None:
        self._heard, self._broken = RAW_ANSWER.get(), ()
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        heard = self._heard
        if heard is None:
            return super().data_received(data)
        heard.feed(data)
        if not heard.wants_body:
            return super().data_received(data)
        if not self._broken:
            # Without a transport there is none that aiohttp can close when it cannot go on.
            transport, self.transport, self._feeding = self.transport, None, True
            try:
                super().data_received(data)
            finally:
                self.transport, self._feeding = transport, False
        if self._broken and heard.complete:
            super().set_exception(*self._broken)
        return None

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        if self._feeding and self._heard is not None and self._heard.status is not None:
            self._broken = (exc, *cause)
        else:
            super().set_exception(exc, *cause)


def _unframed(body: bytes) -> bytes:
    """The data of chunks (RFC 9112, 7.1), up to where the frames end or break."""
    found, at = b"", 0
    while (frame := _CHUNK.match(body, at)) is not None and (size := int(frame[1], 16)) > 0:
        found += body[frame.end() : frame.end() + size]
        at = frame.end() + size
        at += 2 if body[at : at + 2] == b"\r\n" else 1
    return found or body
