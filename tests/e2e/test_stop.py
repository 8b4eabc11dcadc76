"""SIGTERM and Ctrl-C under load: a clean end within five seconds, and nothing that got a 202 is lost."""

import signal
from pathlib import Path

import httpx
import pytest

from services.platform.process import lifecycle
from tests.e2e.test_kill import Partner
from tests.parts.receiver import Receiver
from tests.parts.service import Service
from tests.scenario import OPERATOR_KEY, bearer, registry_document


def test_all_that_an_end_waits_for_takes_less_than_five_seconds() -> None:
    assert lifecycle.GRACE_S + lifecycle.LOOP_GRACE_S < 5


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_and_loses_nothing(tmp_path: Path, receiver: Receiver, asked: signal.Signals) -> None:
    env = {"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY, "TRUCEWATCH_WEBHOOK_ALLOW": "127.0.0.0/8"}
    service = Service("serve", ["serve", "--data", str(tmp_path / "data")], tmp_path, env)
    with service:
        with httpx.Client(base_url=service.url, headers=bearer(), timeout=30) as client:
            client.put("/v1/registry", json=registry_document()).raise_for_status()
            channel = {"type": "webhook", "url": receiver.url("/desk")}
            client.post(
                "/v1/subscriptions", json={"name": "desk", "channel": channel, "verified": True}
            ).raise_for_status()
        partner = Partner(service.url)
        partner.start()
        receiver.wait_for(lambda found: len(found) > 20, within_s=30, path="/desk")
        assert service.child is not None
        service.child.send_signal(asked)
        assert service.child.wait(60) == 0, service.tail()
        service.start()
        partner.stopping.set()
        partner.join(30)
        expected = set(partner.accepted.values())
        receiver.wait_for(
            lambda found: expected <= {d.message["data"]["incident_id"] for d in found}, within_s=60, path="/desk"
        )
    told = [d.message["data"]["incident_id"] for d in {d.id: d for d in receiver.received("/desk")}.values()]
    assert len(told) == len(set(told))
