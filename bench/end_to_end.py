"""From the POST to the signed webhook, beside two floors and Prometheus Alertmanager, which keeps nothing on disk.

Ours stores the report durably, judges it against 1,001 truces, stores assessment and alert, signs, delivers, and
records the attempt. All get the same number of messages from the same generator and deliver to the same sink.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from bench.load import Plan, complete, finish, percentile, start
from schemas.examples import REPORT
from tests.parts.alertmanager import Alertmanager
from tests.parts.process import free_port
from tests.parts.service import Service
from tests.scenario import OPERATOR_KEY, bearer

TRUCES = 1_000
SATURATED = 12_000
ROUNDS = 3
#: Reports a second, and for how many seconds; the first one warms up and does not count.
RATES = (200.0, 500.0)
PACED_S = 11
JSON = {"content-type": "application/json"}


@dataclass
class EndToEndFigures:
    """Round by round: alerts a second at saturation and microseconds of CPU for each, of ours and of the bare loop;
    Alertmanager's alerts a second; and by rate the p50 and p99 from request to arrival, in milliseconds, of ours and
    of the relay."""

    rate: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    loop: list[float] = field(default_factory=list)
    loop_cpu_us: list[float] = field(default_factory=list)
    alertmanager: list[float] = field(default_factory=list)
    ours_ms: dict[float, list[tuple[float, float]]] = field(default_factory=lambda: {rate: [] for rate in RATES})
    relay_ms: dict[float, list[tuple[float, float]]] = field(default_factory=lambda: {rate: [] for rate in RATES})


@dataclass(frozen=True)
class Target:
    """Where to post, and how a numbered message is written. ``cpu_s``: processor seconds that it used so far."""

    single: str
    headers: dict[str, str]
    cpu_s: Callable[[], float] = float

    def body(self, number: int) -> Any:
        """A violation of the truce that holds here, at a time and a place of its own: what is alike would be linked."""
        at = datetime(2016, 5, 2, tzinfo=UTC) + timedelta(minutes=number * 7_919 % 40_000)
        lat, lon = 36.05 + number * 104_729 % 1_000 / 2_500, 37.05 + number * 1_299_709 % 1_000 / 2_500
        return {
            **REPORT,
            "external_id": f"bench-{number}",
            "occurred": at.isoformat(),
            "location": {"place": f"bench-{number}", "lat": lat, "lon": lon, "radius_km": 0.5},
        }


class Peer(Target):
    def body(self, number: int) -> Any:
        text = str(REPORT["description"])
        return [{"labels": {"alertname": "violation", "n": f"bench-{number}"}, "annotations": {"description": text}}]


def registry() -> dict[str, Any]:
    """1,000 local truces of 50 corners somewhere in the country, and one that covers what is reported."""
    features = [_square("here", 37.0, 36.0, 0.5)] + [
        _square(f"area-{n}", 35.0 + (n % 40) * 0.1, 33.0 + (n // 40) * 0.07, 0.04) for n in range(TRUCES)
    ]
    duty = {"bound": "any", "toward": "any", "acts": ["all_weapons"]}
    truces = [_truce("truce-here", "here", duty)] + [_truce(f"truce-{n}", f"area-{n}", duty) for n in range(TRUCES)]
    return {
        "version": 1,
        "timezone": "UTC",
        "parties": [
            {"id": "opposition", "kind": "coalition", "name": {"en": "opposition"}, "aliases": ["opposition fighters"]},
            {"id": "civilians", "kind": "civilians", "name": {"en": "civilians"}},
        ],
        "presence": [],
        "areas": {"type": "FeatureCollection", "features": features},
        "truces": truces,
    }


def _square(id: str, west: float, south: float, size: float) -> dict[str, Any]:
    ring = [[west, south], [west + size, south], [west + size, south + size], [west, south + size], [west, south]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "id": id, "properties": {"name": {"en": id}}, "geometry": geometry}


def _truce(id: str, area: str, duty: dict[str, Any]) -> dict[str, Any]:
    said = {
        "id": f"{id}-declared", "issuer": "opposition", "action": "declare",
        "announced_at": "2016-05-01T00:00:00Z", "starts_at": "2016-05-01T00:00:00Z", "ends_at": "2016-06-01T00:00:00Z",
    }  # fmt: skip
    return {
        "id": id, "name": {"en": id}, "kind": "local", "area": area, "duties": [duty], "announcements": [said],
    }  # fmt: skip


@contextmanager
def trucewatch(directory: Path, sink_port: int) -> Iterator[Target]:
    """A fresh ``trucewatch serve`` with one subscriber."""
    env = {"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY, "TRUCEWATCH_WEBHOOK_ALLOW": "127.0.0.0/8"}
    with Service("serve", ["serve", "--data", str(directory / "data")], directory, env) as service:
        with httpx.Client(base_url=service.url, headers=bearer(), timeout=60) as client:
            client.put("/v1/registry", json=registry()).raise_for_status()
            channel = {"type": "webhook", "url": f"http://127.0.0.1:{sink_port}/"}
            made = client.post("/v1/subscriptions", json={"name": "bench", "channel": channel, "verified": True})
            made.raise_for_status()
        yield Target(f"{service.url}/v1/incidents", {**JSON, **bearer()}, service.cpu_s)


@contextmanager
def alertmanager(directory: Path, sink_port: int) -> Iterator[Target]:
    """A fresh Alertmanager: one group an alert, sent at once."""
    config = json.dumps(
        {
            "route": {"receiver": "sink", "group_by": ["..."], "group_wait": "0s", "group_interval": "5m"},
            "receivers": [
                {
                    "name": "sink",
                    "webhook_configs": [{"url": f"http://127.0.0.1:{sink_port}/", "send_resolved": False}],
                }
            ],
        }
    )
    with Alertmanager(directory, config) as peer:
        yield Peer(f"{peer.url}/api/v2/alerts", JSON)


Run = Callable[[Path, int], AbstractContextManager[Target]]


def measure(directory: Path, relay: Run, loop: Callable[[], tuple[float, float]]) -> EndToEndFigures:
    """Each run on a fresh process, the peers in turn with ours. ``loop`` gives its messages a second and microseconds
    of CPU for each."""
    found = EndToEndFigures()
    for number in range(ROUNDS):
        rate, cpu_us = saturate(directory / f"saturated-{number}", trucewatch)
        found.rate.append(rate)
        found.cpu_us.append(cpu_us)
        rate, cpu_us = loop()
        found.loop.append(rate)
        found.loop_cpu_us.append(cpu_us)
        found.alertmanager.append(saturate(directory / f"peer-{number}", alertmanager)[0])
        for pace in RATES:
            for who, run in ((found.ours_ms, trucewatch), (found.relay_ms, relay)):
                who[pace].append(delays(directory / f"{run.__name__}-{pace:.0f}-{number}", run, pace))
    return found


def saturate(directory: Path, run: Run) -> tuple[float, float]:
    """Alerts a second that arrive when 64 connections post one after the other without pause, and microseconds of the
    service's CPU for each."""
    port = free_port()
    with run(directory, port) as target:
        before = target.cpu_s()
        plan = replace(_plan(target, SATURATED, port), connections=64, timeout_s=120)
        result = complete(finish(start(plan)), SATURATED)
        return SATURATED / result.until_last_s, (target.cpu_s() - before) / SATURATED * 1e6


def delays(directory: Path, run: Run, rate: float) -> tuple[float, float]:
    """p50 and p99 from request to arrival, in milliseconds, at so many single posts a second."""
    port = free_port()
    with run(directory, port) as target:
        return delays_of(target, port, rate)


def delays_of(target: Target, sink_port: int, rate: float) -> tuple[float, float]:
    """The same, of what runs already."""
    count = int(rate * PACED_S)
    result = complete(finish(start(replace(_plan(target, count, sink_port), rate=rate))), count)
    found = [(b - a) * 1000 for a, b in zip(result.sent_at, result.arrived_at, strict=True)][int(rate) :]
    return percentile(found, 0.5), percentile(found, 0.99)


def _plan(target: Target, count: int, sink_port: int) -> Plan:
    bodies = [json.dumps(target.body(n)) for n in range(count)]
    return Plan(target.single, bodies, headers=target.headers, sink_port=sink_port, expect=count)
