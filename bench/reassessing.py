"""A truce changes where many incidents are stored, and 1 % of them may be touched: how long judging them again takes,
and the dry run of the change, beside reading the same incidents and judging them in memory; and what live traffic
feels of it.

The incidents lie in an area of the end-to-end measure: one of each hundred in the last week of its truce, as many in
the year before it. These are reported and judged; the others are copies of the latter (:mod:`bench.copies`), each lot
earlier than the one before. The change ends the truce a week earlier.
"""

import asyncio
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
from sqlalchemy import Connection, create_engine, select

from bench.copies import copy_incidents
from bench.end_to_end import TRUCES, registry
from bench.filling import post_batch, until_quiet
from bench.load import Plan, complete, finish, percentile, start
from schemas.examples import REPORT
from schemas.instants import DAY, parse_instant
from services.platform.clock import SystemClock
from services.platform.db.engine import Database
from services.platform.settings.config import embedded_url
from services.rules.assessing.sql import SqlJudgements, judged
from services.rules.judging.evaluate import Judge
from services.rules.registry.domain.document import compile_document
from services.rules.registry.wire import read_document
from tests.parts.process import free_port
from tests.parts.service import Service
from tests.scenario import OPERATOR_KEY, bearer

STORED: Final = 1_000_000
#: One incident of so many may be touched.
SHARE: Final = 100
#: Reports a second beside it, and how many without.
LIVE: Final = 50.0
USUAL: Final = 1_500
_BATCH: Final = 500
_SLICE: Final = 50
_LAST_WEEK: Final = datetime(2016, 5, 26, tzinfo=UTC)
#: Live reports are violations of the other truces, each of another place or time: few can be linked.
_WITHIN: Final = datetime(2016, 5, 8, tzinfo=UTC)
_HERE: Final = (36.05, 37.05)
_BEFORE: Final = datetime(2015, 1, 1, tzinfo=UTC)
_BEFORE_MINUTES: Final = 360 * 24 * 60
_EARLIER: Final = 60 * DAY
_ENV: Final = {"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY, "TRUCEWATCH_WEBHOOK_ALLOW": "127.0.0.0/8"}
_END: Final = {
    "id": "truce-here-ended", "issuer": "opposition", "action": "end", "announced_at": "2016-05-24T00:00:00Z",
    "ends_at": "2016-05-25T00:00:00Z",
}  # fmt: skip


@dataclass(frozen=True)
class Reassessed:
    """Seconds for ``touched`` incidents: judged again, dry run, and read and judged in memory. ``p99_ms`` of a live
    report from its POST to its webhook, without and beside a reassessment."""

    touched: int
    seconds: float
    dry_run_s: float
    in_memory_s: float
    usual_p99_ms: float
    beside_p99_ms: float


def measure(directory: Path, stored: int = STORED) -> Reassessed:
    """Raises RuntimeError unless exactly the incidents of the last week were judged again."""
    data, port = directory / "data", free_port()
    store(data, stored)
    with _serve(data) as client:
        channel = {"type": "webhook", "url": f"http://127.0.0.1:{port}/"}
        subscription = {"name": "bench", "channel": channel, "verified": True}
        client.post("/v1/subscriptions", json=subscription).raise_for_status()
        usual = _delays(client, port, "usual", USUAL)
        begin = time.perf_counter()
        shown = client.post("/v1/truces/truce-here/announcements?dry_run=true", json=_END).raise_for_status().json()
        dry_run_s = time.perf_counter() - begin
        live = start(_plan(client, port, "beside", USUAL))
        begin = time.perf_counter()
        client.post("/v1/truces/truce-here/announcements", json=_END).raise_for_status()
        one = _until_done(client)
        seconds = time.perf_counter() - begin
        beside = _in_ms(complete(finish(live), USUAL))
        version = client.get("/v1/registry").json()
    touched = stored // SHARE
    if one["candidates"] != touched:
        raise RuntimeError(f"{one['candidates']} incidents were judged again, not {touched}: {one}")
    if not shown["flips"]:
        raise RuntimeError(f"the dry run found nothing: {shown}")
    in_memory = asyncio.run(_in_memory(data, version, touched))
    return Reassessed(touched, seconds, dry_run_s, in_memory, percentile(usual, 0.99), percentile(beside, 0.99))


@contextmanager
def _serve(data: Path) -> Iterator[httpx.Client]:
    with (
        Service("serve", ["serve", "--data", str(data)], data.parent, _ENV) as service,
        httpx.Client(base_url=service.url, headers=bearer(), timeout=600) as client,
    ):
        yield client


def store(data: Path, stored: int) -> None:
    """A stopped data directory with so many incidents."""
    touched = stored // SHARE
    with _serve(data) as client:
        client.put("/v1/registry", json=registry()).raise_for_status()
        _fill(client, touched)
    engine = create_engine(embedded_url(data))
    copy_incidents(engine, parse_instant(_LAST_WEEK.isoformat()), (stored - 2 * touched) // touched, _EARLIER)
    engine.dispose()
    # Else the first checkpoint waits for all of it to be on disk.
    os.sync()


def _report(name: str, occurred: datetime, lat: float, lon: float) -> dict[str, Any]:
    place = {"place": name, "lat": lat, "lon": lon, "radius_km": 0.5}
    return {**REPORT, "external_id": name, "occurred": occurred.isoformat(), "location": place}


def _stored(number: int, occurred: datetime) -> dict[str, Any]:
    lat, lon = (at + number * prime % 1_000 / 2_500 for at, prime in zip(_HERE, (7_919, 104_729), strict=True))
    return _report(f"stored-{number}", occurred, lat, lon)


def _live(number: int, of: str) -> dict[str, Any]:
    """In one of the squares of the registry."""
    row, column = divmod(number % TRUCES, 40)
    occurred = _WITHIN + timedelta(minutes=number * 997 % 17_000)
    return _report(f"{of}-bench-{number}", occurred, 33.02 + row * 0.07, 35.02 + column * 0.1)


def _fill(client: httpx.Client, touched: int) -> None:
    """So many in the last week of the truce, and as many in the year before."""
    last_week = [_stored(n, _LAST_WEEK + timedelta(minutes=n % 8_000)) for n in range(touched)]
    before = [_stored(n, _BEFORE + timedelta(minutes=n * 7_919 % _BEFORE_MINUTES)) for n in range(touched, 2 * touched)]
    reports = [*last_week, *before]
    for first in range(0, len(reports), _BATCH):
        post_batch(client, reports[first : first + _BATCH])
        if first % (10 * _BATCH) == 0:
            until_quiet(client)
    until_quiet(client)


def _until_done(client: httpx.Client) -> dict[str, Any]:
    while True:
        one: dict[str, Any] = client.get("/v1/reassessments?limit=1").json()["items"][0]
        if one["state"] == "done":
            return one
        time.sleep(0.25)


def _plan(client: httpx.Client, port: int, of: str, count: int) -> Plan:
    bodies = [json.dumps(_live(number, of)) for number in range(count)]
    headers = {"content-type": "application/json", **bearer()}
    return Plan(
        f"{str(client.base_url).rstrip('/')}/v1/incidents", bodies, rate=LIVE, headers=headers, sink_port=port,
        expect=count, timeout_s=120,
    )  # fmt: skip


def _delays(client: httpx.Client, port: int, of: str, count: int) -> list[float]:
    return _in_ms(complete(finish(start(_plan(client, port, of, count))), count))


def _in_ms(result: Any) -> list[float]:
    return [(b - a) * 1000 for a, b in zip(result.sent_at, result.arrived_at, strict=True)][int(LIVE) :]


async def _in_memory(data: Path, document: Any, touched: int) -> float:
    """Seconds to read the touched incidents and judge them, in slices as a reassessment takes them."""
    database, now = Database(embedded_url(data)), SystemClock().now()
    judge = Judge(compile_document(read_document(msgspec.json.encode(document)), 1))
    judgements = SqlJudgements(database)
    ids = await database.read(_touched_ids)
    if len(ids) != touched:
        raise RuntimeError(f"{len(ids)} incidents are stored of the last week, not {touched}")
    begin = time.perf_counter()
    for first in range(0, len(ids), _SLICE):
        cases = await judgements.cases_of(ids[first : first + _SLICE])
        judge.assess([one.case for one, _ in cases], now)
    seconds = time.perf_counter() - begin
    await database.close()
    return seconds


def _touched_ids(connection: Connection) -> Sequence[str]:
    since = parse_instant(_LAST_WEEK.isoformat())
    return connection.execute(select(judged.c.incident_id).where(judged.c.occurred_from >= since)).scalars().all()
