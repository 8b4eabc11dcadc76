"""The parameters of an operation: in the path, in the query, in the headers."""

from typing import Any, Final

from schemas.vocabulary import LANGUAGES
from services.ingest.facets import GROUPS
from services.ingest.tallies import PERIODS
from services.openapi.examples import PARAMETERS
from services.openapi.operations import Operation
from services.platform.http.describe import Described
from services.platform.http.language import PARAMETER
from services.platform.http.lists import MAX_PAGE, PAGE, Listing

#: Query parameters that are no text of any kind.
SCHEMAS_OF_QUERY: Final[dict[str, dict[str, Any]]] = {
    **{name: {"type": "boolean", "default": False} for name in ("dry_run", "allow_unknown")},
    "detail": {"type": "string", "enum": ["full"]},
    "by": {"type": "string", "enum": list(PERIODS), "default": PERIODS[0]},
    "group": {"type": "string", "enum": list(GROUPS), "default": GROUPS[0]},
}
_LANGUAGE: Final = {"type": "string", "enum": list(LANGUAGES)}
_ABOUT_IF_MATCH: Final = "The `ETag` of what the change was made from; 412 where that has changed since."
_ABOUT_LANGUAGE: Final = "The language of the sentences; without it, `Accept-Language` decides, else it is English."


def path_parameters(operation: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string"},
            "example": _parameter_example(operation.path, name),
        }
        for name in operation.parameters
    ]


def _parameter_example(path: str, name: str) -> str:
    """By the collection that the parameter follows in the path, else by its own name."""
    collection = path.split("{" + name + "}")[0].rstrip("/").rsplit("/", 1)[-1]
    return PARAMETERS.get(collection) or PARAMETERS.get(name, "a1b2c3d4")


def query_parameters(described: Described) -> list[dict[str, Any]]:
    query: dict[str, tuple[str, dict[str, Any]]] = {
        name: (text, SCHEMAS_OF_QUERY.get(name, {"type": "string"})) for name, text in described.query.items()
    }
    if described.lists is not None:
        query |= _list_parameters(described.lists)
    if described.worded:
        query[PARAMETER] = (_ABOUT_LANGUAGE, _LANGUAGE)
    return [
        {"name": name, "in": "query", "required": False, "description": text, "schema": schema}
        for name, (text, schema) in query.items()
    ]


def _list_parameters(listing: Listing) -> dict[str, tuple[str, dict[str, Any]]]:
    """The query parameters of a list, by name: description and schema."""
    text: dict[str, Any] = {"type": "string"}
    times = f"{listing.times[:1].upper()}{listing.times[1:]}" if listing.times else ""
    known: dict[str, tuple[str, dict[str, Any]]] = {
        "from": (f"{times}: from here on (RFC 3339, or a local time of the registry's zone).", text),
        "to": (f"{times}: before this.", text),
        "order": (
            "The order; a leading `-` is descending.",
            {"type": "string", "enum": list(listing.orders), "default": listing.orders[0]},
        ),
        "limit": (
            "How many items at most.",
            {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": PAGE},
        ),
        "after": ("The `next` of the page before.", text),
    }
    for name, one in listing.filters.items():
        items = text | ({"enum": list(one.values)} if one.values else {})
        known[name] = (f"{one.text} May be repeated: one of them.", {"type": "array", "items": items})
    return {name: known[name] for name in listing.parameters}


def header_parameters(described: Described) -> list[dict[str, Any]]:
    conditions = {"If-Match": _ABOUT_IF_MATCH} if 412 in {*described.problems, *described.answers} else {}
    return [
        {"name": name, "in": "header", "required": False, "description": text, "schema": {"type": "string"}}
        for name, text in (conditions | described.headers).items()
    ]
