"""Problems: answers that are errors, as RFC 9457 shapes them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import msgspec
from starlette.responses import Response

#: Errors that one answer lists, and characters of their pointers and details in all.
MAX_ERRORS: Final = 100
MAX_ERROR_TEXT: Final = 64 * 1024
PROBLEM_TYPE: Final = "application/problem+json"
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
        headers = {"content-language": "en", **self.headers}
        return Response(_encode(self.body()), self.status, headers, PROBLEM_TYPE)


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
    """503 with Retry-After."""
    return Problem(503, "Not available now", why, headers={"retry-after": "5"})


def unforeseen() -> Problem:
    """The answer to an unforeseen error; it shows no internals."""
    return Problem(500, "Failed", "This is our fault, and has been logged.")


def pointer_to(parent: str, key: str | int) -> str:
    """The JSON pointer (RFC 6901) of a member."""
    return f"{parent}/{str(key).replace('~', '~0').replace('/', '~1')}"
