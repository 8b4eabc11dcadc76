"""The database of the services hangs without dying: whoever asks is answered in time, and all goes on when it does."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import httpx

from schemas.examples import REPORT
from tests.e2e.reporting import post, wait_assessed
from tests.parts.cluster import Cluster, eventually, tails
from tests.parts.receiver import Receiver
from tests.parts.service import answers
from tests.verify.rounds import subscribe

#: An orchestrator waits longer before it kills: thirty seconds, where nobody sets it.
STOP_S: Final = 15.0
#: Asked again and again while the database hangs, so that every consumer gives up waiting more than once.
TURNS: Final = 4
AT_ONCE: Final = 8


def test_while_the_database_hangs_nobody_hangs_with_it_and_what_was_refused_gets_through_afterwards(
    cluster: Cluster, client: httpx.Client, receiver: Receiver
) -> None:
    subscribe(cluster, receiver, "/hanging")
    before = post(client, "before it hangs")
    wait_assessed(client, [before])
    reports = [{**REPORT, "external_id": f"while it hangs {number}"} for number in range(TURNS * AT_ONCE)]
    with cluster.postgres.paused(), ThreadPoolExecutor(AT_ONCE) as many:
        refusals = list(many.map(lambda report: client.post("/v1/incidents", json=report), reports))
        paths = (f"/v1/incidents/{before}", f"/v1/incidents/{before}/assessments", "/v1/subscriptions", "/v1/keys")
        refusals += many.map(lambda path: client.get(path), paths)
        assert all(answers(f"{service.url}/livez") for service in cluster.services)
    assert [answer.status_code for answer in refusals] == [503] * len(refusals)
    assert all(int(answer.headers["retry-after"]) > 0 for answer in refusals)

    incidents = {eventually(lambda: taken(client, report), 30) for report in reports}  # noqa: B023 - called at once
    assert len(incidents) == len(reports)
    wait_assessed(client, incidents)
    receiver.wait_for(lambda found: len({one.message["data"]["incident_id"] for one in found}) > len(incidents), 60,
                      "/hanging")  # fmt: skip


def taken(client: httpx.Client, report: object) -> str | None:
    """The incident that a report is, as soon as it is let in: it may be in already."""
    answer = client.post("/v1/incidents", json=report)
    return str(answer.json()["incident_id"]) if answer.status_code in (200, 202) else None


def test_told_to_stop_while_the_database_hangs_every_process_ends_all_the_same(tmp_path: Path) -> None:
    with Cluster(tmp_path) as cluster, cluster.client() as client, ThreadPoolExecutor(2) as asking:
        wait_assessed(client, [post(client, "before it hangs")])
        children = [service.child for service in cluster.services if service.child is not None]
        with cluster.postgres.paused():
            # Something is under way in each of them, on every path to the database.
            waiting = [
                asking.submit(client.get, "/v1/subscriptions"),
                asking.submit(client.post, "/v1/incidents", json={**REPORT, "external_id": "while it hangs"}),
            ]
            time.sleep(1)
            for child in children:
                child.send_signal(signal.SIGTERM)
            assert [child.wait(STOP_S) for child in children] == [0, 0, 0], tails(cluster.services)
        for answer in (one.result() for one in waiting):
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
