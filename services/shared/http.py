"""What every HTTP API of ours has in common: problems (RFC 9457), bodies, replies, lists, who asks.

Wire models are msgspec structs, validated once, here. The OpenAPI file is generated from the same structs, which
:func:`describe` attaches to each endpoint.
"""

import asyncio
import base64
import codecs
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Final, TypeVar

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.vocabulary import Role
from services.shared.bodies import MAX_DEPTH, MAX_RATIO, UnpackedTooLargeError, is_too_deep, unpack
from services.shared.failures import RetryLaterError
from services.shared.security import KeyRing, Principal

T = TypeVar("T")

MAX_BODY: Final = 1024 * 1024
PAGE: Final = 100
MAX_PAGE: Final = 1000
MAX_DIGITS: Final = 20
#: A cursor of ours is far shorter; nothing longer is decoded.
MAX_CURSOR: Final = 2000
#: Errors that one answer lists, and characters of their pointers and details in all.
MAX_ERRORS: Final = 100
MAX_ERROR_TEXT: Final = 64 * 1024
#: Longer bodies are unpacked off the event loop.
_UNPACKED_AT_ONCE: Final = 64 * 1024
PROBLEM_TYPE: Final = "application/problem+json"
JSON_TYPE: Final = "application/json"

_encode = msgspec.json.Encoder().encode


class FieldError(msgspec.Struct, frozen=True):
    """One offending field: a JSON pointer (RFC 6901) into the body, and what is wrong with it."""

    pointer: str
    detail: str
    line: int | msgspec.UnsetType = msgspec.UNSET


class Problem(Exception):  # noqa: N818 - the word of RFC 9457
    """An answer that is an error, as RFC 9457 shapes it. ``errors`` names every offending field; ``type`` is a kind
    of ours, where a client may want to tell it from others, and ``more`` what it needs to know then."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str = "",
        errors: Sequence[FieldError] = (),
        headers: dict[str, str] | None = None,
        *,
        type: str = "about:blank",
        more: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        super().__init__(f"{status} {title}: {detail}")
        self.status, self.title, self.detail = status, title, detail
        self.type, self.more = type, more
        self.errors, self.headers = tuple(errors), headers or {}

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"type": self.type, "title": self.title, "status": self.status}
        listed = first_errors(self.errors)
        detail = self.detail
        if len(listed) < len(self.errors):
            detail = f"{detail} Of all errors the first {len(listed)} are listed.".lstrip()
        if detail:
            body["detail"] = detail
        if listed:
            body["errors"] = listed
        return {**body, **self.more}

    def response(self) -> Response:
        return Response(_encode(self.body()), self.status, self.headers, PROBLEM_TYPE)


def first_errors(errors: Sequence[FieldError]) -> Sequence[FieldError]:
    """As many errors as one answer lists: MAX_ERRORS, and fewer where long keys make their pointers long."""
    kept, length = 0, 0
    for error in errors[:MAX_ERRORS]:
        length += len(error.pointer) + len(error.detail)
        if kept and length > MAX_ERROR_TEXT:
            break
        kept += 1
    return errors[:kept]


def away(why: str) -> Problem:
    """What the process cannot do now: come back later."""
    return Problem(503, "Not available now", why, headers={"retry-after": "5"})


def unforeseen() -> Problem:
    """The answer to whatever nobody foresaw; it tells nothing of our insides."""
    return Problem(500, "Failed", "This is our fault, and has been logged.")


class Page(msgspec.Struct, frozen=True):
    """One page of a list. ``next`` is the cursor to come back with as ``after``; null where there is no more."""

    items: list[Any]
    next: str | None
    has_more: bool


def reply(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer, encoded once and not validated again."""
    return Response(_encode(value), status, headers, JSON_TYPE)


async def read_body(request: Request, limit: int = MAX_BODY) -> bytes:
    """The whole body, unpacked, without its byte order mark. Raises Problem 413 as soon as it is longer than ``limit``
    bytes, whatever it announced; 415 for an encoding other than gzip, 400 where it is not gzip as it says."""
    encoding = read_encoding(request.scope["headers"])
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and (len(announced) > MAX_DIGITS or int(announced) > limit):
        raise too_large(limit)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise too_large(limit)
        parts.append(part)
    return without_mark(await unpacked(b"".join(parts), encoding, limit))


