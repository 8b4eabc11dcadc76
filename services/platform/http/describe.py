"""The declaration of a route: who may use it, what it takes, what it answers.

:mod:`services.platform.http.routes` enforces it, :mod:`services.openapi` publishes it.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from schemas.vocabulary import Role
from services.platform.http.lists import Listing, Page
from services.platform.http.reply import JSON_TYPE

T = TypeVar("T")


class Described(msgspec.Struct, frozen=True):
    """One operation beyond its path.

    ``roles`` may use it, and operators; empty: every key; None: no key needed. ``admit`` is another way in beside a
    key: it takes the request and returns a principal, or None where the request shows nothing of the kind.
    ``body`` and the values of ``answers`` (by status) are structs, ``None`` (no body) or a media type as text for what
    is no JSON; an answer may be a tuple of the structs that it is one of. ``example`` is a request body, or where there
    is none an answer, that the tests check. ``query`` maps each query parameter to its description, ``headers`` each
    header. ``problems`` are statuses of problems beyond those that follow from the rest (no key, no such thing, a body
    that is not valid). ``lists``: the answer is a page of such a list. A page that is no part of the API is not
    ``published``, and takes any query. A ``worded`` answer holds words, in the language that
    :mod:`services.platform.http.language` chooses. ``also``: media types of the first answer that ``Accept`` may
    choose in place of JSON.
    """

    summary: str
    body: Any = None
    body_types: tuple[str, ...] = (JSON_TYPE,)
    answers: dict[int, Any] = {}
    example: Any = None
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    roles: tuple[Role, ...] | None = ()
    admit: Any = None
    problems: tuple[int, ...] = ()
    lists: Listing | None = None
    published: bool = True
    worded: bool = False
    also: tuple[str, ...] = ()


class UndescribedError(ValueError):
    """A route has no declaration, so that nothing says who may use it."""


def describe(summary: str, **rest: Any) -> Callable[[T], T]:
    """Declare an endpoint (the outermost decorator but the route's)."""
    if rest.get("lists") is not None:
        rest["answers"] = {200: Page, **rest.get("answers", {})}
    return describe_as(Described(summary, **rest))


def describe_as(described: Described) -> Callable[[T], T]:
    """Declare an endpoint by a declaration that stands elsewhere too."""

    def attach(endpoint: T) -> T:
        endpoint.described = described  # type: ignore[attr-defined]
        return endpoint

    return attach


def described_of(endpoint: Any) -> Described:
    """Raises UndescribedError."""
    found = getattr(endpoint, "described", None)
    if not isinstance(found, Described):
        raise UndescribedError(f"{getattr(endpoint, '__name__', endpoint)} has no declaration")
    return found
