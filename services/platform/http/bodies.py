"""Request bodies, read and parsed. Wire models are msgspec structs, validated once, here."""

import asyncio
import codecs
from collections.abc import Iterable
from typing import Any, Final, TypeVar

import msgspec
from starlette.requests import Request

from services.platform.http.problems import Problem
from services.platform.http.raw_body import MAX_DEPTH, MAX_RATIO, UnpackedTooLargeError, is_too_deep, unpack
from services.platform.http.validation import find_errors, first_error, is_crowded

T = TypeVar("T")
MAX_BODY: Final = 1024 * 1024
MAX_DIGITS: Final = 20
#: Longer bodies are unpacked off the event loop.
_UNPACKED_AT_ONCE: Final = 64 * 1024


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
    """The body without its Content-Encoding. Raises Problem 413 if it is too large unpacked, 400 if it is not gzip."""
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
        raise Problem(400, "Not JSON", f"The body is not valid UTF-8 JSON: {error}") from error


def parse(body: bytes, model: type[T]) -> T:
    """``body`` as ``model``. Raises Problem 400 for what is not JSON, 422 with a pointer to every offending field."""
    refuse_deep(body)
    try:
        return msgspec.json.decode(body, type=model)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if isinstance(error, msgspec.ValidationError) and is_crowded(body):
            raise Problem(422, "Not valid", errors=[first_error(error)]) from None
        raw = parse_json(body)
        raise Problem(422, "Not valid", errors=find_errors(raw, model)) from None
