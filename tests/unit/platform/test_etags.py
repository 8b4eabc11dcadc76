"""Every document and list has an entity tag, and what did not change is not sent again."""

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from services.platform.http.etags import tag_documents


def serving(answer: Response) -> httpx.AsyncClient:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()
        await answer(scope, receive, send)

    tagged: ASGIApp = tag_documents(app)
    return httpx.AsyncClient(transport=httpx.ASGITransport(tagged), base_url="http://api")


async def test_the_tag_follows_the_body_and_the_same_body_is_not_sent_again() -> None:
    first = await serving(Response(b"[1]", headers={"cache-control": "private"})).get("/v1/things")
    tag = first.headers["etag"]
    assert (first.status_code, first.content, tag[0]) == (200, b"[1]", '"')
    again = await serving(Response(b"[1]", headers={"cache-control": "private"})).get(
        "/v1/things", headers={"if-none-match": f'"x", W/{tag}'}
    )
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert again.headers["cache-control"] == "private"
    assert "content-type" not in again.headers
    changed = await serving(Response(b"[2]")).get("/v1/things", headers={"if-none-match": tag})
    assert (changed.status_code, changed.content) == (200, b"[2]")
    assert changed.headers["etag"] != tag


async def test_a_tag_of_its_own_stays() -> None:
    found = await serving(Response(b"x", headers={"etag": '"3-a"'})).get("/v1/things")
    assert found.headers.get_list("etag") == ['"3-a"']
    same = await serving(Response(b"x", headers={"etag": '"3-a"'})).get("/v1/x", headers={"if-none-match": '"3-a"'})
    assert same.status_code == 304


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        ("POST", "/v1/things", Response(b"x")),
        ("GET", "/v1/things", Response(b"x", 404)),
        ("GET", "/metrics", Response(b"x")),
        ("GET", "/v1/stream", StreamingResponse(iter([b"a", b"b"]))),
    ],
)
async def test_what_is_no_document_passes_as_it_is(method: str, path: str, answer: Response) -> None:
    found = await serving(answer).request(method, path, headers={"if-none-match": "*"})
    assert found.status_code == answer.status_code
    assert "etag" not in found.headers
    assert found.content in (b"x", b"ab")


async def test_a_list_of_tags_that_is_none_names_none() -> None:
    found = await serving(Response(b"x")).get("/v1/x", headers={"if-none-match": "x"})
    assert (found.status_code, found.content) == (200, b"x")
