"""kill -9 at random moments under load: nothing that got a 202 is lost, nobody is alerted twice under another id."""

import random
import threading
import time
from collections import defaultdict
from pathlib import Path

import httpx

from schemas.examples import REPORT
from tests.parts.receiver import Receiver
from tests.parts.service import Service
from tests.scenario import OPERATOR_KEY, bearer, registry_document

KILLS = 20


class Partner(threading.Thread):
    """Posts numbered reports without pause, and again whatever got no answer; remembers each 202 and 200."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.accepted: dict[str, str] = {}
        self.stopping = threading.Event()

    def run(self) -> None:
        number = 0
        with httpx.Client(base_url=self.url, headers=bearer(), timeout=5) as client:
            while not self.stopping.is_set():
                if self._posted(client, f"numbered-{number}"):
                    number += 1

    def _posted(self, client: httpx.Client, external_id: str) -> bool:
        try:
            answer = client.post("/v1/incidents", json={**REPORT, "external_id": external_id})
        except httpx.HTTPError:
            time.sleep(0.01)
            return False
        if answer.status_code in (200, 202):
            self.accepted[external_id] = answer.json()["incident_id"]
            return True
        assert answer.status_code == 503, answer.text
        return False


def test_twenty_kills_lose_nothing_and_repeat_nothing(tmp_path: Path, receiver: Receiver) -> None:
    chance = random.Random(20160508)
    env = {"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY, "TRUCEWATCH_WEBHOOK_ALLOW": "127.0.0.0/8"}
    service = Service("serve", ["serve", "--data", str(tmp_path / "data")], tmp_path, env)
    with service:
        with httpx.Client(base_url=service.url, headers=bearer(), timeout=30) as client:
            client.put("/v1/registry", json=registry_document()).raise_for_status()
            made = client.post(
                "/v1/subscriptions",
                json={"name": "desk", "channel": {"type": "webhook", "url": receiver.url("/desk")}, "verified": True},
            )
            made.raise_for_status()
            receiver.trust("/desk", made.json()["secret"])
        partner = Partner(service.url)
        partner.start()
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.05, 0.6))  # the load runs on; the moment of the kill is the test's chance
            service.kill()
            service.start()
        partner.stopping.set()
        partner.join(30)
        assert len(partner.accepted) > KILLS
        expected = set(partner.accepted.values())

        def all_told(found: list[object]) -> bool:
            return expected <= {d.message["data"]["incident_id"] for d in receiver.received("/desk")}

        receiver.wait_for(lambda found: all_told(list(found)), within_s=60, path="/desk")

    ids: dict[str, set[str]] = defaultdict(set)
    for delivery in receiver.received("/desk"):
        assert delivery.signed
        assert delivery.type == "alert.raised"
        ids[delivery.message["data"]["incident_id"]].add(delivery.id)
    assert {incident: found for incident, found in ids.items() if len(found) > 1} == {}
    assert set(ids) >= expected
