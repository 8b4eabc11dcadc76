"""The mechanism of all lists: their declaration, their query parameters, their pages and cursors."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from starlette.requests import Request

from schemas.instants import parse_instant
from schemas.local_time import read_moment
from services.platform.http.problems import FieldError, Problem, pointer_to
from services.platform.paging import PageQuery

T = TypeVar("T")

PAGE: Final = 100
MAX_PAGE: Final = 1000
#: Leading zeros included: Python refuses to read thousands of digits as a number.
_MAX_LIMIT_DIGITS: Final = 20
#: A cursor of ours is far shorter; nothing longer is decoded.
MAX_CURSOR: Final = 2000
#: Values of one filter.
MAX_VALUES: Final = 100


class Page(msgspec.Struct, frozen=True):
    """One page of a list. ``next`` is the cursor to come back with as ``after``; null where there is no more."""

    items: list[Any]
    next: str | None
    has_more: bool


class ListFilter(msgspec.Struct, frozen=True):
    """A filter in words, and the values that it takes; no values: any text that ``check`` does not raise ValueError
    for."""

    text: str
    values: tuple[str, ...] = ()
    check: Callable[[str], object] | None = None


class Listing(msgspec.Struct, frozen=True):
    """The declaration of a list: the type of its items, its orders, its times, its filters.

    The first order is the one that is taken unless another is asked for; ``-created`` is descending. ``key`` has the
    types of the sort key, or gives them for a query; None: the list reads its cursors itself. ``times``: which times
    ``from`` and ``to`` are about; empty where the list takes neither. ``paged``: it comes in pages.
    """

    items: Any
    orders: tuple[str, ...]
    key: tuple[type, ...] | Callable[[PageQuery], tuple[type, ...]] | None
    times: str = ""
    filters: dict[str, ListFilter] = {}
    paged: bool = True

    @property
    def parameters(self) -> list[str]:
        times = ("from", "to") if self.times else ()
        order = ("order",) if len(self.orders) > 1 else ()
        return [*times, *self.filters, *order, *(("limit", "after") if self.paged else ())]


def read_list(request: Request, listing: Listing) -> PageQuery:
    """The page that a request asks for. Raises Problem 400 with every bad parameter."""
    given, errors = request.query_params, list[FieldError]()
    order = given.get("order") or listing.orders[0]
    if order not in listing.orders:
        errors.append(FieldError("/order", f"must be one of: {', '.join(listing.orders)}"))
    chosen = _read_filters(request, listing.filters, errors)
    local = getattr(request.app.state, "local_time", None) if "app" in request.scope else None
    query = PageQuery(
        by=order.removeprefix("-"),
        descending=order.startswith("-"),
        limit=_read_limit(given.get("limit"), errors),
        start=read_time(given.get("from"), "from", None if local is None else local.zone, errors),
        end=read_time(given.get("to"), "to", None if local is None else local.zone, errors),
        chosen=chosen,
    )
    if errors:
        raise Problem(400, "Not valid", errors=errors)
    if listing.key is None:
        return query
    types = listing.key if isinstance(listing.key, tuple) else listing.key(query)
    after = read_cursor(given.get("after"), str, *types)
    if after is not None and after[0] != query.order:
        raise Problem(400, "Not valid", errors=[FieldError("/after", "a cursor of this list in another order")])
    return query if after is None else replace(query, after=after[1:])


def read_time(text: str | None, name: str, zone: ZoneInfo | None, errors: list[FieldError]) -> int | None:
    """The instant in a query parameter: RFC 3339, or a local time of the registry's ``zone`` where that is known."""
    if not text:
        return None
    # An unescaped + of an offset arrives as a space.
    text = text.replace(" ", "+")
    try:
        return parse_instant(text) if zone is None else read_moment(text, zone)
    except ValueError as error:
        errors.append(FieldError(f"/{name}", "an RFC 3339 time with an offset" if zone is None else str(error)))
        return None


def make_page(
    query: PageQuery,
    items: Sequence[T],
    key: Callable[[T], tuple[str | int, ...]],
    view: Callable[[T], Any] = lambda item: item,
) -> Page:
    """A page from up to ``limit + 1`` items, each shown by ``view``."""
    kept, more = items[: query.limit], len(items) > query.limit
    return Page([view(item) for item in kept], cursor_after(query, key(kept[-1])) if more else None, more)


def cursor_after(query: PageQuery, key: tuple[str | int, ...]) -> str:
    """The cursor that goes on after the item with this sort key."""
    return encode_cursor(query.order, *key)


def encode_cursor(*parts: str | int) -> str:
    """An opaque cursor."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def read_cursor(text: str | None, *types: type) -> tuple[Any, ...] | None:
    """The parts of a cursor, None where there is none. Raises Problem 400 for one that we did not make."""
    if not text:
        return None
    try:
        if len(text) > MAX_CURSOR:
            raise ValueError("longer than any cursor of ours")
        parts = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        parts = None
    if not isinstance(parts, list) or [type(part) for part in parts] != list(types) or not all(map(_storable, parts)):
        raise Problem(400, "Not valid", errors=[FieldError("/after", "not a cursor of this list")])
    return tuple(parts)


def _storable(part: Any) -> bool:
    """Whether a database takes it: a cursor that we did not make may hold anything."""
    return "\0" not in part and part.isprintable() if isinstance(part, str) else -(2**63) <= part < 2**63


def _read_limit(text: str | None, errors: list[FieldError]) -> int:
    if text is None:
        return PAGE
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_LIMIT_DIGITS and 1 <= int(text) <= MAX_PAGE):
        errors.append(FieldError("/limit", f"a whole number from 1 to {MAX_PAGE}"))
        return PAGE
    return int(text)


def _read_filters(
    request: Request, filters: Mapping[str, ListFilter], errors: list[FieldError]
) -> Mapping[str, tuple[str, ...]]:
    chosen: dict[str, tuple[str, ...]] = {}
    for name, one in filters.items():
        values = tuple(dict.fromkeys(value for value in request.query_params.getlist(name) if value))
        if len(values) > MAX_VALUES:
            errors.append(FieldError(pointer_to("", name), f"at most {MAX_VALUES} values"))
        elif one.values and any(value not in one.values for value in values):
            errors.append(FieldError(pointer_to("", name), f"must be one of: {', '.join(one.values)}"))
        elif fault := _find_fault(one, values):
            errors.append(FieldError(pointer_to("", name), fault))
        elif values:
            chosen[name] = values
    return chosen


def _find_fault(one: ListFilter, values: tuple[str, ...]) -> str | None:
    if one.check is None:
        return None
    try:
        for value in values:
            one.check(value)
    except ValueError as error:
        return str(error)
    return None
