"""The hot route answers like every other: byte order marks are ignored, and whatever is unforeseen is a problem."""

import codecs
import gzip
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy import Connection
from starlette.types import Receive, Scope, Send

from services.ingest.admission import Admission
from services.ingest.http.intake import Intake
from services.ingest.use_cases import Command, IntakeOutcome
from services.platform.clock import LocalTime
from services.platform.db.group import GroupWriter
from tests.component.ingest.running import RunningIngest, report, running_ingest
from tests.unit.ingest.samples import REPORT


@pytest.fixture
async def ingest(tmp_path: Path) -> AsyncIterator[RunningIngest]:
    async with running_ingest(tmp_path) as opened:
        yield opened


async def test_a_byte_order_mark_before_a_report_is_ignored(ingest: RunningIngest) -> None:
    answer = await ingest.partner.post("/v1/incidents", content=codecs.BOM_UTF8 + json.dumps(REPORT).encode())
    assert answer.status_code == 202


async def test_a_byte_order_mark_before_a_batch_is_ignored(ingest: RunningIngest) -> None:
    body = codecs.BOM_UTF8 + json.dumps([REPORT, report(external_id="second")]).encode()
    answer = await ingest.partner.post("/v1/incidents/batch", content=body)
    assert [result["status"] for result in answer.json()["results"]] == [202, 202]


async def test_whatever_is_unforeseen_is_a_problem_document(ingest: RunningIngest) -> None:
    def broken() -> int:
        raise RuntimeError("the clock is broken")

    def flush(_connection: Connection, _commands: Sequence[Command]) -> list[IntakeOutcome]:
        return []

    async def nothing_behind(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise AssertionError("the hot route did not answer")

    runtime = ingest.runtime
    writer = GroupWriter[Command, IntakeOutcome](runtime.database, flush)
    intake = Intake(runtime.keys, Admission(broken, LocalTime(ZoneInfo("UTC"))), writer, runtime.metrics)
    transport = httpx.ASGITransport(intake.wrap(nothing_behind))
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=ingest.partner.headers) as client:
        answer = await client.post("/v1/incidents", json=REPORT)
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "clock" not in answer.text


@pytest.mark.parametrize("path", ["/v1/incidents", "/v1/incidents/batch"])
async def test_a_body_may_be_packed_with_gzip(ingest: RunningIngest, path: str) -> None:
    body = json.dumps(REPORT if path.endswith("incidents") else [REPORT]).encode()
    headers = {"content-encoding": "gzip", "content-type": "application/json"}
    answer = await ingest.partner.post(path, content=gzip.compress(body), headers=headers)
    assert answer.status_code == (202 if path.endswith("incidents") else 200), answer.text
    bomb = gzip.compress(b'"' + b" " * 17 * 1024 * 1024 + b'"')
    assert (await ingest.partner.post(path, content=bomb, headers=headers)).status_code == 413
    assert (await ingest.partner.post(path, content=b"{}", headers=headers)).status_code == 400


async def test_a_report_nested_too_deeply_is_refused_and_harms_no_neighbour_in_a_batch(ingest: RunningIngest) -> None:
    deep = b'{"external_id":' + b"[" * 900 + b"]" * 900 + b"}"
    answer = await ingest.partner.post("/v1/incidents", content=deep)
    assert (answer.status_code, answer.json()["title"]) == (400, "Nested too deeply")
    both = b"[" + deep + b"," + json.dumps(REPORT).encode() + b"]"
    results = (await ingest.partner.post("/v1/incidents/batch", content=both)).json()["results"]
    assert [result["status"] for result in results] == [422, 202]
