"""Query parameters that no operation has are refused and named, by every route of every service."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from schemas.examples import REPORT
from services.app import BUILDERS, Assembly, assemble
from services.openapi.operations import Operation, find_operations
from services.platform.http.query import parameters_of
from services.platform.settings.config import embedded_url, read_settings
from tests.component.assembled import end
from tests.scenario import OPERATOR_KEY, bearer

#: The query parameters of the list of incidents.
INCIDENT_QUERY = (
    "detail, from, to, verdict, truce, area, party, act, min_severity, min_certainty, bbox, state, external_id, "
    "q, order, limit, after"
)


@pytest.fixture
async def assembly(tmp_path: Path) -> AsyncIterator[Assembly]:
    environ = {"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY}
    made = await assemble(
        read_settings(environ, database_url=embedded_url(tmp_path), host="127.0.0.1", port=0), tuple(BUILDERS)
    )
    yield made
    await end(made)


@pytest.fixture
async def client(assembly: Assembly) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(assembly.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://edge", headers=bearer()) as client:
        yield client


def operations(assembly: Assembly) -> list[Operation]:
    found = find_operations([service.router for service in assembly.services])
    assert len(found) > 40
    return found


async def test_every_operation_refuses_a_parameter_that_it_does_not_have(
    assembly: Assembly, client: httpx.AsyncClient
) -> None:
    for operation in operations(assembly):
        path = operation.path.replace("{", "").replace("}", "")
        answer = await client.request(operation.method, f"{path}?no_such=1")
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json"), operation
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/no_such"]


async def test_every_parameter_that_is_described_is_taken(assembly: Assembly, client: httpx.AsyncClient) -> None:
    for operation in operations(assembly):
        path = operation.path.replace("{", "").replace("}", "")
        for name in parameters_of(operation.described):
            # The value opens no stream.
            answer = await client.request(operation.method, f"{path}?{name}=!")
            assert "not a parameter" not in answer.text, (operation, name)


@pytest.mark.parametrize(
    ("query", "pointer", "detail"),
    [
        ("limti=5", "/limti", "not a parameter of this request; did you mean limit?"),
        ("externalid=x", "/externalid", "not a parameter of this request; did you mean external_id?"),
        ("zzz", "/zzz", f"not a parameter of this request, which has {INCIDENT_QUERY}"),
        ("a%2Fb=1", "/a~1b", f"not a parameter of this request, which has {INCIDENT_QUERY}"),
        ("limit=1&limit=2", "/limit", "sent twice"),
    ],
)
async def test_the_nearest_parameter_is_named(client: httpx.AsyncClient, query: str, pointer: str, detail: str) -> None:
    answer = await client.get(f"/v1/incidents?{query}")
    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"pointer": pointer, "detail": detail}]


async def test_a_report_with_a_query_is_refused_as_everywhere_else(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/incidents?dry_run=true", json=REPORT)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["detail"] == "not a parameter of this request, which has none"
    assert (await client.get("/v1/incidents")).json()["items"] == []


async def test_names_that_are_sent_back_are_bounded(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/incidents?" + "&".join(f"{'x' * 300}{n}=1" for n in range(100)))
    assert answer.status_code == 400
    assert len(answer.content) < 10_000


async def test_pages_take_whatever_comes(client: httpx.AsyncClient) -> None:
    assert (await client.get("/?from=somewhere", follow_redirects=True)).status_code == 200


@pytest.mark.parametrize("path", ["/v1/alerts/feed.atom?language=xx", "/v1/lookup?id=", "/v1/lookup?id=" + "x" * 500])
async def test_bad_values_of_parameters_are_400(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


@pytest.mark.parametrize("position", ["[" * 1000, "[" * 5000 + "]" * 5000, "W1tbW1tbW1tb", "W" * 30_000, "%"])
async def test_a_last_event_id_of_nested_brackets_is_400(client: httpx.AsyncClient, position: str) -> None:
    answer = await client.get("/v1/alerts/stream", headers={"last-event-id": position})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
