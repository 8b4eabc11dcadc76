"""Shared by the tests of the distributed form: post reports, and wait until they are judged."""

from collections.abc import Collection
from typing import Any

import httpx

from schemas.examples import REPORT
from tests.parts.cluster import eventually


def post(client: httpx.Client, external_id: str, **changes: Any) -> str:
    """The incident that a report became."""
    answer = client.post("/v1/incidents", json={**REPORT, **changes, "external_id": external_id})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["incident_id"])


def state_of(client: httpx.Client, incident: str) -> str:
    return str(client.get(f"/v1/incidents/{incident}").json()["state"])


def wait_assessed(client: httpx.Client, incidents: Collection[str], within_s: float = 60) -> None:
    """Raises TimeoutError."""
    left = set(incidents)

    def all_judged() -> bool:
        left.difference_update([incident for incident in left if state_of(client, incident) == "assessed"])
        return not left

    eventually(all_judged, within_s, lambda: f"{len(left)} of {len(incidents)} not assessed")
