"""Answers are compressed where the client accepts it, and tags, conditions and lengths agree with what is sent."""

import gzip
from collections.abc import Sequence
from typing import Final

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from services.platform.http.accept import read_weights
from services.platform.http.compression import AT_ONCE_BYTES, MIN_BYTES, accepts_gzip, compress_answers
from services.platform.http.etags import expect_match, tag_documents
from services.platform.http.middleware import answer_heads
from services.platform.http.problems import Problem

LONG: Final = b'{"items":[' + b'"a word that comes again",' * 200 + b'""]}'
GZIP: Final = {"accept-encoding": "gzip"}
PLAIN: Final = {"accept-encoding": "identity"}


def serving(answer: Response) -> httpx.AsyncClient:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()
        await answer(scope, receive, send)

    asgi: ASGIApp = answer_heads(compress_answers(tag_documents(app)))
    return httpx.AsyncClient(transport=httpx.ASGITransport(asgi), base_url="http://api")


async def ask(answer: Response, headers: dict[str, str] = GZIP, method: str = "GET") -> httpx.Response:
    return await serving(answer).request(method, "/v1/things", headers=headers)


def long_json(**headers: str) -> Response:
    return Response(LONG, headers=headers, media_type="application/json")


@pytest.mark.parametrize(
    "kind",
    ["application/json", "text/csv", "text/html; charset=utf-8", "application/atom+xml", "application/cap+xml",
     "application/geo+json", "application/problem+json", "image/svg+xml"],
)  # fmt: skip
async def test_a_long_answer_is_compressed_where_that_is_accepted(kind: str) -> None:
    found = await ask(Response(LONG, media_type=kind))
    assert found.headers["content-encoding"] == "gzip"
    assert found.content == LONG
    assert int(found.headers["content-length"]) < len(LONG) / 10
    plain = await ask(Response(LONG, media_type=kind), PLAIN)
    assert "content-encoding" not in plain.headers
    assert int(plain.headers["content-length"]) == len(LONG)
    assert found.headers["vary"] == plain.headers["vary"] == "accept-encoding"


@pytest.mark.parametrize(
    "answer",
    [
        Response(b"x" * (MIN_BYTES - 1), media_type="application/json"),
        Response(LONG, 404, media_type="application/json"),
        Response(LONG, media_type="image/png"),
        long_json(**{"content-encoding": "br"}),
        long_json(**{"cache-control": "private, no-transform"}),
    ],
)
async def test_what_gains_nothing_or_may_not_be_changed_is_sent_as_it_is(answer: Response) -> None:
    async with serving(answer) as api, api.stream("GET", "/v1/things", headers=GZIP) as found:
        assert b"".join([part async for part in found.aiter_raw()]) == answer.body


async def test_only_answers_to_get_are_compressed() -> None:
    assert "content-encoding" not in (await ask(long_json(), method="POST")).headers


async def test_events_are_passed_on_one_by_one() -> None:
    stream = StreamingResponse(iter([b"data: 1\n\n", b"data: 2\n\n"]), media_type="text/event-stream")
    found = await ask(stream)
    assert "content-encoding" not in found.headers
    assert found.content == b"data: 1\n\ndata: 2\n\n"


@given(parts=st.lists(st.binary(max_size=3000), max_size=6), big=st.booleans())
async def test_a_stream_is_compressed_piece_by_piece(parts: Sequence[bytes], big: bool) -> None:
    pieces = [*parts, b"x" * (AT_ONCE_BYTES + 1)] if big else parts
    found = await ask(StreamingResponse(iter(pieces), media_type="text/csv"))
    assert found.content == b"".join(pieces)


@given(body=st.binary(max_size=4000), times=st.integers(1, 50))
async def test_whatever_is_compressed_is_the_body_again(body: bytes, times: int) -> None:
    whole = body * times
    api = serving(Response(whole, media_type="text/plain"))
    async with api, api.stream("GET", "/v1/things", headers=GZIP) as found:
        raw = b"".join([part async for part in found.aiter_raw()])
    assert len(raw) == int(found.headers["content-length"])
    assert (gzip.decompress(raw) if "content-encoding" in found.headers else raw) == whole


async def test_head_has_the_headers_of_get() -> None:
    get, head = await ask(long_json()), await ask(long_json(), method="HEAD")
    assert head.content == b""
    assert dict(head.headers) == dict(get.headers)


async def test_the_compressed_answer_has_a_tag_of_its_own_and_is_known_by_it() -> None:
    plain, packed = await ask(long_json(), PLAIN), await ask(long_json())
    assert packed.headers["etag"] == plain.headers["etag"][:-1] + '-gzip"'
    for first, headers in ((plain, PLAIN), (packed, GZIP), (plain, GZIP)):
        again = await ask(long_json(), {**headers, "if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert "content-encoding" not in again.headers
    unusable = await ask(long_json(), {**PLAIN, "if-none-match": packed.headers["etag"]})
    assert (unusable.status_code, unusable.content) == (200, LONG)


async def test_a_weak_tag_stands_for_every_form() -> None:
    assert (await ask(long_json(etag='W/"3"'))).headers["etag"] == 'W/"3"'


@pytest.mark.parametrize("tag", ['"{}"', '"{}-gzip"'])
async def test_a_change_is_made_from_what_was_read_in_whatever_form(tag: str) -> None:
    asked = Request({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""})
    with pytest.raises(Problem) as refused:
        expect_match(Request({**asked.scope, "headers": [(b"if-match", b'"x"')]}), LONG)
    plain = refused.value.headers["etag"].strip('"')

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        expect_match(Request(scope), LONG)
        await Response(status_code=204)(scope, receive, send)

    transport = httpx.ASGITransport(compress_answers(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as api:
        answer = await api.put("/v1/things", headers={"if-match": tag.format(plain)})
    assert answer.status_code == 204


@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        ("gzip", True), ("GZIP;q=0.5", True), ("x-gzip", True), ("br, gzip", True), ("*", True), ("*;q=0.1", True),
        ("gzip;q=0", False), ("gzip;q=0, *", False), ("identity", False), ("br", False), ("", False),
        ("gzip;q=x", False),
    ],
)  # fmt: skip
def test_gzip_is_accepted_as_the_header_says(value: str, accepted: bool) -> None:
    assert accepts_gzip([(b"accept-encoding", value.encode())] if value else []) is accepted


@given(value=st.text(max_size=300))
def test_any_accept_header_can_be_read(value: str) -> None:
    assert all(isinstance(weight, float) for weight in read_weights(value).values())