def read_encoding(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """``gzip``, or nothing. Raises Problem 415 for any other Content-Encoding."""
    given = b",".join(value for name, value in headers if name == b"content-encoding").decode("latin-1")
    codings = [coding for part in given.split(",") if (coding := part.strip().lower()) not in ("", "identity")]
    if not codings:
        return ""
    if codings not in (["gzip"], ["x-gzip"]):
        raise Problem(
            415,
            "Content encoding not supported",
            "Send the body as it is, or packed once with gzip.",
            headers={"accept-encoding": "gzip"},
        )
    return "gzip"


async def unpacked(body: bytes, encoding: str, limit: int) -> bytes:
    """The body without its Content-Encoding. Raises Problem 413 where it is too large unpacked, 400 for no gzip."""
    if not encoding:
        return body
    try:
        if len(body) <= _UNPACKED_AT_ONCE and limit <= MAX_BODY:
            return unpack(body, limit)
        return await asyncio.to_thread(unpack, body, limit)
    except UnpackedTooLargeError:
        raise Problem(
            413,
            "Content too large",
            f"Unpacked, a body may be at most {limit} bytes, and beyond 1 MiB at most {MAX_RATIO} times as large as "
            "it was packed.",
        ) from None
    except ValueError as error:
        raise Problem(400, "Not gzip", f"The body is not gzip: {error}.") from None


def without_mark(body: bytes) -> bytes:
    """The body without the byte order mark that some clients write before JSON (RFC 8259, 8.1 lets it be ignored)."""
    return body.removeprefix(codecs.BOM_UTF8)


def too_large(limit: int) -> Problem:
    return Problem(413, "Content too large", f"The body may be at most {limit} bytes.")


def refuse_deep(body: bytes) -> None:
    """Raises Problem 400 for JSON that nests deeper than MAX_DEPTH, before anything decodes it."""
    if is_too_deep(body):
        raise Problem(400, "Nested too deeply", f"JSON may nest at most {MAX_DEPTH} deep.")


def parse_json(body: bytes) -> Any:
    """Raises Problem 400 for what is not JSON in UTF-8 (NaN and broken text included), or nests too deeply."""
    refuse_deep(body)
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, "Not JSON", f"The body is no JSON in UTF-8: {error}") from error


def parse(body: bytes, model: type[T]) -> T:
    """``body`` as ``model``. Raises Problem 400 for no JSON, 422 with a pointer to every offending field."""
    refuse_deep(body)
    try:
        return msgspec.json.decode(body, type=model)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        from services.shared.validation import find_errors, first_error, is_crowded

        if isinstance(error, msgspec.ValidationError) and is_crowded(body):
            raise Problem(422, "Not valid", errors=[first_error(error)]) from None
        raw = parse_json(body)
        raise Problem(422, "Not valid", errors=find_errors(raw, model)) from None


def who(request: Request, *roles: Role) -> Principal:
    """The principal of a request's key. Raises Problem 401 without a valid key, 403 where its role may not."""
    return check(request.app.state.keys, read_authorization(request.scope["headers"]), roles)


