"""From one process to services apart: ``migrate-to`` moves the storage, and all goes on there."""

from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from services.cli.main import make_cli
from tests.e2e.conftest import worked_example
from tests.e2e.reporting import post, wait_assessed
from tests.parts.cluster import KINDS, PUBLIC_URL, Cluster, eventually, every
from tests.parts.receiver import Delivery, Receiver
from tests.scenario import bearer, reports

LISTS = ("/v1/incidents", "/v1/assessments", "/v1/alerts", "/v1/subscriptions", "/v1/keys", "/v1/audit")


@pytest.mark.timeout(600)
def test_what_was_in_one_process_goes_on_in_services_apart(tmp_path: Path, receiver: Receiver) -> None:
    with (
        worked_example(tmp_path, TRUCEWATCH_WEBHOOK_ALLOW="127.0.0.0/8", TRUCEWATCH_PUBLIC_URL=PUBLIC_URL) as service,
        httpx.Client(base_url=service.url, headers=bearer(), timeout=60) as client,
    ):
        made = client.post("/v1/keys", json={"name": "desk", "role": "monitor"}).raise_for_status().json()["key"]
        channel = {"type": "webhook", "url": receiver.url("/desk")}
        client.post("/v1/subscriptions", json={"name": "Desk", "channel": channel}, headers=bearer(made))
        eventually(lambda: [one["status"] for one in every(client, "/v1/subscriptions")] == ["active"], 60)
        posted = client.post("/v1/incidents/batch", json=reports()).raise_for_status()
        wait_assessed(client, [item["incident_id"] for item in posted.json()["results"]])
        alerted = {one["incident_id"] for one in every(client, "/v1/incidents", verdict="violation")}
        receiver.wait_for(lambda found: alerted <= _told(found), 60, "/desk")
        before = {path: every(client, path) for path in LISTS}
    secret = (tmp_path / "data" / "secret.key").read_text()
    sent = len(receiver.received("/desk"))
    with Cluster(tmp_path / "cluster", {}, {"TRUCEWATCH_SECRET_KEY": secret}) as cluster:
        command = ["migrate-to", "--data", str(tmp_path / "data"), cluster.database_uri]
        told = CliRunner().invoke(make_cli(), command, catch_exceptions=False)
        assert told.exit_code == 0, told.output
        for kind in KINDS:
            cluster.add(kind)
        with cluster.client() as client:
            assert {path: every(client, path) for path in LISTS} == before
            assert client.get("/v1/restore").json()["deliveries"] == "sent"
            assert client.get("/v1/alerts", headers=bearer(made)).status_code == 200
            new = post(client, "after")
            wait_assessed(client, [new])
            receiver.wait_for(lambda found: new in _told(found), 60, "/desk")
    assert len(receiver.received("/desk")) == sent + 1


def _told(found: Sequence[Delivery]) -> set[str]:
    return {one.message["data"]["incident_id"] for one in found if one.message["type"].startswith("alert.")}
