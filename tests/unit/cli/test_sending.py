"""Sending a file: in batches, patiently, with every line accounted for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
import pytest

from services.cli.sending import Line, group, send_outcomes, told_refusals, wait_for_verdicts
from services.client import AsyncClient, RefusedError, UnreachableError
from services.client.batches import BATCH, BATCH_BYTES
from services.connectors.model import NumberedOutcome, RefusedRow, ReportDraft, RowFault, WithdrawnReport


@dataclass
class Pauses:
    """A clock of which only the sleeps count."""

    taken: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.taken.append(seconds)


def server(answer: Callable[[httpx.Request], httpx.Response], clock: Pauses | None = None) -> AsyncClient:
    sleep = (clock or Pauses()).sleep
    return AsyncClient("http://test", "tw_key", transport=httpx.MockTransport(answer), sleep=sleep)


def report(number: int, **columns: str) -> NumberedOutcome:
    id = f"x-{number}"
    return NumberedOutcome(
        number, ReportDraft(id, {"external_id": id}, columns={f"/{k}": k for k in columns}, cells=columns)
    )


def lines(count: int) -> list[NumberedOutcome]:
    return [report(n) for n in range(1, count + 1)]


def line(number: int, body: bytes) -> Line:
    return Line(number, ReportDraft("x", {}), body)


def take_all(request: httpx.Request) -> httpx.Response:
    count = len(request.content.split(b"\n"))
    results = [{"index": n, "status": 202, "incident_id": f"i{n}", "revision": 1} for n in range(count)]
    return httpx.Response(200, json={"results": results})


def in_turn(*answers: httpx.Response | httpx.TransportError) -> Callable[[httpx.Request], httpx.Response]:
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        if not left:
            return take_all(request)
        first = left.pop(0)
        if isinstance(first, httpx.TransportError):
            raise first
        return first

    return answer


async def send(
    answer: Callable[[httpx.Request], httpx.Response], some: Sequence[NumberedOutcome], clock: Pauses
) -> Any:
    async with server(answer, clock) as api:
        return await send_outcomes(api, some, lambda _summary: None)


async def test_a_hundred_go_in_one_request() -> None:
    sizes: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sizes.append(len(request.content.split(b"\n")))
        assert request.headers["authorization"] == "Bearer tw_key"
        return take_all(request)

    summary = await send(answer, lines(250), Pauses())
    assert sizes == [100, 100, 50]
    assert summary.accepted == 250


def test_batches_are_bounded_in_bytes() -> None:
    def sizes(lines: list[Line]) -> list[int]:
        return [len(batch) for batch in group(lines) if isinstance(batch, list)]

    assert sizes([line(n, b"x" * (BATCH_BYTES // 3 + 1)) for n in range(5)]) == [2, 2, 1]
    assert sizes([line(n, b"{}") for n in range(BATCH)]) == [BATCH]


async def test_a_busy_server_is_given_the_time_that_it_asks_for() -> None:
    clock = Pauses()
    busy = httpx.Response(503, headers={"retry-after": "7"})
    summary = await send(in_turn(busy, httpx.Response(429)), lines(1), clock)
    assert summary.accepted == 1
    assert clock.taken == [7.0, 1.0]


async def test_a_server_that_is_away_for_a_moment_is_asked_again() -> None:
    clock = Pauses()
    assert (await send(in_turn(httpx.ConnectError("refused")), lines(1), clock)).accepted == 1
    assert clock.taken == [0.5]


async def test_patience_ends() -> None:
    clock = Pauses()
    with pytest.raises(UnreachableError, match="asked 8 times: 503"):
        await send(lambda _request: httpx.Response(503), lines(1), clock)
    assert clock.taken == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0]


async def test_an_address_where_nobody_ever_answered_is_given_up_soon() -> None:
    def nobody(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    clock = Pauses()
    with pytest.raises(UnreachableError, match="asked 3 times: refused"):
        await send(nobody, lines(1), clock)
    assert clock.taken == [0.5, 1.0]


async def test_a_refused_line_is_told_by_its_number_and_column() -> None:
    problem = {"title": "Not valid", "errors": [{"pointer": "/act", "detail": "must be one of: …"}]}
    results = [
        {"index": 0, "status": 202, "incident_id": "a", "revision": 1},
        {"index": 1, "status": 422, "problem": problem},
        {"index": 2, "status": 200, "incident_id": "c", "revision": 4},
    ]
    broken = NumberedOutcome(2, RefusedRow((RowFault("not_json"),)))
    some = [report(1), broken, report(5, act="Shelling"), report(6)]
    summary = await send(lambda _request: httpx.Response(200, json={"results": results}), some, Pauses())
    assert (summary.accepted, summary.unchanged, summary.lines) == (1, 1, 4)
    told = list(told_refusals(summary.refused, 10, "en"))
    assert told[0].startswith("line 2: This is not valid JSON.")
    assert told[1].startswith("line 5, x-5, column act, “Shelling”: This value is not allowed here. The nearest")
    assert list(told_refusals(summary.refused, 1, "en"))[-1] == "and 1 more fault"
    assert summary.taken == {"a": 1, "c": 4}


async def test_what_the_server_has_corrected_since_is_told_as_such() -> None:
    results = [{"index": 0, "status": 409, "problem": {"title": "Stale report", "type": "stale-report"}}]
    summary = await send(lambda _request: httpx.Response(200, json={"results": results}), lines(1), Pauses())
    assert [refusal.row.faults[0].code for refusal in summary.refused] == ["stale"]


async def test_a_withdrawal_is_a_retraction_once() -> None:
    retracted: set[str] = set()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            retracted.add(request.url.path)
            assert msgspec.json.decode(request.content) == {"reason": "deleted there"}
            return httpx.Response(202, json={"incident_id": "i1", "revision": 2})
        state = "retracted" if retracted else "assessed"
        items = [{"incident_id": "i1", "state": state, "revision": 1, "partner": "p"}]
        return httpx.Response(200, json={"items": items, "next": None, "has_more": False})

    gone = [NumberedOutcome(1, WithdrawnReport("x-1", "deleted there"))]
    first, second = await send(answer, gone, Pauses()), await send(answer, gone, Pauses())
    assert (first.withdrawn, first.unchanged, second.withdrawn, second.unchanged) == (1, 0, 0, 1)
    assert retracted == {"/v1/incidents/i1/retraction"}


async def test_an_id_of_several_partners_is_not_taken_back() -> None:
    items = [{"incident_id": n, "state": "assessed", "partner": n} for n in ("a", "b")]
    page = {"items": items, "next": None, "has_more": False}
    gone = [NumberedOutcome(1, WithdrawnReport("x-1", "deleted there"))]
    summary = await send(lambda _request: httpx.Response(200, json=page), gone, Pauses())
    assert [refusal.row.faults[0].code for refusal in summary.refused] == ["several_partners"]


async def test_a_batch_refused_whole_is_halved_until_the_guilty_line_stands_alone() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(413, json={"title": "Too large"}) if b"x-3" in request.content else take_all(request)

    summary = await send(answer, lines(8), Pauses())
    assert summary.accepted == 7
    assert [refusal.line for refusal in summary.refused] == [3]


async def test_a_bad_key_ends_it() -> None:
    with pytest.raises(RefusedError, match="401 Key needed"):
        await send(lambda _request: httpx.Response(401, json={"title": "Key needed"}), lines(1), Pauses())


async def test_verdicts_are_counted_once_every_report_is_judged() -> None:
    rounds = [
        [{"incident_id": "a", "revision": 1, "state": "assessed", "verdict": "violation"},
         {"incident_id": "b", "revision": 1, "state": "assessed", "verdict": "excluded"}],
        [{"incident_id": "b", "revision": 2, "state": "assessed", "verdict": "violation"},
         {"incident_id": "c", "revision": 1, "state": "dead_lettered", "verdict": None}],
    ]  # fmt: skip
    pages = iter(rounds)

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"items": next(pages), "next": None, "has_more": False})

    clock = Pauses()
    async with server(answer, clock) as api:
        verdicts = await wait_for_verdicts(api, {"a": 1, "b": 2, "c": 1}, clock.sleep, lambda _done: None)
    assert verdicts == {"violation": 2, "dead_lettered": 1}
    assert len(clock.taken) == 1


async def test_a_path_keeps_the_parameters_that_it_brings() -> None:
    async with server(lambda request: httpx.Response(200, json=str(request.url))) as api:
        assert await api.get("/v1/confirm?token=x") == "http://test/v1/confirm?token=x"