def read_authorization(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The one Authorization header. Raises Problem 400 for several: whoever stands before us may read another one."""
    found = [value for name, value in headers if name == b"authorization"]
    if len(found) > 1:
        raise Problem(400, "Not valid", "Send one Authorization header.")
    return found[0].decode("latin-1") if found else None


def read_bearer(authorization: str | None) -> str | None:
    """The key that an Authorization header shows; None where it shows none."""
    scheme, _, secret = (authorization or "").partition(" ")
    return (secret.strip() or None) if scheme.lower() == "bearer" else None


def check(keys: KeyRing, authorization: str | None, roles: Sequence[Role] = ()) -> Principal:
    """Raises Problem 401 or 403. No roles: every key may."""
    secret = read_bearer(authorization)
    principal = None if secret is None else keys.find(secret)
    if principal is None:
        raise Problem(
            401,
            "Key needed",
            "Send a valid key: Authorization: Bearer <key>.",
            headers={"www-authenticate": "Bearer"},
        )
    if roles and principal.role not in roles and principal.role != "operator":
        raise Problem(403, "Not allowed", f"This needs the role {' or '.join(roles)}.")
    return principal


_TAGS: Final = re.compile(r'[ \t,]*(?:(\*|(?:W/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?:,[ \t,]*|$))*')
_TAG: Final = re.compile(r'\*|(?:W/)?"[^"]*"')
MAX_TAGS: Final = 1000


def read_tags(value: str) -> list[str]:
    """The entity tags of an If-Match or If-None-Match header, as they stand (RFC 9110, 13.1). Raises Problem 400."""
    if len(value) > MAX_TAGS or _TAGS.fullmatch(value) is None or not (tags := _TAG.findall(value)):
        raise Problem(400, "Not valid", 'If-Match and If-None-Match hold entity tags: "3", or a list of them.')
    return tags


def page_size(request: Request) -> int:
    """``limit`` of a list request. Raises Problem 400 outside 1 to 1,000."""
    text = request.query_params.get("limit")
    if text is None:
        return PAGE
    # The length comes first: Python refuses to read thousands of digits as a number.
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS and 1 <= int(text) <= MAX_PAGE):
        raise Problem(400, "Not valid", errors=[FieldError("/limit", f"a whole number from 1 to {MAX_PAGE}")])
    return int(text)


def encode_cursor(*key: str | int) -> str:
    """An opaque cursor of the last item's sort key."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def decode_cursor(request: Request, *types: type) -> tuple[Any, ...] | None:
    """The sort key in ``after``, or None. Raises Problem 400 for a cursor that we did not make."""
    return read_cursor(request.query_params.get("after"), *types)


def read_cursor(text: str | None, *types: type) -> tuple[Any, ...] | None:
    """The sort key that a cursor holds, None where there is none. Raises Problem 400 for one that we did not make."""
    if not text:
        return None
    try:
        if len(text) > MAX_CURSOR:
            raise ValueError("longer than any cursor of ours")
        key = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        key = None
    if not isinstance(key, list) or [type(part) for part in key] != list(types) or not all(map(_storable, key)):
        raise Problem(400, "Not valid", errors=[FieldError("/after", "not a cursor of this list")])
    return tuple(key)


def _storable(part: Any) -> bool:
    """Whether a database takes it: a cursor that we did not make may hold anything."""
    return "\0" not in part and part.isprintable() if isinstance(part, str) else -(2**63) <= part < 2**63


def make_page(items: Sequence[T], limit: int, key: Callable[[T], tuple[str | int, ...]]) -> Page:
    """A page from up to ``limit + 1`` items."""
    kept = list(items[:limit])
    more = len(items) > limit
    return Page(kept, encode_cursor(*key(kept[-1])) if more else None, more)


class Described(msgspec.Struct, frozen=True):
    """What the OpenAPI file says of one operation beyond its path; :mod:`services.openapi` reads it.

    ``body`` and the values of ``answers`` (by status) are structs, ``None`` (no body) or a media type as text for what
    is no JSON; an answer may be a tuple of the structs that it is one of. ``example`` is a request body, or where there
    is none an answer, that the tests check. ``query`` maps each query parameter to its description, ``headers`` each
    header. ``roles`` empty: every key; None: no key needed. ``problems`` are statuses of problems beyond those that
    follow from the rest (no key, no such thing, a body that is not valid).
    """

    summary: str
    body: Any = None
    body_types: tuple[str, ...] = (JSON_TYPE,)
    answers: dict[int, Any] = {}
    example: Any = None
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    roles: tuple[Role, ...] | None = ()
    problems: tuple[int, ...] = ()


def describe(summary: str, **rest: Any) -> Callable[[T], T]:
    """Attach a :class:`Described` to an endpoint function (the outermost decorator but the route's)."""

    def attach(endpoint: T) -> T:
        endpoint.described = Described(summary, **rest)  # type: ignore[attr-defined]
        return endpoint

    return attach


def install_problems(app: FastAPI) -> None:
    """Every error that leaves ``app`` is a problem document; none is a page, and none tells of our insides."""

    async def on_problem(_request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return error.response()

    async def on_http(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return Problem(error.status_code, error.detail, headers=dict(error.headers or {})).response()

    async def on_invalid(_request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        errors = [FieldError("/" + "/".join(str(p) for p in e["loc"][1:]), e["msg"]) for e in error.errors()]
        return Problem(422, "Not valid", errors=errors).response()

    async def on_cut(_request: Request, _error: Exception) -> Response:
        """The client went in the middle of its body, or was too slow: nobody reads this."""
        return Response(status_code=408)

    async def on_away(_request: Request, error: Exception) -> Response:
        return away(str(error)).response()

    async def on_unforeseen(_request: Request, _error: Exception) -> Response:
        return unforeseen().response()

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(Exception, on_unforeseen)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(RetryLaterError, on_away)
    app.add_exception_handler(ClientDisconnect, on_cut)


def answer_heads(app: ASGIApp) -> ASGIApp:
    """``app``, which then answers HEAD wherever it answers GET: the same headers, and nothing after them."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            head = _Head(send)
            await app({**scope, "method": "GET"}, head.receive, head.send)
        else:
            await app(scope, receive, send)

    return serve


def refuse_nul(app: ASGIApp) -> ASGIApp:
    """``app`` behind a guard against the one character that no name of ours holds and that PostgreSQL refuses."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and ("\0" in scope["path"] or b"%00" in scope["query_string"]):
            problem = Problem(400, "Not valid", "The address holds a NUL character.")
            await problem.response()(scope, receive, send)
        else:
            await app(scope, receive, send)

    return serve


def answer_when_cut(app: ASGIApp) -> ASGIApp:
    """``app``, whose requests that a stopping process does not finish are answered: see :func:`answer_cut`."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except asyncio.CancelledError:
            await answer_cut(scope, receive, send)

    return serve


async def answer_cut(scope: Scope, receive: Receive, send: Send) -> None:
    """Whoever asked is told to come back, once his request was cancelled; what he asked for may be done all the same.

    The server cancels nothing but what it cuts when it ends, and looks at that task no more. A stream just ends.
    """
    with suppress(RuntimeError):
        await away("the process is stopping").response()(scope, receive, send)


class _Head:
    """To the app, a client that hangs up once it has the headers: a stream must not run on for nobody."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._asked = False
        self._started = asyncio.Event()

    async def receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._started.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._send(message)
            await self._send({"type": "http.response.body", "body": b""})
            self._started.set()
