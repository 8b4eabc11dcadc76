"""Requests of both clients: when one is sent again, after which pause, and what a refusal says."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.client import AsyncClient, Client, LogRestoredError, Patience, RefusedError, UnreachableError
from services.client.patience import asked_s
from tests.fakes import DrivenClock

REPORT: Final = {"external_id": "x-1"}
ACCEPTED: Final = {"incident_id": "i", "revision": 1, "status": "accepted"}
LOST: Final = httpx.ReadError("connection reset")
Handler = Callable[[httpx.Request], httpx.Response]


@dataclass
class Server:
    """Answers in turn, then always with the last; keeps what it was asked, and the pauses between."""

    answers: list[httpx.Response | httpx.TransportError]
    asked: list[httpx.Request] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, httpx.TransportError):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


class Asynchronous:
    """Calls a method of AsyncClient."""

    async def call(self, server: Server, method: str, *arguments: Any, patience: Patience = Patience()) -> Any:
        transport = httpx.MockTransport(server.answer)
        async with AsyncClient(
            "http://test", "tw_key", transport=transport, sleep=server.sleep, patience=patience
        ) as api:
            found = getattr(api, method)(*arguments)
            return [item async for item in found] if hasattr(found, "__aiter__") else await found


class Synchronous:
    """Calls a method of Client."""

    async def call(self, server: Server, method: str, *arguments: Any, patience: Patience = Patience()) -> Any:
        transport = httpx.MockTransport(server.answer)
        with Client("http://test", "tw_key", transport=transport, sleep=server.pauses.append, patience=patience) as api:
            found = getattr(api, method)(*arguments)
            return list(found) if method.startswith(("list_", "stream_", "post_reports")) else found


Kind = Asynchronous | Synchronous


@pytest.fixture(params=[Asynchronous(), Synchronous()], ids=["async", "sync"])
def client(request: pytest.FixtureRequest) -> Kind:
    kind: Kind = request.param
    return kind


def busy(status: int, **headers: str) -> httpx.Response:
    return httpx.Response(status, headers={name.replace("_", "-"): value for name, value in headers.items()})


def ok(body: Any) -> httpx.Response:
    return httpx.Response(200, json=body)


async def test_a_busy_server_is_given_the_time_that_it_asks_for(client: Kind) -> None:
    now, later = "Sat, 28 Nov 2026 09:00:00 GMT", "Sat, 28 Nov 2026 09:01:30 GMT"
    server = Server([busy(503, retry_after="7"), busy(429, retry_after=later, date=now), busy(503), ok(ACCEPTED)])
    assert await client.call(server, "post_report", REPORT) == ACCEPTED
    assert server.pauses == [7.0, 90.0, 2.0]


async def test_it_is_not_asked_a_moment_earlier() -> None:
    clock, server = DrivenClock(), Server([busy(503, retry_after="7"), ok({"items": []})])

    async with AsyncClient("http://test", transport=httpx.MockTransport(server.answer), sleep=clock.sleep) as api:

        async def ask() -> None:
            await api.get("/v1/parties")
            answered.append(clock.now())

        answered: list[int] = []

        asking = asyncio.ensure_future(ask())
        begun = clock.now()
        await clock.advance(6.999)
        assert len(server.asked) == 1
        await clock.advance(0.001)
        await asking
    assert answered == [begun + 7_000_000]


async def test_a_server_that_wants_to_be_left_alone_for_longer_is_given_up_and_says_until_when(client: Kind) -> None:
    server = Server([busy(503, retry_after="3600")])
    with pytest.raises(UnreachableError, match="asked once: 503") as told:
        await client.call(server, "get_alert", "a")
    assert (told.value.retry_after_s, server.pauses) == (3600.0, [])


async def test_every_try_of_a_report_has_the_same_key_and_every_report_another(client: Kind) -> None:
    server = Server([LOST, busy(504), ok(ACCEPTED)])
    await client.call(server, "post_report", REPORT)
    await client.call(server, "retract_report", "i", "withdrawn")
    keys = [request.headers["idempotency-key"] for request in server.asked]
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert {request.headers["authorization"] for request in server.asked} == {"Bearer tw_key"}


async def test_what_may_have_been_done_and_is_not_idempotent_is_not_repeated(client: Kind) -> None:
    server = Server([LOST])
    with pytest.raises(UnreachableError, match="may have been done"):
        await client.call(server, "create_subscription", {})
    assert len(server.asked) == 1


async def test_what_was_certainly_not_done_is_repeated(client: Kind) -> None:
    server = Server([httpx.ConnectError("refused"), busy(429), busy(503), ok({"id": "s"})])
    assert await client.call(server, "create_subscription", {}) == {"id": "s"}


async def test_a_refusal_names_every_field(client: Kind) -> None:
    problem = {"title": "Not valid", "errors": [{"pointer": "/act", "detail": "unknown"}]}
    with pytest.raises(RefusedError, match="422 Not valid") as told:
        await client.call(Server([httpx.Response(422, json=problem)]), "post_report", REPORT)
    assert [(fault.pointer, fault.detail) for fault in told.value.faults] == [("/act", "unknown")]


async def test_a_correction_names_the_revision_that_it_follows(client: Kind) -> None:
    server = Server([ok(ACCEPTED)])
    await client.call(server, "revise_report", REPORT, 3)
    assert server.asked[0].headers["if-match"] == '"3"'


async def test_lists_are_walked_to_their_end_with_their_filters(client: Kind) -> None:
    pages = [{"items": [1, 2], "next": "c", "has_more": True}, {"items": [3], "next": None, "has_more": False}]
    server = Server([ok(pages[0]), busy(503), ok(pages[1])])
    assert await client.call(server, "list_incidents", {"verdict": ["violation", "excluded"]}) == [1, 2, 3]
    assert server.asked[0].url.params.get_list("verdict") == ["violation", "excluded"]
    assert [request.url.params.get("after") for request in server.asked] == [None, "c", "c"]


async def test_a_log_that_was_restored_says_where_to_begin(client: Kind) -> None:
    answer = httpx.Response(410, json={"title": "Log restored", "begin": "c9"})
    for method in ("list_alerts", "stream_alerts"):
        with pytest.raises(LogRestoredError) as told:
            await client.call(Server([answer]), method, "c1")
        assert told.value.begin == "c9"


async def test_a_stream_resumes_after_the_last_event_and_after_the_position_of_its_opening(client: Kind) -> None:
    opening, event = b"retry: 500\nid: c0\n\n", b'id: c1\nevent: alert.raised\ndata: {"id": "a"}\n\n'
    server = Server(
        [LOST, httpx.Response(200, content=opening), busy(503, retry_after="9"),
         httpx.Response(200, content=event), httpx.Response(401, json={"title": "Key needed"})]
    )  # fmt: skip
    with pytest.raises(RefusedError, match="401"):
        await client.call(server, "stream_alerts")
    assert [request.headers.get("last-event-id") for request in server.asked] == [None, None, "c0", "c0", "c1"]
    assert server.pauses == [0.5, 0.5, 9.0, 0.5]


async def test_a_stream_of_a_server_that_stays_away_is_given_up(client: Kind) -> None:
    with pytest.raises(UnreachableError, match="asked 2 times"):
        await client.call(Server([LOST]), "stream_alerts", patience=Patience(first_tries=2))


async def test_batches_are_counted_through(client: Kind) -> None:
    def results(count: int) -> httpx.Response:
        return ok({"results": [{"index": n, "status": 202} for n in range(count)]})

    server = Server([results(100), LOST, results(100), results(50)])
    reports: Sequence[Any] = [{"external_id": f"x-{n}"} for n in range(250)]
    items = await client.call(server, "post_reports", reports)
    assert [item["index"] for item in items] == list(range(250))
    assert [len(request.content.split(b"\n")) for request in server.asked] == [100, 100, 100, 50]


@given(text=st.text(max_size=40), date=st.text(max_size=40))
def test_whatever_a_server_asks_for_is_a_pause_or_none(text: str, date: str) -> None:
    pause = asked_s({"retry-after": text, "date": date})
    assert pause is None or pause >= 0
