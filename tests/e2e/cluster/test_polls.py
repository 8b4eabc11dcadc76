"""A list that two ingest processes poll, one of which is killed: each record is taken once in effect."""

from typing import Any, Final

import httpx
import pytest

from tests.parts.cluster import Cluster, eventually, every
from tests.parts.form_server import KOBO, FormServer
from tests.unit.connectors.form_samples import CHOICES, KOBO_FIELDS, kobo_submission

SUBMISSIONS: Final = 40
PARTNER: Final = "Polled desk"


@pytest.mark.timeout(600)  # A killed process keeps its lease for three minutes.
def test_two_processes_that_poll_take_each_record_once_also_when_one_is_killed(
    cluster: Cluster, client: httpx.Client
) -> None:
    with FormServer() as source:
        source.has(KOBO, *(kobo_submission(_id=number) for number in range(1, SUBMISSIONS + 1)))
        body: dict[str, Any] = {
            "kind": "kobo", "partner": PARTNER, "fields": KOBO_FIELDS, "choices": CHOICES,
            "poll": {"url": source.url(KOBO), "every": "PT10S", "full_every": "PT10S"},
        }  # fmt: skip
        client.put("/v1/adapters/polled", json=body).raise_for_status()
        eventually(lambda: source.asked, 30)
        # In the middle of a pass, or beside it: the other goes on once the lease is over.
        victim = cluster.of("ingest")[-1]
        victim.kill()
        victim.start()
        eventually(lambda: client.get("/v1/adapters/polled").json()["last_full_at"], 240)
        read = client.get("/v1/adapters/polled").json()["read"]
        eventually(lambda: client.get("/v1/adapters/polled").json()["read"] >= read + SUBMISSIONS, 120)
        found = [one for one in every(client, "/v1/incidents") if one["partner"] == PARTNER]
        assert (len(found), {one["revision"] for one in found}) == (SUBMISSIONS, {1})
        client.delete("/v1/adapters/polled").raise_for_status()
