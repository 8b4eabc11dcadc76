"""POST /v1/incidents/batch."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from services.ingest.http.batch import MAX_BATCH_ERRORS, split
from services.ingest.wire import MAX_BATCH, MAX_BATCH_BYTES
from services.platform.http.problems import Problem
from tests.component.ingest.running import RunningIngest, report
from tests.unit.ingest.samples import REPORT

NDJSON = {"content-type": "application/x-ndjson"}


def numbered(count: int, **changes: Any) -> list[dict[str, Any]]:
    return [report(external_id=f"e{n}", **changes) for n in range(count)]


def lines(reports: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in reports)


async def post(
    ingest: RunningIngest, content: bytes, ndjson: bool = False, headers: dict[str, str] | None = None
) -> httpx.Response:
    kind = NDJSON if ndjson else {"content-type": "application/json"}
    return await ingest.partner.post("/v1/incidents/batch", content=content, headers={**kind, **(headers or {})})


@pytest.mark.parametrize("ndjson", [False, True])
async def test_a_batch_answers_for_each_report_in_order(ingest: RunningIngest, ndjson: bool) -> None:
    await ingest.partner.post("/v1/incidents", json=report(external_id="e1"))
    reports = [*numbered(3), report(external_id="e0", act="rocket"), report(external_id="e9", act="dance")]
    answer = await post(ingest, lines(reports) if ndjson else json.dumps(reports).encode(), ndjson)
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [one["index"] for one in results] == [0, 1, 2, 3, 4]
    assert [one["status"] for one in results] == [202, 200, 202, 202, 422]
    assert [one.get("revision") for one in results] == [1, 1, 1, 2, None]
    assert results[4]["problem"]["errors"][0]["pointer"] == "/act"
    assert "incident_id" not in results[4]


async def test_a_dry_run_answers_as_if_and_keeps_nothing(ingest: RunningIngest) -> None:
    """Whatever a batch holds: the dry run says what the batch itself then says."""
    await ingest.partner.post("/v1/incidents", json=report(external_id="e1"))
    for act in ("rocket", "shelling"):
        await ingest.partner.post("/v1/incidents", json=report(external_id="e2", act=act))
    batch = lines(
        [*numbered(2), report(external_id="e1", act="rocket"), report(external_id="e2", act="rocket"),
         report(external_id="e9", act="dance"), report(external_id="e0", act="rocket"), report(external_id="e0")]
    )  # fmt: skip
    before = len(await ingest.published())
    rehearsed = await ingest.partner.post("/v1/incidents/batch?dry_run=true", content=batch, headers=NDJSON)
    assert [one["status"] for one in rehearsed.json()["results"]] == [202, 200, 202, 409, 422, 202, 409]
    assert len(await ingest.published()) == before
    assert (await post(ingest, batch, ndjson=True)).json() == rehearsed.json()
    assert (await ingest.partner.post("/v1/incidents/batch?dry_run=maybe", content=b"[]")).status_code == 400


async def test_a_long_batch_is_taken_whole(ingest: RunningIngest) -> None:
    answer = await post(ingest, lines(numbered(1234)), ndjson=True)
    results = answer.json()["results"]
    assert [one["status"] for one in results] == [202] * 1234
    assert len({one["incident_id"] for one in results}) == 1234
    assert len(await ingest.published()) == 1234
    again = (await post(ingest, json.dumps(numbered(1234)).encode())).json()["results"]
    assert [one["status"] for one in again] == [200] * 1234


@pytest.mark.parametrize(
    "bad",
    [
        b'{"lat": NaN}', b'"half \\ud800 a pair"', b'"broken \xff text"', b"[1e999]", b"{}", b"null", b"[[]]",
        json.dumps(report(extra=1)).encode(), b'"' + b"x" * 1_100_000 + b'"', b"Infinity", b'"a\x01b"',
    ],
)  # fmt: skip
async def test_a_bad_element_harms_no_neighbour(ingest: RunningIngest, bad: bytes) -> None:
    good, other = (json.dumps(one).encode() for one in numbered(2))
    for ndjson in (False, True):
        content = b"\n".join((good, bad, other)) if ndjson else b"[" + b",".join((good, bad, other)) + b"]"
        answer = await post(ingest, content, ndjson)
        assert answer.status_code == 200, answer.text
        results = answer.json()["results"]
        assert [one["status"] for one in results] == [200 if ndjson else 202, 422, 200 if ndjson else 202]
        assert results[1]["problem"]["title"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"7",
        b"[",
        b"[1",
        b"[1,]",
        b"[,1]",
        b"[1]x",
        b"[NaN,]",
        b"[NaN]x",
        b"[NaN NaN]",
        b"\xff",
        b"[" * 9**5,
    ],
)
async def test_what_is_no_array_is_refused(ingest: RunningIngest, content: bytes) -> None:
    answer = await post(ingest, content)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


async def test_an_empty_batch_and_blank_lines(ingest: RunningIngest) -> None:
    assert (await post(ingest, b" [ ] ")).json() == {"results": []}
    assert (await post(ingest, b"\n \n\r\n", ndjson=True)).json() == {"results": []}
    spaced = b"\n\r\n  " + json.dumps(REPORT).encode() + b" \r\n\n"
    assert [one["status"] for one in (await post(ingest, spaced, ndjson=True)).json()["results"]] == [202]


async def test_too_many_reports_and_too_many_bytes(ingest: RunningIngest) -> None:
    assert (await post(ingest, b"[" + b"0," * MAX_BATCH + b"0]")).status_code == 413
    assert (await post(ingest, b"0\n" * (MAX_BATCH + 1), ndjson=True)).status_code == 413
    assert (await post(ingest, b" " * (MAX_BATCH_BYTES + 1))).status_code == 413
    assert len((await post(ingest, b"0\n" * MAX_BATCH, ndjson=True)).json()["results"]) == MAX_BATCH


async def test_the_answer_to_a_hostile_batch_stays_small(ingest: RunningIngest) -> None:
    hostile = json.dumps({f"f{n}": 0 for n in range(190)})
    answer = await post(ingest, b"\n".join([hostile.encode()] * 1000), ndjson=True)
    listed = sum(len(one["problem"]["errors"]) for one in answer.json()["results"])
    assert MAX_BATCH_ERRORS <= listed <= MAX_BATCH_ERRORS + 1200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
async def test_another_media_type_is_refused(ingest: RunningIngest, kind: str) -> None:
    for path in ("/v1/incidents", "/v1/incidents/batch"):
        assert (await ingest.partner.post(path, content=b"[]", headers={"content-type": kind})).status_code == 415
    packed = {"content-type": "application/json", "content-encoding": "br"}
    assert (await ingest.partner.post("/v1/incidents", content=b"x", headers=packed)).status_code == 415


async def test_an_idempotency_key_of_a_batch_is_bound_to_what_the_batch_means(ingest: RunningIngest) -> None:
    reports = [*numbered(3), {"no": "report"}]
    headers = {"idempotency-key": "b-1"}
    first = await post(ingest, json.dumps(reports).encode(), headers=headers)
    await ingest.partner.post("/v1/incidents", json=report(external_id="e0", act="rocket"))
    shuffled = [dict(reversed(one.items())) for one in reports]
    again = await post(ingest, lines(shuffled), ndjson=True, headers=headers)
    assert (again.status_code, again.content) == (200, first.content)
    assert (await post(ingest, json.dumps(reports[:2]).encode(), headers=headers)).status_code == 422
    assert (await ingest.partner.post("/v1/incidents", json=REPORT, headers=headers)).status_code == 422
    assert len(await ingest.published()) == 4


async def test_others_are_served_while_a_long_batch_goes_through(ingest: RunningIngest) -> None:
    batch = asyncio.create_task(post(ingest, lines(numbered(5000)), ndjson=True))
    served = 0
    while not batch.done():
        await ingest.partner.post("/v1/incidents", json=report(external_id=f"single{served}"))
        served += 1
    assert (await batch).status_code == 200
    # A batch held in one piece would let one or two pass.
    assert served > 5


async def test_splitting_never_holds_the_loop_over_blank_lines() -> None:
    assert await split(b"\n" * 8_000_000 + b"1", lines=True) == [b"1"]


async def test_elements_that_only_python_reads_are_told_apart() -> None:
    assert list(await split(b'[ NaN , {"a": "\\ud800"},\n"\xff" ]', lines=False)) == [
        b"NaN",
        b'{"a": "\\ud800"}',
        b'"\xff"',
    ]
    with pytest.raises(Problem):
        await split(b"[NaN 1]", lines=False)
