"""The answers of an operation, and the problems that many share."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from services.openapi.examples import ANSWERS
from services.openapi.operations import Operation, find_refusals
from services.openapi.texts import ABOUT_REFUSALS
from services.platform.http.lists import Page as ListPage
from services.platform.http.problems import PROBLEM_TYPE
from services.platform.http.reply import JSON_TYPE

#: The schema of each type that an operation names.
Schemas = dict[Any, dict[str, Any]]


def answers_of(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    answers: dict[Any, Any] = dict(operation.described.answers)
    items = None if operation.described.lists is None else operation.described.lists.items
    first = next(iter(answers))
    made: dict[str, Any] = {}
    for status, answer in answers.items():
        if answer == PROBLEM_TYPE:
            continue
        example = _example(operation) if status == first else None
        content = _answer_content(answer, items, schemas, example)
        if content and status == first:
            content |= {kind: {"schema": _schema_of(kind)} for kind in operation.described.also}
        made[str(status)] = {"description": HTTPStatus(status).phrase} | ({"content": content} if content else {})
    refused = find_refusals(operation) - {int(status) for status in made}
    return made | {str(status): {"$ref": f"#/components/responses/{_named(status)}"} for status in sorted(refused)}


def _schema_of(kind: str) -> dict[str, Any]:
    return {"type": "object" if kind.endswith("json") else "string"}


def _named(status: int) -> str:
    """``NotFound`` for 404."""
    return HTTPStatus(status).phrase.title().replace(" ", "").replace("-", "")


def refusals_of(statuses: Iterable[int], problem: dict[str, Any]) -> dict[str, Any]:
    """The components that :func:`answers_of` refers to."""
    found = {}
    for status in sorted(statuses):
        text = ABOUT_REFUSALS.get(status, HTTPStatus(status).phrase + ".")
        found[_named(status)] = {"description": text} | (
            {} if status == HTTPStatus.NOT_MODIFIED else {"content": content_of(problem, PROBLEM_TYPE)}
        )
    return found


def _answer_content(answer: Any, items: Any, schemas: Schemas, example: Any) -> dict[str, Any] | None:
    """The content of one answer: a struct, one of several, a list of them, a media type as text, or none at all."""
    if isinstance(answer, str):
        return content_of({"type": "string"}, answer, example)
    if isinstance(answer, tuple):
        return content_of({"anyOf": [schemas[one] for one in answer]}, JSON_TYPE, example)
    if answer is ListPage:
        return content_of(_page(schemas.get(items)), JSON_TYPE, example)
    if answer is not None:
        return content_of(schemas[answer], JSON_TYPE, example)
    return None if example is None else content_of({"type": "object"}, JSON_TYPE, example)


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


def content_of(schema: dict[str, Any], kind: str, example: Any = None) -> dict[str, Any]:
    return {kind: {"schema": schema} | ({} if example is None else {"example": example})}
