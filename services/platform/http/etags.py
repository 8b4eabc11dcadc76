"""Entity tags: every document and list has one, so that a repeated request can be answered by 304.

Source: the contract, "Keys and roles"; RFC 9110, 8.8.3, 13.1.2 and 15.4.5.
"""

import asyncio
import hashlib
import re
from contextlib import suppress
from typing import Any, Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.platform.http.problems import Problem

#: Asked by machines that keep nothing.
PROBES: Final = frozenset({"/livez", "/readyz", "/metrics"})
#: Longer bodies are hashed off the event loop.
AT_ONCE_BYTES: Final = 256 * 1024
#: Headers that a 304 may have (RFC 9110, 15.4.5); the rest is about a body that is not sent.
_KEPT: Final = frozenset({b"cache-control", b"content-location", b"date", b"etag", b"expires", b"vary"})
_TAGS: Final = re.compile(r'[ \t,]*(?:(\*|(?:W/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?:,[ \t,]*|$))*')
_TAG: Final = re.compile(r'\*|(?:W/)?"[^"]*"')
MAX_TAGS: Final = 1000


def tag_of(body: bytes) -> str:
    """16 hex digits that name a body."""
    return hashlib.blake2b(body, digest_size=8).hexdigest()


def read_tags(value: str) -> list[str]:
    """The entity tags of an If-Match or If-None-Match header, as they stand (RFC 9110, 13.1). Raises Problem 400."""
    if len(value) > MAX_TAGS or _TAGS.fullmatch(value) is None or not (tags := _TAG.findall(value)):
        raise Problem(400, "Not valid", 'If-Match and If-None-Match hold entity tags: "3", or a list of them.')
    return tags


def tag_documents(app: ASGIApp) -> ASGIApp:
    """``app``, whose whole answers to GET have an ``ETag``, and are ``304`` where ``If-None-Match`` names it. What is
    streamed, or is not to be stored, has none."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] in PROBES:
            await app(scope, receive, send)
            return
        await app(scope, receive, _Tagging(send, read_known(scope)).send)

    return serve


def read_known(scope: Scope) -> list[str]:
    """The tags that If-None-Match names, as weak comparison takes them; none where it is not a list of tags: sending
    the whole answer is always correct."""
    given = [value for name, value in scope["headers"] if name == b"if-none-match"]
    with suppress(Problem):
        return [tag.removeprefix("W/") for tag in read_tags(b",".join(given).decode("latin-1"))] if given else []
    return []


def expect_match(request: Request, body: bytes) -> None:
    """Raises Problem 412 where If-Match names other documents than ``body``, which is how this one is read now; 400 for
    what is not a list of tags. A weak tag names none (RFC 9110, 13.1.1)."""
    given = request.headers.getlist("if-match")
    if not given:
        return
    tag, tags = f'"{tag_of(body)}"', read_tags(",".join(given))
    if tag not in tags and "*" not in tags:
        raise Problem(412, "Precondition failed", "It changed since: read it again.", headers={"etag": tag})


class _Tagging:
    """Delays the head until the first part of the body shows whether it is the whole."""

    def __init__(self, send: Send, known: list[str]) -> None:
        self._send, self._known = send, known
        self._head: Message | None = None
        self._unchanged = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200 and not _is_passing(message):
            self._head = message
            return
        if self._head is None:
            if not self._unchanged:
                await self._send(message)
            return
        head, self._head = self._head, None
        whole = message["type"] == "http.response.body" and not message.get("more_body", False)
        tag = _find(head) or (await _make(message.get("body", b"")) if whole else None)
        if whole and tag is not None and (tag in self._known or "*" in self._known):
            self._unchanged = True
            await self._send(_not_modified(head, tag))
            await self._send({"type": "http.response.body", "body": b""})
            return
        await self._send(head if tag is None else _tagged(head, tag))
        await self._send(message)


async def _make(body: bytes) -> str:
    return f'"{tag_of(body) if len(body) <= AT_ONCE_BYTES else await asyncio.to_thread(tag_of, body)}"'


def _is_passing(head: Message) -> bool:
    """Whether the answer is of this moment only, and not to be stored."""
    return any(name.lower() == b"cache-control" and b"no-store" in value for name, value in head["headers"])


def _find(head: Message) -> str | None:
    return next((value.decode("latin-1") for name, value in head["headers"] if name.lower() == b"etag"), None)


def _tagged(head: Message, tag: str) -> Message:
    headers: list[Any] = [pair for pair in head["headers"] if pair[0].lower() != b"etag"]
    return {**head, "headers": [*headers, (b"etag", tag.encode("latin-1"))]}


def _not_modified(head: Message, tag: str) -> Message:
    tagged = _tagged(head, tag)
    return {**tagged, "status": 304, "headers": [pair for pair in tagged["headers"] if pair[0].lower() in _KEPT]}
