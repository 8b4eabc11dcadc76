"""Every route of the assembled app is open to the roles of its declaration, and to nobody else."""

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, get_args

import httpx
import pytest
from fastapi import APIRouter
from starlette.types import ASGIApp

from schemas.events import KeyChanged
from schemas.vocabulary import Role
from services.app import BUILDERS, Assembly, assemble
from services.console.api import status_router
from services.openapi.operations import find_operations
from services.platform.http.describe import Described, UndescribedError, describe, described_of
from services.platform.http.lists import Page
from services.platform.http.routes import HotRoute, find_routes, make_router, refuse_undeclared
from services.platform.metrics import probes_router
from services.platform.security.keys import hash_secret
from services.platform.settings.config import embedded_url, read_settings
from tests.component.assembled import end
from tests.scenario import OPERATOR_KEY

ROLES: Final[Sequence[Role]] = get_args(Role)


@pytest.fixture
async def assembly(tmp_path: Path) -> AsyncIterator[Assembly]:
    environ = {"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY}
    made = await assemble(
        read_settings(environ, database_url=embedded_url(tmp_path), host="127.0.0.1", port=0), tuple(BUILDERS)
    )
    for role in ROLES:
        made.runtime.keys.apply(KeyChanged(role, role, role, hash_secret(f"tw_{role}"), "2016-01-01T00:00:00Z"))
    yield made
    await end(made)


async def ask(
    asgi: ASGIApp, method: str, path: str, role: str | None, more: Mapping[str, str] = MappingProxyType({})
) -> httpx.Response:
    headers = dict(more) if role is None else {"authorization": f"Bearer tw_{role}", **more}
    # A stream that is let in is refused for this cursor, and so ends.
    headers["last-event-id"] = "%"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(asgi), base_url="http://edge", headers=headers) as api:
        return await api.request(method, path.replace("{", "").replace("}", ""))


def declared(assembly: Assembly) -> list[tuple[str, str, Described]]:
    """Method, path and declaration of every operation of the services, the hot routes' included."""
    found = find_operations([service.router for service in assembly.services])
    return [(operation.method.upper(), operation.path, operation.described) for operation in found]


async def test_a_request_without_a_key_is_refused_wherever_one_is_needed(assembly: Assembly) -> None:
    for method, path, described in declared(assembly):
        answer = await ask(assembly.asgi, method, path, None)
        assert (answer.status_code == 401) == (described.roles is not None), (method, path)


@pytest.mark.parametrize("role", ROLES)
async def test_a_key_is_let_in_where_the_declaration_names_its_role(assembly: Assembly, role: Role) -> None:
    for method, path, described in declared(assembly):
        allowed = not described.roles or role in (*described.roles, "operator")
        answer = await ask(assembly.asgi, method, path, role)
        assert (answer.status_code == 403) == (not allowed), (method, path, answer.text)
        assert answer.status_code != 401, (method, path)


async def test_a_hot_route_enforces_the_declaration_that_is_published(assembly: Assembly) -> None:
    hot = [route for service in assembly.services for route in service.hot]
    assert [(route.method, route.path) for route in hot] == [("POST", "/v1/incidents")]
    for route in hot:
        assert (route.method, route.path, route.described) in declared(assembly)


def test_a_route_without_a_declaration_cannot_be_made() -> None:
    router = make_router()
    with pytest.raises(UndescribedError, match="forgotten"):

        @router.get("/v1/forgotten")
        async def forgotten() -> None: ...


def test_a_route_that_enforces_nothing_cannot_be_served() -> None:
    router, outer = APIRouter(), make_router()

    @router.get("/v1/open")
    @describe("Declared, on a router that enforces nothing", answers={200: None})
    async def opened() -> None: ...

    outer.include_router(router)
    with pytest.raises(UndescribedError, match="/v1/open"):
        refuse_undeclared([outer], [])


def test_a_hot_route_without_the_same_declaration_behind_it_cannot_be_served() -> None:
    router, described = make_router(), Described("One")

    @router.post("/v1/hot")
    @describe("One")
    async def hot() -> None: ...

    with pytest.raises(UndescribedError, match="/v1/hot"):
        refuse_undeclared([router], [HotRoute("POST", "/v1/hot", described, lambda app: app)])
    same = described_of(next(iter(find_routes([router]))).endpoint)
    refuse_undeclared([router], [HotRoute("POST", "/v1/hot", same, lambda app: app)])


async def test_every_list_is_read_by_one_mechanism_in_each_of_its_orders(assembly: Assembly) -> None:
    lists = [
        (path, described.lists)
        for _, path, described in declared(assembly)
        if described.lists and described.lists.paged
    ]
    assert {path for path, _ in lists} >= {
        "/v1/incidents", "/v1/assessments", "/v1/incidents/{incident_id}/assessments", "/v1/alerts",
        "/v1/subscriptions", "/v1/subscriptions/{id}/deliveries", "/v1/silences", "/v1/keys", "/v1/audit",
        "/v1/dead-letters", "/v1/mail-blocks", "/v1/feed-tokens", "/v1/parties", "/v1/presence", "/v1/areas",
        "/v1/places", "/v1/truces", "/v1/registry/history", "/v1/reassessments", "/v1/review", "/v1/adapters",
    }  # fmt: skip
    for path, listing in lists:
        if path == "/v1/subscriptions/{id}/deliveries" or path.endswith("/{id}/history"):
            continue  # There is none to ask about.
        times = ["from=2016-05-08&to=2016-05-09T00:00:00Z"] if listing.times else [""]
        orders = [f"order={order}" for order in listing.orders] if len(listing.orders) > 1 else [""]
        for query in ("&".join(("limit=5", *times, order)) for order in orders):
            answer = await ask(assembly.asgi, "GET", f"{path}?{query}", "operator")
            assert answer.status_code == 200, (path, query, answer.text)
            assert answer.json().keys() == {"items", "next", "has_more"}


async def test_a_list_is_no_answer_of_a_shape_of_its_own(assembly: Assembly) -> None:
    for _, path, described in declared(assembly):
        paged = described.lists is not None and described.lists.paged
        assert (described.answers.get(200) is Page) == paged, path


async def test_every_document_has_a_tag_and_is_not_sent_again(assembly: Assembly) -> None:
    paths = [path for method, path, _ in declared(assembly) if method == "GET" and "{" not in path]
    paths += ["/openapi.json", "/docs", "/docs/swagger-ui.css", "/console/icon.svg"]
    tagged = 0
    for path in paths:
        first = await ask(assembly.asgi, "GET", path, "operator")
        if first.status_code != 200 or "no-store" in first.headers.get("cache-control", ""):
            continue
        again = await ask(assembly.asgi, "GET", path, "operator", {"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b""), path
        tagged += 1
    assert tagged > 20


async def test_long_documents_are_compressed(assembly: Assembly) -> None:
    answer = await ask(assembly.asgi, "GET", "/openapi.json", None)
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) < len(answer.content) / 4


async def test_the_pages_of_the_console_and_the_probes_need_no_key(assembly: Assembly) -> None:
    async def ready() -> Sequence[str]:
        return ()

    async def status() -> Any:
        raise AssertionError("not asked")

    runtime = assembly.runtime
    routers = [probes_router(runtime.metrics, ready), status_router(status, runtime.clock)]
    assert {described_of(route.endpoint).roles for route in find_routes(routers)} == {None}
