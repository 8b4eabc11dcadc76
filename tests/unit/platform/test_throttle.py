"""Wrong keys are throttled per address, and nobody who has a right one from there is shut out."""

import ipaddress
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from schemas.events import KeyChanged
from services.platform.http.access import check, read_authorization
from services.platform.http.connections import address_key
from services.platform.http.problems import Problem
from services.platform.http.throttle import BURST, MOST, Throttle, find_address
from services.platform.security.keys import KeyRing, hash_secret
from tests.fakes import DrivenClock

MADE = "2016-01-01T00:00:00Z"
PROXY = (ipaddress.ip_network("10.0.0.0/8"),)


class Edge:
    """A throttle before an app that asks for a key, and for the token "good" under /v1/alerts/."""

    def __init__(self, trusted: Any = ()) -> None:
        self.clock, self.failures = DrivenClock(), 0
        self.keys = KeyRing(self.clock)
        self.keys.apply(KeyChanged("m1", "desk", "monitor", hash_secret("tw_right"), MADE))
        self.keys.apply(KeyChanged("admin-1", "admin", "operator", hash_secret("set by a person"), MADE))
        self.throttle = Throttle(self.keys, self.clock.now, self._count, trusted)
        self.app = self.throttle.wrap(self._serve)

    def _count(self) -> None:
        self.failures += 1

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        answer = Response(b"ok")
        try:
            if request.query_params.get("token") != "good" and request.url.path != "/status":
                check(self.keys, read_authorization(scope["headers"]))
        except Problem as problem:
            answer = problem.response()
        await answer(scope, receive, send)

    async def ask(
        self, key: str | None, address: str = "192.0.2.1", path: str = "/v1/registry", **headers: str
    ) -> httpx.Response:
        if key is not None:
            headers["authorization"] = f"Bearer {key}"
        transport = httpx.ASGITransport(self.app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            return await client.get(path, headers=headers)

    async def guess(self, count: int, **more: Any) -> list[int]:
        return [(await self.ask(f"tw_wrong{n}", **more)).status_code for n in range(count)]


async def test_guesses_beyond_the_burst_wait_and_are_counted() -> None:
    edge = Edge()
    assert await edge.guess(BURST + 3) == [401] * BURST + [429] * 3
    assert edge.failures == BURST + 3
    refused = await edge.ask("tw_wrong")
    assert refused.headers["content-type"] == "application/problem+json"
    assert await edge.guess(1, address="192.0.2.2") == [401]
    await edge.clock.advance(int(refused.headers["retry-after"]))
    assert await edge.guess(2) == [401, 429]
    await edge.clock.advance(3600)
    assert await edge.guess(BURST + 1) == [401] * BURST + [429]


async def test_while_an_address_is_throttled_a_right_guess_of_what_a_person_set_is_not_told_from_a_wrong_one() -> None:
    edge = Edge()
    await edge.guess(BURST)
    for path in ("/v1/registry", "/status", "/v1/registry"):
        assert (await edge.ask("set by a person", path=path)).status_code == 429


async def test_who_has_a_key_is_not_shut_out_by_a_neighbour_who_guesses() -> None:
    edge = Edge()
    assert (await edge.ask("set by a person")).status_code == 200
    await edge.guess(BURST + 5)
    assert (await edge.ask("set by a person")).status_code == 200
    assert (await edge.ask("tw_right")).status_code == 200
    edge.keys.apply(KeyChanged("m1", "desk", "monitor", hash_secret("tw_right"), MADE, None, MADE))
    assert [(await edge.ask("tw_right")).status_code for _ in range(2)] == [401, 429]


async def test_a_request_without_a_key_is_no_guess() -> None:
    edge = Edge()
    assert {(await edge.ask(None)).status_code for _ in range(BURST + 5)} == {401}
    assert edge.failures == 0


async def test_a_wrong_key_counts_also_where_none_is_needed() -> None:
    edge = Edge()
    assert await edge.guess(BURST + 1, path="/status") == [200] * BURST + [429]


async def test_feed_tokens_are_keys() -> None:
    edge = Edge()
    good, bad = "/v1/alerts/feed.atom?token=good", "/v1/alerts/feed.atom?token=bad"
    assert (await edge.ask(None, path=good)).status_code == 200
    found = [(await edge.ask(None, path=f"{bad}{n}")).status_code for n in range(BURST + 2)]
    assert found == [401] * BURST + [429] * 2
    assert (await edge.ask(None, path=good)).status_code == 200


async def test_behind_a_trusted_proxy_the_address_is_the_one_that_it_forwards() -> None:
    edge = Edge(PROXY)
    forwarded = {"x-forwarded-for": "203.0.113.9, 192.0.2.7, 10.0.0.2"}
    await edge.guess(BURST, address="10.0.0.1", **forwarded)
    assert await edge.guess(1, address="10.0.0.1", **forwarded) == [429]
    assert await edge.guess(1, address="10.0.0.1", **{"x-forwarded-for": "192.0.2.8"}) == [401]
    assert await edge.guess(1, address="192.0.2.7") == [429]
    assert set(await edge.guess(BURST + 5, address="10.0.0.1")) == {401}


async def test_what_a_client_says_of_itself_is_not_believed() -> None:
    edge = Edge()
    found = [(await edge.guess(1, **{"x-forwarded-for": f"192.0.2.{n}"}))[0] for n in range(BURST + 2)]
    assert found == [401] * BURST + [429] * 2


def test_tables_are_bounded() -> None:
    edge = Edge()
    for n in range(MOST + 10):
        address = address_key(str(ipaddress.ip_address(n)))
        assert address is not None
        edge.throttle.note((address, n), right=False)
        edge.throttle.note((address, n), right=True)
    assert len(edge.throttle._allowances) == len(edge.throttle._right) == MOST


@given(st.text(max_size=60), st.sampled_from([(), PROXY]))
def test_no_forwarded_header_makes_it_fail(text: str, trusted: Any) -> None:
    scope = {"client": ("10.0.0.1", 1), "headers": [(b"x-forwarded-for", text.encode())]}
    find_address(scope, trusted)


@pytest.mark.parametrize("query", [b"token=" + b"a&" * 5000, b"token=%ff", b"token", b"&token=&&", b"token=a;b"])
async def test_no_query_makes_it_fail(query: bytes) -> None:
    edge = Edge()
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": "/v1/alerts/stream", "query_string": query, "headers": [], "method": "GET",
             "client": ("192.0.2.1", 1), "server": ("api", 80), "scheme": "http"}  # fmt: skip
    await edge.app(scope, None, send)  # type: ignore[arg-type]
    assert sent[0]["status"] == 401
