"""Costs that must not grow with the history: memory after many reports, the time of a start and of reading on a full
storage."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench import reading
from bench.filling import post_batch, until_quiet
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
        post_batch(client, generated(min(BATCH, last - start), start))
        if start % 50_000 == 0:
            until_quiet(client)
    until_quiet(client)
