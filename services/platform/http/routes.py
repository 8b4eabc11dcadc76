"""Routes that enforce their declarations: the query, the key and its role are checked before the handler runs."""

from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from services.platform.http.access import check, read_authorization
from services.platform.http.describe import Described, UndescribedError, described_of
from services.platform.http.language import choose_language, tell_language
from services.platform.http.query import refuse_unknown_parameters
from services.platform.security.keys import Principal


class Route(APIRoute):
    """A route of ours. Raises UndescribedError when it is made of an endpoint without a declaration."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle, described = super().get_route_handler(), described_of(self.endpoint)

        async def serve(request: Request) -> Response:
            refuse_unknown_parameters(request, described)
            if described.roles is not None:
                request.scope["principal"] = await authorize(request, described)
            if described.worded:
                choose_language(request)
            response = await handle(request)
            tell_language(request, response)
            return response

        return serve


def make_router(*tags: str) -> APIRouter:
    """A router of such routes."""
    return APIRouter(route_class=Route, tags=list(tags))


def add_routes(router: APIRouter, others: Iterable[APIRouter]) -> None:
    """The routes of other routers too, as they are. After ``include_router`` the framework analyses each anew, which
    takes as long as making it."""
    for other in others:
        router.routes.extend(other.routes)


def join_routers(routers: Iterable[APIRouter]) -> APIRouter:
    """One router with the routes of all."""
    joined = make_router()
    add_routes(joined, routers)
    return joined


async def authorize(request: Request, described: Described) -> Principal:
    """The principal that may make the request. Raises Problem 401, 403."""
    if described.admit is not None:
        admitted: Principal | None = await described.admit(request)
        if admitted is not None:
            return admitted
    return check(request.app.state.keys, read_authorization(request.scope["headers"]), described.roles or ())


def principal_of(request: Request) -> Principal:
    """The principal that the route's declaration let in; a route that needs no key has none."""
    found: Principal = request.scope["principal"]
    return found


@dataclass(frozen=True, slots=True)
class HotRoute:
    """A route in bare ASGI, put in front of the framework's route of the same method, path and declaration.

    The framework costs more than the work. ``wrap`` puts it there; it enforces ``described`` by itself.
    """

    method: str
    path: str
    described: Described
    wrap: Callable[[ASGIApp], ASGIApp]


def find_routes(routers: Iterable[APIRouter]) -> Iterator[APIRoute]:
    """Every route, those of included routers too. Raises UndescribedError for one that enforces no declaration."""
    for router in routers:
        for route in router.routes:
            inner = getattr(route, "original_router", None)
            if inner is not None:
                yield from find_routes([inner])
            elif isinstance(route, Route):
                yield route
            else:
                raise UndescribedError(f"{getattr(route, 'path', route)} enforces no declaration")


def refuse_undeclared(routers: Sequence[APIRouter], hot: Iterable[HotRoute]) -> None:
    """Raises UndescribedError for a route, hot ones included, that could be used without what its declaration says."""
    declared = [
        (m, route.path, described_of(route.endpoint)) for route in find_routes(routers) for m in route.methods or ()
    ]
    for one in hot:
        if not any((one.method, one.path) == (m, path) and one.described is d for m, path, d in declared):
            raise UndescribedError(f"the hot route {one.method} {one.path} has no declared route behind it")
