"""A subscription may name an id as soon as the registry answered that it is there; a misspelt one is refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.parts.service import Service
from tests.scenario import OPERATOR_KEY, bearer, registry_document


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    env = {"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY, "TRUCEWATCH_WEBHOOK_ALLOW": "127.0.0.0/8"}
    with (
        Service("serve", ["serve", "--data", str(tmp_path / "data")], tmp_path, env) as running,
        httpx.Client(base_url=running.url, headers=bearer(), timeout=60) as opened,
    ):
        yield opened


def draft(party: str) -> dict[str, Any]:
    return {
        "name": "Desk",
        "channel": {"type": "webhook", "url": "http://127.0.0.1:9/x"},
        "filter": {"parties": [party]},
    }


def test_a_party_may_be_named_right_after_it_was_put_and_a_misspelt_one_is_refused(client: httpx.Client) -> None:
    client.put("/v1/registry", json=registry_document()).raise_for_status()
    assert client.post("/v1/subscriptions", json=draft("opposition")).status_code == 201
    for number in range(20):
        party = {"id": f"group-{number}", "kind": "armed_group", "name": {"en": f"Group {number}"}}
        client.put(f"/v1/parties/group-{number}", json=party).raise_for_status()
        assert client.post("/v1/subscriptions", json=draft(f"group-{number}")).status_code == 201
    refused = client.post("/v1/subscriptions", json=draft("oposition"))
    assert refused.status_code == 422
    (error,) = refused.json()["errors"]
    assert error["pointer"] == "/filter/parties/0"
    assert "'opposition'" in error["detail"]
