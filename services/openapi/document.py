"""One OpenAPI 3.1 document for every service, made from what :func:`services.platform.http.describe.describe` attached.

The structs that validate a request are the ones that describe it, so the two cannot disagree.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from services.openapi.answers import Schemas, answers_of, content_of, refusals_of
from services.openapi.examples import BODIES
from services.openapi.operations import Operation, find_refusals
from services.openapi.parameters import header_parameters, path_parameters, query_parameters
from services.openapi.texts import ABOUT, TAGS
from services.platform.http.problems import FieldError
from services.platform.http.reply import JSON_TYPE

REF: Final = "#/components/schemas/{name}"


class ProblemDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error, as RFC 9457 shapes it. ``errors`` names every offending field."""

    type: str
    title: str
    status: int
    detail: str = ""
    errors: tuple[FieldError, ...] = ()


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
            "responses": refusals_of({s for o in operations for s in find_refusals(o)}, schemas[ProblemDocument]),
        },
    }
    return plain(document)


def plain(document: dict[str, Any]) -> dict[str, Any]:
    """As JSON has it: msgspec leaves defaults in a schema as Python has them, tuples included."""
    return msgspec.json.decode(msgspec.json.encode(document), type=dict[str, Any])


def _schemas(operations: Sequence[Operation]) -> tuple[Schemas, dict[str, Any]]:
    """The schema of each type that an operation names, and the components that they refer to."""
    types: list[Any] = [ProblemDocument]
    for operation in operations:
        described = operation.described
        items = None if described.lists is None else described.lists.items
        named = [described.body, items, *(one for answer in described.answers.values() for one in _each(answer))]
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
        "parameters": path_parameters(operation) + query_parameters(described) + header_parameters(described),
        "responses": answers_of(operation, schemas),
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
        return content_of({"type": "object"}, described.body, example)
    shown = JSON_TYPE if JSON_TYPE in described.body_types else described.body_types[0]
    content: dict[str, Any] = {}
    for kind in described.body_types:
        content |= content_of(schemas[described.body], kind, example if kind == shown else None)
    return content
