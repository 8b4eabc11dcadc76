"""One OpenAPI 3.1 document for every service, made from what :func:`services.shared.http.describe` attached.

The structs that validate a request are the ones that describe it, so the two cannot disagree.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import msgspec
from fastapi import APIRouter
from fastapi.routing import APIRoute

from services.openapi.examples import ANSWERS, BODIES, PARAMETERS
from services.shared.http import JSON_TYPE, MAX_PAGE, PAGE, PROBLEM_TYPE, Described, FieldError
from services.shared.http import Page as ListPage

REF: Final = "#/components/schemas/{name}"
_PARAMETER: Final = re.compile(r"\{(\w+)(?::\w+)?\}")

ABOUT: Final = """\
Reports of incidents in, judged against the truces in force at their time and place; alerts out to whoever asked.

Errors are problem documents (RFC 9457) with a JSON pointer to each offending field. Lists are
`{"items", "next", "has_more"}`; come back with `after=<next>`. Times are RFC 3339.

A body is at most 1 MiB (a batch 16 MiB, a registry 32 MiB), counted as unpacked where it comes with
`Content-Encoding: gzip`, and nests at most 50 deep. An answer lists the first 100 errors. An
area has at most 20,000 points and all areas 1,000,000; a party is in at most 100 coalitions.

