"""Single POSTs, durable and authenticated, beside the idiomatic FastAPI echo that keeps nothing; and batches of 100
lines, beside decoding the same lines in process."""

import json
import sys
import time
from pathlib import Path

import msgspec

from bench.load import Plan, finish, start
from schemas.examples import REPORT
from schemas.report import Report
from tests.parts.process import Process, free_port, listening
from tests.parts.service import Service
from tests.scenario import OPERATOR_KEY, bearer

REQUESTS = 12_000
CONNECTIONS = 128
ROUNDS = 3
LINES = 100
BATCHES = 300
#: 1 KB, as measured elsewhere.
FILLER = "A shell fell near the market at about nine in the morning, witnesses say. " * 8
Rounds = list[tuple[float, float]]


def bodies(count: int, run: str) -> list[str]:
    return [json.dumps({**REPORT, "external_id": f"{run}-{number}", "description": FILLER}) for number in range(count)]


def measure(directory: Path) -> tuple[Rounds, Rounds]:
    """Requests a second of ours and of the echo; lines a second taken and decoded. In turn, against ``trucewatch
    ingest`` on embedded storage: what is measured is intake, not what follows."""
    env = {"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY, "TRUCEWATCH_DATABASE_URL": f"sqlite:///{directory / 'ingest.db'}"}
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "bench.peers:echo", "--port", str(port), "--no-access-log"]
    json_type = {"content-type": "application/json"}
    with (
        Service("ingest", ["ingest"], directory, env) as service,
        Process("echo", command, directory / "echo.log", lambda: listening(port)),
    ):
        url = f"{service.url}/v1/incidents"
        single, batches = [], []
        for n in range(ROUNDS):
            reports = bodies(REQUESTS, f"r{n}")
            ours = _rate(Plan(url, reports, CONNECTIONS, headers={**json_type, **bearer()}), "202")
            peer = _rate(Plan(f"http://127.0.0.1:{port}/v1/incidents", reports, CONNECTIONS, headers=json_type), "202")
            single.append((ours, peer))
            batches.append(_lines(f"{url}/batch", n))
    return single, batches


def _lines(url: str, n: int) -> tuple[float, float]:
    lines = bodies(BATCHES * LINES, f"b{n}")
    many = ["\n".join(lines[first : first + LINES]) for first in range(0, len(lines), LINES)]
    headers = {"content-type": "application/x-ndjson", **bearer()}
    ours = _rate(Plan(url, many, 8, headers=headers), "200") * LINES
    decode, encoded = msgspec.json.Decoder(Report).decode, [line.encode() for line in lines]
    begin = time.perf_counter()
    for line in encoded:
        decode(line)
    return ours, len(lines) / (time.perf_counter() - begin)


def _rate(plan: Plan, status: str) -> float:
    """Requests a second. Raises RuntimeError unless every answer has this status."""
    result = finish(start(plan))
    if set(result.statuses) != {status}:
        raise RuntimeError(f"answers were {result.statuses}")
    return result.answered / result.seconds
