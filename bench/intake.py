"""Single POSTs, durable and authenticated, beside the idiomatic FastAPI echo that keeps nothing."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.load import Plan, Result, finish, percentile, start
from schemas.examples import REPORT
from tests.parts.process import Process, free_port, listening
from tests.parts.service import Service
from tests.scenario import OPERATOR_KEY, bearer

REQUESTS = 12_000
CONNECTIONS = 128
#: 1 KB, as measured elsewhere.
FILLER = "A shell fell near the market at about nine in the morning, witnesses say. " * 8


@dataclass(frozen=True)
class Measured:
    """Requests a second and p99 in milliseconds."""

    rate: float
    p99_ms: float


def bodies(count: int, run: str) -> list[str]:
    return [json.dumps({**REPORT, "external_id": f"{run}-{number}", "description": FILLER}) for number in range(count)]


def measure_ours(directory: Path) -> list[Measured]:
    """Three rounds against ``trucewatch ingest`` on embedded storage: what is measured is intake, not what follows."""
    directory.mkdir(parents=True, exist_ok=True)
    env = {"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY, "TRUCEWATCH_DATABASE_URL": f"sqlite:///{directory / 'ingest.db'}"}
    with Service("ingest", ["ingest"], directory, env) as service:
        return [_measure(f"{service.url}/v1/incidents", f"r{n}", bearer()) for n in range(3)]


def measure_peer(directory: Path) -> list[Measured]:
    """Three rounds against the echo, on the same server software."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "bench.peers:echo", "--port", str(port), "--no-access-log"]
    with Process("echo", command, directory / "echo.log", lambda: listening(port)):
        return [_measure(f"http://127.0.0.1:{port}/v1/incidents", f"r{n}", {}) for n in range(3)]


def _measure(url: str, run: str, headers: dict[str, str]) -> Measured:
    headers = {"content-type": "application/json", **headers}
    result: Result = finish(start(Plan(url, bodies(REQUESTS, run), CONNECTIONS, headers=headers)))
    if set(result.statuses) != {"202"}:
        raise RuntimeError(f"answers were {result.statuses}")
    return Measured(result.answered / result.seconds, percentile(result.latencies, 0.99) * 1000)
