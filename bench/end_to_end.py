"""From the POST to the signed webhook, beside Prometheus Alertmanager, which keeps nothing on disk.

Ours stores the report durably, judges it against 1,001 truces, stores assessment and alert, signs, delivers, and
records the attempt. Both get the same number of messages from the same generator and deliver to the same sink.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
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
RATE = 500.0
PACED = 5_000
JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Measured:
    """Alerts a second at saturation; milliseconds from request to arrival at 500 a second."""

    rate: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Target:
    """Where to post, and how a numbered message is written."""

    single: str
    headers: dict[str, str]

    def body(self, number: int) -> Any:
        return {
            **REPORT,
            "external_id": f"bench-{number}",
            "occurred": "2016-05-08T12:00:00Z",
            "location": {"place": f"bench-{number}", "lat": 36.21, "lon": 37.16, "radius_km": 0.5},
        }


class Peer(Target):
    def body(self, number: int) -> Any:
        text = str(REPORT["description"])
        return {"labels": {"alertname": "violation", "n": f"bench-{number}"}, "annotations": {"description": text}}


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
        yield Target(f"{service.url}/v1/incidents", {**JSON, **bearer()})


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


def saturate(target: Target, sink_port: int, peer: bool) -> float:
    """Alerts a second that arrive when 64 connections post one after the other without pause."""
    plan = _plan(target, SATURATED, sink_port, peer)
    result = complete(finish(start(replace(plan, connections=64, timeout_s=120))), SATURATED)
    return SATURATED / result.until_last_s


def pace(target: Target, sink_port: int, peer: bool) -> list[float]:
    """Seconds from request to arrival, by message, at :data:`RATE` single posts a second."""
    plan = replace(_plan(target, PACED, sink_port, peer), rate=RATE)
    result = complete(finish(start(plan)), PACED)
    # The first second is the warming up of both.
    return [b - a for a, b in zip(result.sent_at, result.arrived_at, strict=True)][int(RATE) :]


def _plan(target: Target, count: int, sink_port: int, peer: bool) -> Plan:
    bodies = [json.dumps([target.body(n)] if peer else target.body(n)) for n in range(count)]
    return Plan(target.single, bodies, headers=target.headers, sink_port=sink_port, expect=count)


Run = Callable[[Path, int], AbstractContextManager[Target]]


def measure(directory: Path, run: Run, *, peer: bool = False) -> Measured:
    """One fresh process for the rate and one for the pace. ``peer``: it takes alerts as Alertmanager does."""
    port = free_port()
    with run(directory / "saturated", port) as target:
        rate = saturate(target, port, peer)
    port = free_port()
    with run(directory / "paced", port) as target:
        delays = pace(target, port, peer)
    return Measured(rate, percentile(delays, 0.5) * 1000, percentile(delays, 0.99) * 1000)
