"""Server-sent events by a client that is not ours: cut off in the middle, it resumes by Last-Event-ID, without loss."""

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from httpx_sse import connect_sse

from schemas.examples import REPORT
from tests.parts.service import Service
from tests.scenario import OPERATOR_KEY, bearer, registry_document

ALERTS = 120


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    env = {"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY}
    with (
        Service("serve", ["serve", "--data", str(tmp_path / "data")], tmp_path, env) as service,
        httpx.Client(base_url=service.url, headers=bearer(), timeout=30) as opened,
    ):
        opened.put("/v1/registry", json=registry_document()).raise_for_status()
        yield opened


def test_an_independent_client_resumes_without_loss_or_repetition(client: httpx.Client) -> None:
    def post() -> None:
        for number in range(ALERTS):
            client.post("/v1/incidents", json={**REPORT, "external_id": f"sse-{number}"}).raise_for_status()

    last = client.get("/v1/alerts").json()["next"]
    partner = threading.Thread(target=post)
    partner.start()
    told: list[str] = []
    while len(told) < ALERTS:
        with connect_sse(client, "GET", "/v1/alerts/stream", headers={"last-event-id": last}) as source:
            alerts = (event for event in source.iter_sse() if event.data)
            for number, event in enumerate(alerts):
                told.append(event.json()["incident_id"])
                last = event.id
                if number == 30 or len(told) == ALERTS:
                    break  # hang up in the middle; the reports go on coming
    partner.join()
    assert len(told) == len(set(told)) == ALERTS
    listed = client.get("/v1/alerts", params={"limit": 1000}).json()["items"]
    assert told == [alert["incident_id"] for alert in listed]


def test_a_reader_that_is_cut_off_before_its_first_event_misses_nothing(client: httpx.Client) -> None:
    with connect_sse(client, "GET", "/v1/alerts/stream") as source:
        opening = next(source.iter_sse())
        assert (opening.data, opening.retry) == ("", 2000)
    incident = client.post("/v1/incidents", json=REPORT).raise_for_status().json()["incident_id"]
    with connect_sse(client, "GET", "/v1/alerts/stream", headers={"last-event-id": opening.id}) as source:
        first = next(event for event in source.iter_sse() if event.data)
    assert first.json()["incident_id"] == incident
