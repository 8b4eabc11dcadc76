"""The operations of the API, and the problems that each may answer with."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter
from fastapi.routing import APIRoute

from services.openapi.texts import TAG_OF
from services.platform.http.describe import Described, described_of
from services.platform.http.problems import PROBLEM_TYPE
from services.platform.http.routes import find_routes

_PARAMETER: Final = re.compile(r"\{(\w+)(?::\w+)?\}")


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
        return TAG_OF.get(parts[1] if len(parts) > 1 and parts[0] == "v1" else parts[0], "operators")


def find_operations(routers: Iterable[APIRouter]) -> list[Operation]:
    """Every published operation, by path. Raises UndescribedError for one without a description."""
    found = [operation for route in find_routes(routers) for operation in _operations(route)]
    return sorted(found, key=lambda operation: (operation.path, operation.method))


def _operations(route: APIRoute) -> Iterator[Operation]:
    described = described_of(route.endpoint)
    path = _PARAMETER.sub(r"{\1}", route.path)
    for method in sorted((described.published and route.methods) or ()):
        yield Operation(method.lower(), path, _name(method, path), described)


def _name(method: str, path: str) -> str:
    """``get_incidents_by_incident_id``: stable, whatever the function behind it is called."""
    words = [f"by_{part[1:-1]}" if part.startswith("{") else part for part in path.split("/") if part not in ("", "v1")]
    return re.sub(r"\W", "_", "_".join([method.lower(), *words]))


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
