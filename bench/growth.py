"""Costs that must not grow with the history: memory after many reports, the time of a start and of reading on a full
storage."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench import reading
from bench.storage import generated
from tests.parts.cluster import KINDS, Cluster
from tests.parts.service import Service
from tests.scenario import OPERATOR_KEY, bearer, registry_document

FEW, MANY = 10_000, 1_000_000
ROUNDS = 3
BATCH = 500
ENV = {"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY}


@dataclass(frozen=True)
class GrowthFigures:
    """With many reports and with few: resident bytes, seconds until a start is ready, and the p95 of each question of
    :mod:`bench.reading` in milliseconds. The few that a start is measured with are none."""

    memory: tuple[int, int]
    start_s: list[tuple[float, float]]
    reading_ms: dict[str, tuple[float, float]]


def measure(directory: Path, many: int = MANY) -> GrowthFigures:
    """One process takes all reports, and another only the first of them, to be asked the same in turn."""
    with _serving(directory / "many") as (service, client):
        _post(client, 0, FEW)
        few = service.memory()
        _post(client, FEW, many)
        memory = (service.memory(), few)
        with _serving(directory / "few") as (_, other):
            _post(other, 0, FEW)
            asked = reading.ask(client, other)
    starts = [(_start_s(directory / "many"), _start_s(directory / "empty")) for _ in range(ROUNDS)]
    return GrowthFigures(memory, starts, {what: (slow, quick) for what, (slow, quick) in asked.items()})


@contextmanager
def _serving(folder: Path) -> Iterator[tuple[Service, httpx.Client]]:
    with _serve(folder) as service, httpx.Client(base_url=service.url, headers=bearer(), timeout=120) as client:
        client.put("/v1/registry", json=registry_document()).raise_for_status()
        yield service, client


def measure_services(directory: Path, many: int = MANY) -> dict[str, tuple[int, int]]:
    """Resident bytes of each service, one of each on Kafka and PostgreSQL, after few and after many reports."""
    with Cluster(directory, durable=True) as cluster, cluster.client(timeout_s=120) as client:
        client.put("/v1/registry", json=registry_document()).raise_for_status()
        _post(client, 0, FEW)
        few = {kind: cluster.one(kind).memory() for kind in KINDS}
        _post(client, FEW, many)
        return {kind: (few[kind], cluster.one(kind).memory()) for kind in KINDS}


def _serve(folder: Path) -> Service:
    folder.mkdir(exist_ok=True)
    return Service("serve", ["serve", "--data", str(folder / "data")], folder, ENV)


def _start_s(folder: Path) -> float:
    """Seconds until it is ready."""
    service, begin = _serve(folder), time.perf_counter()
    with service:
        return time.perf_counter() - begin


def _post(client: httpx.Client, first: int, last: int) -> None:
    for start in range(first, last, BATCH):
        _post_all(client, json.dumps(generated(min(BATCH, last - start), start)))
        if start % 50_000 == 0:
            _until_assessed(client)
    _until_assessed(client)


def _post_all(client: httpx.Client, batch: str) -> None:
    """As a partner does: again, when it is asked to come later."""
    while (answer := client.post("/v1/incidents/batch", content=batch)).status_code == httpx.codes.SERVICE_UNAVAILABLE:
        time.sleep(float(answer.headers["retry-after"]))
    answer.raise_for_status()


def _until_assessed(client: httpx.Client) -> None:
    """Until nothing has waited for anybody at two looks in a row."""
    quiet = 0
    while quiet < 2:
        parts = client.get("/status").json()["components"]
        quiet = quiet + 1 if not any(parts[who].get("lag", 1) for who in ("rules", "notify")) else 0
        time.sleep(1.0)
