"""Memory stays bounded: a batch of 16 MiB, 10,000 subscriptions, 10,000 truces, each in a process below 500 MB."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.examples import REPORT
from tests.parts.service import Service
from tests.scenario import OPERATOR_KEY, bearer, registry_document

LIMIT = 500 * 1024 * 1024


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    env = {"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY, "TRUCEWATCH_WEBHOOK_ALLOW": "127.0.0.0/8"}
    with Service("serve", ["serve", "--data", str(tmp_path / "data")], tmp_path, env) as running:
        yield running


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, headers=bearer(), timeout=120) as opened:
        yield opened


def test_a_batch_of_sixteen_mebibytes_is_taken_whole(service: Service, client: httpx.Client) -> None:
    filler = "x" * 1_300
    lines = [json.dumps({**REPORT, "external_id": f"b{n}", "description": filler}) for n in range(9_500)]
    body = "\n".join(lines).encode()
    assert 15 * 1024 * 1024 < len(body) <= 16 * 1024 * 1024
    answer = client.post("/v1/incidents/batch", content=body, headers={"content-type": "application/x-ndjson"})
    assert answer.status_code == 200
    assert {r["status"] for r in answer.json()["results"]} == {202}
    assert service.memory() < LIMIT


def test_ten_thousand_subscriptions_are_held(service: Service, client: httpx.Client) -> None:
    client.put("/v1/registry", json=registry_document()).raise_for_status()

    def subscribe(numbers: range) -> set[int]:
        """By the plain client of the standard library: httpx takes as long as the service."""
        connection, statuses = HTTPConnection("127.0.0.1", service.port, timeout=120), set()
        for number in numbers:
            channel = {"type": "webhook", "url": f"http://127.0.0.1:9/{number}"}
            wanted = {"name": f"desk {number}", "channel": channel, "filter": {"truces": ["latakia-calm"]}}
            body = json.dumps({**wanted, "verified": True})
            connection.request("POST", "/v1/subscriptions", body, bearer() | {"content-type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            statuses.add(answer.status)
        connection.close()
        return statuses

    with ThreadPoolExecutor(16) as many:
        assert set.union(*many.map(subscribe, (range(n, 10_000, 16) for n in range(16)))) == {201}
    client.post("/v1/incidents", json=REPORT).raise_for_status()
    assert service.memory() < LIMIT


def test_ten_thousand_truces_are_held_and_judged_by(service: Service, client: httpx.Client) -> None:
    document = registry_document()
    features = document["areas"]["features"]
    duty = {"bound": "any", "toward": "any", "acts": ["all_weapons"]}
    for number in range(10_000):
        west, south = 35.8 + (number % 100) * 0.06, 32.4 + (number // 100) * 0.045
        features.append(_square(f"cell-{number}", west, south))
        document["truces"].append(_truce(number, duty))
    client.put("/v1/registry", json=document).raise_for_status()
    answer = client.post("/v1/evaluate", json=REPORT)
    assert answer.json()["verdict"] == "violation"
    assert any(f["truce"].startswith("truce-") for f in answer.json()["findings"])
    assert service.memory() < LIMIT


def _square(id: str, west: float, south: float) -> dict[str, Any]:
    size = 0.05
    ring = [[west, south], [west + size, south], [west + size, south + size], [west, south + size], [west, south]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "id": id, "properties": {"name": {"en": id}}, "geometry": geometry}


def _truce(number: int, duty: dict[str, Any]) -> dict[str, Any]:
    said = {
        "id": "declared", "issuer": "syrian-government", "action": "declare", "announced_at": "2016-05-01T00:00:00Z",
        "starts_at": "2016-05-01T00:00:00Z", "ends_at": "2016-06-01T00:00:00Z",
    }  # fmt: skip
    return {
        "id": f"truce-{number}", "name": {"en": f"Truce {number}"}, "kind": "local", "area": f"cell-{number}",
        "duties": [duty], "announcements": [said],
    }  # fmt: skip
