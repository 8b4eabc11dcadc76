"""Answers compressed by gzip where the client accepts it, each with an entity tag of its own.

A compressed answer is another representation, so a strong tag must differ (RFC 9110, 8.8.3.3): ``"x"`` becomes
``"x-gzip"``. It is removed from the conditions of requests, so that no handler sees it.
"""

import asyncio
import zlib
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.platform.http.accept import read_weights

#: Smaller answers gain nothing; larger ones are compressed off the event loop.
MIN_BYTES: Final = 1024
AT_ONCE_BYTES: Final = 64 * 1024
SUFFIX: Final = b"-gzip"
_LEVEL: Final = 6
#: Large, repetitive and read over slow lines: 7 % less for 10 ms.
_MAP_LEVEL: Final = 8
_MAP: Final = (b"content-type", b"application/geo+json")
_GZIP: Final = 16 + zlib.MAX_WBITS
_TYPES: Final = frozenset({b"image/svg+xml", b"application/javascript"})
_ENDINGS: Final = (b"json", b"xml", b"yaml")
_TAGS_IN: Final = frozenset({b"if-match", b"if-none-match"})


def compress_answers(app: ASGIApp) -> ASGIApp:
    """``app``, whose answers to GET are compressed; event streams and what is packed already are not."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        accepted = scope["method"] == "GET" and accepts_gzip(scope["headers"])
        headers = [(name, _without_suffix(name, value, accepted)) for name, value in scope["headers"]]
        known = b",".join(value for name, value in scope["headers"] if name == b"if-none-match")
        inner = {**scope, "headers": headers}
        await app(inner, receive, _Compressing(send, accepted, known).send if scope["method"] == "GET" else send)

    return serve


def accepts_gzip(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether Accept-Encoding takes gzip; without it an answer stays as it is."""
    given = b",".join(value for name, value in headers if name == b"accept-encoding")
    if not given:
        return False
    weights = read_weights(given.decode("latin-1"))
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0))) > 0


def is_compressible(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether an answer with these headers is text, not encoded yet, that Cache-Control allows to transform."""
    given = {name.lower(): value.lower() for name, value in headers}
    kind = given.get(b"content-type", b"").partition(b";")[0].strip()
    text = kind.startswith(b"text/") or kind in _TYPES or kind.endswith(_ENDINGS)
    untouched = b"content-encoding" not in given and b"no-transform" not in given.get(b"cache-control", b"")
    return text and kind != b"text/event-stream" and untouched


class _Compressing:
    """Holds the head back until the first part of the body says whether it is worth it."""

    def __init__(self, send: Send, accepted: bool, known: bytes) -> None:
        self._send, self._accepted, self._known = send, accepted, known
        self._head: Message | None = None
        self._packer: zlib._Compress | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif self._head is not None:
            head, self._head = self._head, None
            await self._send_first(head, message)
        elif self._packer is not None:
            await self._send_part(self._packer, message)
        else:
            await self._send(message)

    async def _begin(self, head: Message) -> None:
        if head["status"] == 200 and is_compressible(head["headers"]):
            head = {**head, "headers": _varying(head["headers"])}
            if self._accepted:
                self._head = head
                return
        elif head["status"] == 304 and self._accepted:
            tag = _tag_in(head)
            if tag is not None and _suffixed(tag) in self._known:
                head = _retagged(head)
        await self._send(head)

    async def _send_first(self, head: Message, message: Message) -> None:
        body, more = message.get("body", b""), message.get("more_body", False)
        if not more and len(body) < MIN_BYTES:
            await self._send(head)
            await self._send(message)
            return
        level = _MAP_LEVEL if _MAP in head["headers"] else _LEVEL
        packer = zlib.compressobj(level, zlib.DEFLATED, _GZIP)
        if more:
            await self._send(_packed(head, None))
            self._packer = packer
            await self._send_part(packer, message)
            return
        packed = await _pack(packer, body, last=True)
        await self._send(_packed(head, len(packed)))
        await self._send({**message, "body": packed})

    async def _send_part(self, packer: "zlib._Compress", message: Message) -> None:
        more = message.get("more_body", False)
        packed = await _pack(packer, message.get("body", b""), last=not more)
        if packed or not more:
            await self._send({**message, "body": packed})


async def _pack(packer: "zlib._Compress", part: bytes, *, last: bool) -> bytes:
    def pack() -> bytes:
        return packer.compress(part) + (packer.flush() if last else b"")

    return pack() if len(part) <= AT_ONCE_BYTES else await asyncio.to_thread(pack)


def _packed(head: Message, length: int | None) -> Message:
    """The head of a packed answer; ``length`` None: as long as it turns out."""
    kept = [(name, value) for name, value in _retagged(head)["headers"] if name.lower() != b"content-length"]
    sized = [] if length is None else [(b"content-length", b"%d" % length)]
    return {**head, "headers": [*kept, *sized, (b"content-encoding", b"gzip")]}


def _tag_in(head: Message) -> bytes | None:
    return next((value for name, value in head["headers"] if name.lower() == b"etag"), None)


def _retagged(head: Message) -> Message:
    headers = [(name, _suffixed(value) if name.lower() == b"etag" else value) for name, value in head["headers"]]
    return {**head, "headers": headers}


def _suffixed(tag: bytes) -> bytes:
    return tag if tag.startswith(b"W/") else tag[:-1] + SUFFIX + b'"'


def _without_suffix(name: bytes, value: bytes, accepted: bool) -> bytes:
    """A compressed answer that the client kept is of no use to it where it takes none any more; a change is of the
    thing itself, in whatever form it was read."""
    if name not in _TAGS_IN or (name == b"if-none-match" and not accepted):
        return value
    return value.replace(SUFFIX + b'"', b'"')


def _varying(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers with Accept-Encoding in Vary."""
    named = [value for name, value in headers if name.lower() == b"vary"]
    kept = [(name, value) for name, value in headers if name.lower() != b"vary"]
    return [*kept, (b"vary", b", ".join([*named, b"accept-encoding"]))]
