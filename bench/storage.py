"""Bytes on disk for a report, by table and by topic: its assessment, its alert, and one delivery of each message.

On SQLite a table counts its pages with those of its indexes; on PostgreSQL its whole relation. The log of the embedded
form counts by topic, as far as it is not trimmed yet.
"""

import json
import random
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg

from bench.channels import sink
from bench.filling import post_batch, until_quiet
from schemas.zones import UTC
from services.platform.settings.config import DATABASE_FILE
from tests.parts.cluster import Cluster
from tests.parts.service import Service
from tests.scenario import OPERATOR_KEY, bearer, registry_document, reports

GENERATED: Final = 2_000
BATCH: Final = 250
_ENV: Final = {"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY, "TRUCEWATCH_WEBHOOK_ALLOW": "127.0.0.0/8"}
#: A table's pages, with those of its indexes.
_PAGES: Final = (
    "SELECT tbl_name, sum(pgsize) FROM dbstat JOIN sqlite_schema USING (name)"
    " WHERE tbl_name NOT LIKE 'sqlite%' GROUP BY 1"
)
_EVENTS: Final = "SELECT topic, sum(length(data)) FROM outbox GROUP BY 1"
_RELATIONS: Final = (
    "SELECT relname, pg_total_relation_size(oid) FROM pg_class"
    " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
)
Read = Callable[[], dict[str, int]]


@dataclass(frozen=True)
class Stored:
    """Bytes for each of ``reports``, by table, and of the events by topic; ``posted`` as they were sent."""

    reports: int
    posted: float
    tables: dict[str, float]
    topics: dict[str, float]

    @property
    def kept(self) -> float:
        """All but the log, which is trimmed."""
        return sum(size for table, size in self.tables.items() if table != "outbox")


def worked_example() -> list[dict[str, Any]]:
    return reports()


def generated(count: int, first: int = 0) -> list[dict[str, Any]]:
    """Reports like the bundled ones, each of another time and a place nearby: few of them can be linked."""
    chosen, patterns = random.Random(14 + first), [one for one in reports() if isinstance(one["occurred"], dict)]
    made: list[dict[str, Any]] = []
    for n in range(first, first + count):
        one = patterns[n % len(patterns)]
        at = datetime(2016, 2, 28, tzinfo=UTC) + timedelta(minutes=chosen.randrange(60 * 24 * 300))
        where = {"lat": 33 + 4 * chosen.random(), "lon": 36 + 3 * chosen.random(), "radius_km": 1.0}
        location = {"place": f"Place {n}", **{name: round(value, 4) for name, value in where.items()}}
        made.append({**one, "external_id": f"stored-{n}", "occurred": at.isoformat(), "location": location})
    return made


def measure_sqlite(directory: Path, sent: list[dict[str, Any]]) -> Stored:
    data = directory / "data"
    directory.mkdir()
    with (
        sink("http") as port,
        Service("serve", ["serve", "--data", str(data)], directory, _ENV) as service,
        httpx.Client(base_url=service.url, headers=bearer(), timeout=120) as client,
    ):
        return _measure(client, port, sent, lambda: _pages(data), lambda: _events(data))


def measure_postgres(directory: Path, sent: list[dict[str, Any]]) -> Stored:
    with sink("http") as port, Cluster(directory, durable=True) as cluster, cluster.client(timeout_s=120) as client:
        return _measure(client, port, sent, lambda: _relations(cluster.database_uri), dict)


def tell(name: str, stored: Stored) -> Iterator[str]:
    """The table of bytes, the largest first."""
    yield f"bytes a report on {name}, {stored.reports} reports of {stored.posted:.0f} B as posted"
    for kind, sizes in (("table", stored.tables), ("topic", stored.topics)):
        for what, size in sorted(sizes.items(), key=lambda item: -item[1]):
            if size >= 1:
                yield f"  {kind} {what:<28} {size:>8,.0f}"
    yield f"  all but the log {'':<18} {stored.kept:>8,.0f}"


def _measure(client: httpx.Client, port: int, sent: list[dict[str, Any]], pages: Read, events: Read) -> Stored:
    client.put("/v1/registry", json=registry_document()).raise_for_status()
    channel = {"type": "webhook", "url": f"http://127.0.0.1:{port}/"}
    client.post("/v1/subscriptions", json={"name": "bench", "channel": channel, "verified": True}).raise_for_status()
    until_quiet(client)
    before, said = pages(), events()
    for first in range(0, len(sent), BATCH):
        post_batch(client, sent[first : first + BATCH])
    until_quiet(client)
    count = len(sent)
    posted = sum(len(json.dumps(one, ensure_ascii=False).encode()) for one in sent) / count
    return Stored(count, posted, _each(pages(), before, count), _each(events(), said, count))


def _each(after: dict[str, int], before: dict[str, int], count: int) -> dict[str, float]:
    return {name: (size - before.get(name, 0)) / count for name, size in after.items()}


def _pages(data: Path) -> dict[str, int]:
    return dict(_query(data, _PAGES))


def _events(data: Path) -> dict[str, int]:
    return dict(_query(data, _EVENTS))


def _query(data: Path, statement: str) -> list[tuple[str, int]]:
    connection = sqlite3.connect(data / DATABASE_FILE)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def _relations(uri: str) -> dict[str, int]:
    with psycopg.connect(uri) as connection:
        return dict(connection.execute(_RELATIONS).fetchall())
