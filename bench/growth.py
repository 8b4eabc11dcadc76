"""Costs that must not grow with the history: memory after many reports, the time of a start on a full storage."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from schemas.examples import REPORT
from tests.parts.cluster import KINDS, Cluster
from tests.parts.service import Service
from tests.scenario import OPERATOR_KEY, bearer, registry_document

FEW, MANY, STORED = 10_000, 1_000_000, 100_000
BATCH = 500
ENV = {"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY}


@dataclass(frozen=True)
class Measured:
    """Resident bytes after few and after many reports; seconds of a start with nothing and with 100,000 stored."""

    few: int
    many: int
    empty_s: float
    stored_s: float


def measure(directory: Path, many: int = MANY) -> Measured:
    """One process takes the reports; it is stopped at 100,000 for the start to be timed."""
    empty = _start_s(directory / "empty")
    data = directory / "data"
    with _serve(data) as service, httpx.Client(base_url=service.url, headers=bearer(), timeout=120) as client:
        client.put("/v1/registry", json=registry_document()).raise_for_status()
        _post(client, 0, FEW)
        few = service.memory()
        _post(client, FEW, STORED)
    stored = _start_s(data)
    with _serve(data) as service, httpx.Client(base_url=service.url, headers=bearer(), timeout=120) as client:
        _post(client, STORED, many)
        return Measured(few, service.memory(), empty, stored)


def measure_services(directory: Path, many: int = MANY) -> dict[str, tuple[int, int]]:
    """Resident bytes of each service, one of each on Kafka and PostgreSQL, after few and after many reports."""
    with Cluster(directory) as cluster, cluster.client(timeout_s=120) as client:
        client.put("/v1/registry", json=registry_document()).raise_for_status()
        _post(client, 0, FEW)
        few = {kind: cluster.one(kind).memory() for kind in KINDS}
        _post(client, FEW, many)
        return {kind: (few[kind], cluster.one(kind).memory()) for kind in KINDS}


def _serve(data: Path) -> Service:
    return Service("serve", ["serve", "--data", str(data)], data.parent, ENV)


def _start_s(data: Path) -> float:
    """The best of three starts, in seconds until ready."""
    best = float("inf")
    for _ in range(3):
        service, begin = _serve(data), time.perf_counter()
        with service:
            best = min(best, time.perf_counter() - begin)
    return best


def _post(client: httpx.Client, first: int, last: int) -> None:
    for start in range(first, last, BATCH):
        reports = [{**REPORT, "external_id": f"grown-{n}"} for n in range(start, min(start + BATCH, last))]
        client.post("/v1/incidents/batch", content=json.dumps(reports)).raise_for_status()
        if start % 50_000 == 0:
            _until_assessed(client)
    _until_assessed(client)


def _until_assessed(client: httpx.Client) -> None:
    """Until nothing has waited for anybody at two looks in a row."""
    quiet = 0
    while quiet < 2:
        parts = client.get("/status").json()["components"]
        quiet = quiet + 1 if not any(parts[who].get("lag", 1) for who in ("rules", "notify")) else 0
        time.sleep(1.0)