A query parameter that an operation does not have, or that is sent twice, is `400`, and named.
"""
TAGS: Final = {
    "incidents": "Reports as partners post them.",
    "assessments": "What was decided on each report, and why.",
    "registry": "What reports are judged by: truces, parties, areas, places.",
    "alerts": "What subscribers are told.",
    "subscriptions": "Who is told, of what, how and when.",
    "operators": "Keys, audit, dead letters, status, probes.",
}
#: Query parameters that are no text of any kind.
SCHEMAS_OF_QUERY: Final[dict[str, dict[str, Any]]] = {
    name: {"type": "boolean", "default": False} for name in ("dry_run", "allow_unknown")
}
#: Each status that many operations share, in words.
ABOUT_REFUSALS: Final = {
    304: "Nothing changed since the version that `If-None-Match` names.",
    400: "The request cannot be read: its query, its headers, its body.",
    401: "There is no valid key.",
    403: "The key's role may not do this.",
    404: "There is no such thing, or not for this key.",
    408: "The request was sent too slowly; the connection is closed.",
    409: "What stands does not allow it now.",
    410: "It was there once: a position of a log that was replaced, for one; `errors` and `detail` say where to begin.",
    412: "`If-Match` or `If-None-Match` does not fit what stands.",
    413: "The body is too large, or would be once it is unpacked.",
    415: "The media type or the content encoding of the body is not read here.",
    422: "The body can be read, and is not valid; `errors` says where.",
    429: "Too often; `Retry-After` says when it may be asked again.",
    431: "The head of the request is too large; the connection is closed.",
    500: "This is our fault, and has been logged.",
    503: "Not now, for want of the database or the log, or since the process is stopping; `Retry-After` says when.",
}
#: The tag of an operation by the first part of its path after the version.
TAG_OF: Final = {
    "incidents": "incidents", "assessments": "assessments", "evaluate": "assessments", "registry": "registry",
    "parties": "registry", "presence": "registry", "areas": "registry", "places": "registry", "truces": "registry",
    "alerts": "alerts", "silences": "alerts", "feed-tokens": "alerts", "lookup": "alerts",
    "subscriptions": "subscriptions", "confirm": "subscriptions", "unsubscribe": "subscriptions",
    "block": "subscriptions", "mail-blocks": "subscriptions",
}  # fmt: skip


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error, as RFC 9457 shapes it. ``errors`` names every offending field."""

    type: str
    title: str
    status: int
    detail: str = ""
    errors: tuple[FieldError, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API; ``name`` is unique."""

    method: str
    path: str
    name: str
    described: Described

    @property
    def parameters(self) -> list[str]:
        return _PARAMETER.findall(self.path)

    @property
    def tag(self) -> str:
        parts = [part for part in self.path.split("/") if part]
        if self.path.endswith("/assessments"):
            return "assessments"
        return TAG_OF.get(parts[1], "operators") if len(parts) > 1 and parts[0] == "v1" else "operators"


class UndescribedError(ValueError):
    """A route that is part of the published API tells nothing of itself."""


def find_operations(routers: Iterable[APIRouter]) -> list[Operation]:
    """Every published operation, by path. Raises UndescribedError for one without a description."""
    found = [operation for router in routers for operation in _walk(router)]
    return sorted(found, key=lambda operation: (operation.path, operation.method))


def _walk(router: APIRouter) -> Iterator[Operation]:
    for route in router.routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from _walk(inner)
        elif isinstance(route, APIRoute) and route.include_in_schema:
            described = getattr(route.endpoint, "described", None)
            if not isinstance(described, Described):
                raise UndescribedError(f"{sorted(route.methods or ())} {route.path}")
            path = _PARAMETER.sub(r"{\1}", route.path)
            for method in sorted(route.methods or ()):
                yield Operation(method.lower(), path, _name(method, path), described)


def _name(method: str, path: str) -> str:
    """``get_incidents_by_incident_id``: stable, whatever the function behind it is called."""
    words = [f"by_{part[1:-1]}" if part.startswith("{") else part for part in path.split("/") if part not in ("", "v1")]
    return re.sub(r"\W", "_", "_".join([method.lower(), *words]))


def build_document(operations: Sequence[Operation], version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    schemas, components = _schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, schemas)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Trucewatch",
            "version": version,
            "summary": "Ceasefire violation alerting.",
            "description": ABOUT,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key: `Authorization: Bearer <key>`."}
            },
            "responses": _refusals({s for o in operations for s in find_refusals(o)}, schemas[Problem]),
        },
    }
    return plain(document)


def plain(document: dict[str, Any]) -> dict[str, Any]:
    """As JSON has it: msgspec leaves defaults in a schema as Python has them, tuples included."""
    return msgspec.json.decode(msgspec.json.encode(document), type=dict[str, Any])


Schemas = dict[Any, dict[str, Any]]


def _schemas(operations: Sequence[Operation]) -> tuple[Schemas, dict[str, Any]]:
    """The schema of each type that an operation names, and the components that they refer to."""
    types: list[Any] = [Problem]
    for operation in operations:
        answers = operation.described.answers.values()
        named = [operation.described.body, *(one for answer in answers for one in _each(answer))]
        types += [one for one in named if one is not None and not isinstance(one, str) and one not in types]
    schemas, components = msgspec.json.schema_components(types, ref_template=REF)
    return dict(zip(types, schemas, strict=True)), components


def _each(answer: Any) -> tuple[Any, ...]:
    return answer if isinstance(answer, tuple) else (answer,)


def _operation(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    described = operation.described
    made: dict[str, Any] = {
        "operationId": operation.name,
        "summary": described.summary,
        "tags": [operation.tag],
        "parameters": _path_parameters(operation) + _query_parameters(described) + _header_parameters(described),
        "responses": _answers(operation, schemas),
    }
    if described.roles is None:
        made["security"] = []
    else:
        made["description"] = (
            f"For {', '.join(dict.fromkeys((*described.roles, 'operator')))}." if described.roles else "For every key."
        )
    if described.body is not None:
        made["requestBody"] = {"required": True, "content": _request(operation, schemas)}
    return made


def _request(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    """The body that an operation takes, in each of its media types; the example stands at the JSON one."""
    described = operation.described
    example = described.example if described.example is not None else BODIES.get((operation.method, operation.path))
    if isinstance(described.body, str):
        return _content({"type": "object"}, described.body, example)
    shown = JSON_TYPE if JSON_TYPE in described.body_types else described.body_types[0]
    content: dict[str, Any] = {}
    for kind in described.body_types:
        content |= _content(schemas[described.body], kind, example if kind == shown else None)
    return content


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
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


def _query_parameters(described: Described) -> list[dict[str, Any]]:
    query: dict[str, tuple[str, dict[str, Any]]] = {
        name: (text, SCHEMAS_OF_QUERY.get(name, {"type": "string"})) for name, text in described.query.items()
    }
    if ListPage in described.answers.values():
        limit = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": PAGE}
        query["limit"] = ("How many items at most.", limit)
        query["after"] = ("The `next` of the page before.", {"type": "string"})
    return [
        {"name": name, "in": "query", "required": False, "description": text, "schema": schema}
        for name, (text, schema) in query.items()
    ]


def _header_parameters(described: Described) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "header", "required": False, "description": text, "schema": {"type": "string"}}
        for name, text in described.headers.items()
    ]


def _answers(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    answers: dict[Any, Any] = dict(operation.described.answers)
    items = answers.pop("items", None)
    first = next(iter(answers))
    made: dict[str, Any] = {}
    for status, answer in answers.items():
        if answer == PROBLEM_TYPE:
            continue
        example = _example(operation) if status == first else None
        content = _answer_content(answer, items, schemas, example)
        made[str(status)] = {"description": HTTPStatus(status).phrase} | ({"content": content} if content else {})
    refused = find_refusals(operation) - {int(status) for status in made}
    return made | {str(status): {"$ref": f"#/components/responses/{_named(status)}"} for status in sorted(refused)}


def find_refusals(operation: Operation) -> set[int]:
    """The statuses of the problems that an operation may answer with, and 304, by what it takes and who may ask."""
    described = operation.described
    found = {400, 408, 431, 500, 503, *described.problems}
    found |= {status for status, answer in described.answers.items() if answer == PROBLEM_TYPE}
    if described.roles is not None:
        # Wrong keys of one address are answered so once there were many.
        found |= {401, 429}
    if described.roles:
        found.add(403)
    if operation.parameters:
        found.add(404)
    if described.body is not None:
        found |= {413, 415, 422}
    if operation.path.startswith("/v1/subscriptions/{id}") and operation.method != "get":
        # A subscription that has ended, or is not of the kind, cannot do everything.
        found.add(409)
    if operation.method == "get" and operation.path.startswith("/v1/"):
        found.add(304)
    return found


def _named(status: int) -> str:
    """``NotFound`` for 404."""
    return HTTPStatus(status).phrase.title().replace(" ", "").replace("-", "")


def _refusals(statuses: Iterable[int], problem: dict[str, Any]) -> dict[str, Any]:
    """The components that :func:`_answers` refers to."""
    found = {}
    for status in sorted(statuses):
        text = ABOUT_REFUSALS.get(status, HTTPStatus(status).phrase + ".")
        found[_named(status)] = {"description": text} | (
            {} if status == HTTPStatus.NOT_MODIFIED else {"content": _content(problem, PROBLEM_TYPE)}
        )
    return found


def _answer_content(answer: Any, items: Any, schemas: Schemas, example: Any) -> dict[str, Any] | None:
    """The content of one answer: a struct, one of several, a list of them, a media type as text, or none at all."""
    if isinstance(answer, str):
        return _content({"type": "string"}, answer, example)
    if isinstance(answer, tuple):
        return _content({"anyOf": [schemas[one] for one in answer]}, JSON_TYPE, example)
    if answer is ListPage:
        return _content(_page(schemas.get(items)), JSON_TYPE, example)
    if answer is not None:
        return _content(schemas[answer], JSON_TYPE, example)
    return None if example is None else _content({"type": "object"}, JSON_TYPE, example)


def _example(operation: Operation) -> Any:
    """The example of the first answer: the one of our table, else the operation's own where it takes no body."""
    known = ANSWERS.get((operation.method, operation.path))
    return known if known is not None or operation.described.body is not None else operation.described.example


def _page(items: dict[str, Any] | None) -> dict[str, Any]:
    """The schema of a list whose items have a schema."""
    return {
        "type": "object",
        "required": ["items", "next", "has_more"],
        "properties": {
            "items": {"type": "array", "items": items or {}},
            "next": {"type": ["string", "null"], "description": "The cursor to come back with as `after`."},
            "has_more": {"type": "boolean"},
        },
    }


def _content(schema: dict[str, Any], kind: str, example: Any = None) -> dict[str, Any]:
    return {kind: {"schema": schema} | ({} if example is None else {"example": example})}
