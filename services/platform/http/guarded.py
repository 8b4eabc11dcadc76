"""uvicorn's HTTP protocol with limits on what a client sends, how slowly it sends, and how slowly it reads.

Refused with a problem document where no answer has begun: a head over :attr:`EdgeLimits.head_bytes` or with too many
fields (431), a head or body that takes too long (408), what is not HTTP (400). Then the connection is closed.
Trailers are not used: their fields are dropped, and they count as a head does.
"""

import fcntl
import math
import struct
import sys
import termios
from http import HTTPStatus
from typing import Any, Final

import httptools
import msgspec

from services.platform.http.coalescing import CoalescingHttpToolsProtocol, CoalescingTransport
from services.platform.http.connections import ConnectionTable, Group, Reason, answer_probes_only
from services.platform.http.problems import PROBLEM_TYPE, Problem

#: Of each header field on the wire: the colon, a space, and the end of the line.
_AROUND_FIELD: Final = 4
_NEVER: Final = math.inf


class _RefusedError(Exception):
    """Ends the parsing of what has just been received."""


class GuardedProtocol(CoalescingHttpToolsProtocol):
    """One connection. The work for a request that arrives whole is a few comparisons; clocks are read only where a
    packet ends inside a request."""

    transport: CoalescingTransport  # type: ignore[assignment]

    def __init__(self, table: ConnectionTable, **given: Any) -> None:
        super().__init__(**given)
        self.groups: tuple[Group, ...] = ()
        self._table, self._limits = table, table.limits
        self._deadline = self._reader_deadline = _NEVER
        self._drained = 0
        self._ended = False
        #: Serves no request: new, idle, or the request is not complete.
        self._waiting = True
        self._in_body = self._completed = self._answered_early = self._measured = False
        #: Received of an incomplete head, or of trailers, so far; received of a body in this packet.
        self._head_bytes = self._body_bytes = 0
        self._refusal: tuple[Reason, Problem] | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._deadline = self._table.now() + self._limits.grace_s
        if not self._table.enter(self, self.client[0] if self.client else None):
            self._end()
            self.transport.abort()
        elif self._table.only_probes(self):
            self.app = answer_probes_only(self.app)

    def connection_lost(self, exc: Exception | None) -> None:
        self._table.left(self)
        super().connection_lost(exc)

    def shutdown(self) -> None:
        if self._ended:
            self.transport.abort()
        else:
            super().shutdown()

    def data_received(self, data: bytes) -> None:
        if self._ended:
            return
        self._unset_keepalive_if_required()
        self._measured = self._head_bytes + len(data) > self._limits.head_bytes
        self._completed = False
        self._body_bytes = 0
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Answered as any other request; what follows would be the other protocol.
            self._end_after_answers()
        except httptools.HttpParserError:
            self._on_parser_error()
        else:
            if self._in_body:
                self._pace_body(len(data))
            elif not self._completed:
                self._pace_head(len(data))
            if self._waiting:
                for group in self.groups:
                    group.waiting.move_to_end(self)

    def _pace_head(self, size: int) -> None:
        """The packet ended in a head that had begun in it or before, or held nothing but line ends."""
        self._head_bytes += size
        if self._head_bytes > self._limits.head_bytes:
            self._refuse("head_too_large", head_too_large(self._limits.head_bytes, self._limits.head_fields))
        elif self._waiting and self._deadline == _NEVER:
            self._deadline = self._table.now() + self._limits.grace_s

    def _pace_body(self, size: int) -> None:
        """The packet ended in a body, or in its trailers."""
        # A packet that holds nothing of the body is trailers, or stands beside the length of a chunk.
        self._head_bytes = 0 if self._body_bytes else self._head_bytes + size
        if self._head_bytes > self._limits.head_bytes:
            self._refuse("head_too_large", head_too_large(self._limits.head_bytes, self._limits.head_fields))
        elif self._deadline == _NEVER:
            self._deadline = self._table.now() + self._limits.grace_s
        elif not self._answered_early:
            self._deadline = self._later(self._deadline, self._body_bytes)

    def _later(self, deadline: float, received: int, grace_s: float | None = None) -> float:
        """Each byte extends the deadline at the lowest rate allowed, up to the grace from now."""
        most = self._table.now() + (self._limits.grace_s if grace_s is None else grace_s)
        return min(most, deadline + received / self._limits.bytes_per_s)

    # Called by the parser.

    def on_header(self, name: bytes, value: bytes) -> None:
        """As uvicorn's, which would add trailers to the headers of a request that is being answered."""
        if self._in_body:
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        limits = self._limits
        if len(self.headers) > limits.head_fields or (self._measured and self._head_size() > limits.head_bytes):
            self._refusal = ("head_too_large", head_too_large(limits.head_bytes, limits.head_fields))
            raise _RefusedError
        if len(self.pipeline) >= limits.pipelined:
            self._end_after_answers()
            self._table.on_end("pipelined")
            raise _RefusedError
        super().on_headers_complete()
        self._in_body = True
        self._answered_early = False
        self._head_bytes = 0
        self._deadline = _NEVER

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + _AROUND_FIELD for name, value in self.headers)

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_body = False
        self._completed = True
        self._head_bytes = 0
        if self.cycle.response_complete:
            # Answered before the body was complete; uvicorn's timer for the next request ended when more of it came.
            self._deadline = self._table.now() + self._limits.grace_s
            return
        self._deadline = _NEVER
        if self._waiting:
            self._waiting = False
            for group in self.groups:
                del group.waiting[self]

    def on_response_complete(self) -> None:
        more = bool(self.pipeline)
        super().on_response_complete()
        if more or self._ended or not self.cycle.keep_alive:
            return
        if not self._waiting:
            self._waiting = True
            for group in self.groups:
                group.waiting[self] = None
        if self._in_body:
            # The rest of the body is of no use: it may come, for so long.
            self._answered_early = True
            self._deadline = min(self._deadline, self._table.now() + self._limits.grace_s)
        elif self._head_bytes:
            self._deadline = self._table.now() + self._limits.grace_s

    # Called by the table.

    def give_way(self) -> None:
        self._end()
        self._table.unseat(self)
        self._table.on_end("gave_way")
        self._deadline = self._table.now() + self._limits.linger_s
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def check(self, now: float) -> None:
        if self._reader_is_slow(now):
            self._table.on_end("reader_slow")
            self._end()
            self.transport.abort()
        elif now < self._deadline:
            return
        elif self._ended:
            self.transport.abort()
        elif not self._in_body:
            self._on_slow_head()
        elif self.cycle.waiting_for_100_continue or self.flow.read_paused:
            # It is we who do not read.
            self._deadline = now + self._limits.grace_s
        else:
            self._refuse("body_slow", too_slow("body"))

    def _reader_is_slow(self, now: float) -> bool:
        waiting = self.transport.get_write_buffer_size()
        if not waiting:
            self._reader_deadline = _NEVER
            return False
        drained = self.transport.written - waiting - in_kernel(self.transport)
        if self._reader_deadline == _NEVER:
            self._reader_deadline = now + self._limits.reader_grace_s
        else:
            gained = drained - self._drained
            self._reader_deadline = self._later(self._reader_deadline, gained, self._limits.reader_grace_s)
        self._drained = drained
        return now >= self._reader_deadline

    # How it ends.

    def _on_slow_head(self) -> None:
        if self._head_bytes:
            self._refuse("head_slow", too_slow("head"))
        else:
            self._table.on_end("head_slow")
            self._end()
            self.transport.close()

    def _on_parser_error(self) -> None:
        if not self._ended:
            reason, problem = self._refusal or ("not_http", not_http())
            self._refuse(reason, problem)

    def _end(self) -> None:
        """Nothing that comes counts any more."""
        self._ended = True
        self._unset_keepalive_if_required()

    def _end_after_answers(self) -> None:
        self._ended = True
        self.cycle.keep_alive = False

    def _refuse(self, reason: Reason, problem: Problem) -> None:
        """Answer with ``problem`` where it is this request's turn and no answer has begun; then close."""
        self._table.on_end(reason)
        self._end()
        self._deadline = self._table.now() + self._limits.linger_s
        if not self._in_body:
            if self._waiting:
                self._close_with(problem)
            else:
                self._end_after_answers()
                self._deadline = _NEVER
        elif self.cycle.response_started or self.pipeline:
            self.transport.abort()
        else:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self._close_with(problem)

    def _close_with(self, problem: Problem) -> None:
        """The sender is read a little longer: closing at once would reset the connection, and it would not see why."""
        if self.transport.is_closing():
            return
        self.transport.write(self._encode(problem))
        self.transport.write_eof()
        self.flow.resume_reading()

    def _encode(self, problem: Problem) -> bytes:
        body = msgspec.json.encode(problem.body())
        fields = [
            *self.server_state.default_headers,
            (b"content-type", PROBLEM_TYPE.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        line = b"HTTP/1.1 %d %s\r\n" % (problem.status, HTTPStatus(problem.status).phrase.encode())
        return line + b"".join(name + b": " + value + b"\r\n" for name, value in fields) + b"\r\n" + body


def head_too_large(size: int, fields: int) -> Problem:
    return Problem(431, "Head too large", f"The head of a request has at most {size} bytes and {fields} fields.")


def not_http() -> Problem:
    return Problem(400, "Not valid", "The request is not valid HTTP.")


def too_slow(part: str) -> Problem:
    return Problem(408, "Too slow", f"The {part} of the request did not arrive in time.")


def in_kernel(transport: CoalescingTransport) -> int:
    """Bytes that the kernel holds for the other side; 0 where it does not say."""
    if sys.platform != "linux":
        return 0
    try:
        held = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
    except (OSError, AttributeError):
        return 0
    return int(struct.unpack("i", held)[0])
