"""The log between the services: what happens while it is away, and poison on it."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx
import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from schemas.codec import encode
from schemas.envelope import Event
from schemas.events import IncidentReported
from schemas.examples import REPORT
from schemas.report import Report
from schemas.topics import DEAD_SUFFIX, INCIDENTS, SERVICE_STATUS, TOPICS
from services.platform.bus.dead_letters import DeadLetters
from services.platform.clock import SystemClock
from services.platform.db.engine import Database
from services.platform.settings.config import normal_url
from tests.e2e.cluster.test_two_of_each import statuses
from tests.e2e.reporting import post, wait_assessed
from tests.parts.cluster import Cluster, eventually, every

Json = dict[str, Any]
POISON: Final = b'{"incident_id": "poisoned", "revision": 1, "partner": 7}'


@contextmanager
def stopped(cluster: Cluster) -> Iterator[None]:
    with cluster.kafka.paused():
        yield


@contextmanager
def killed(cluster: Cluster) -> Iterator[None]:
    cluster.kafka.kill()
    try:
        yield
    finally:
        cluster.kafka.start()


@pytest.mark.parametrize("away", [killed, stopped])
def test_while_kafka_is_away_every_post_is_answered_in_time_and_what_is_accepted_is_judged(
    cluster: Cluster, client: httpx.Client, away: Any
) -> None:
    accepted = set()
    with away(cluster):
        for number in range(30):
            answer = client.post("/v1/incidents", json={**REPORT, "external_id": f"{away.__name__}-{number}"})
            if answer.status_code == 202:
                accepted.add(answer.json()["incident_id"])
            else:
                assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
            time.sleep(0.2)
    # The outbox takes them: with the database up, none has to be sent away.
    assert len(accepted) == 30
    wait_assessed(client, accepted, 90)


def test_poison_stops_nobody_and_is_listed_with_its_reason(cluster: Cluster, client: httpx.Client) -> None:
    put(cluster, INCIDENTS.name, POISON, "poison-1", key=b"poisoned")
    incidents = {post(client, f"beside-poison-{n}") for n in range(30)}
    wait_assessed(client, incidents)
    letter = eventually(lambda: find_letter(client, "poison-1"), 30)
    assert (letter["topic"], letter["consumer"], letter["key"]) == ("incidents", "rules.incidents", "poisoned")
    assert "partner" in letter["reason"]
    shown = eventually(lambda: console(cluster, "incidents" + DEAD_SUFFIX, "poison-1"), 60)
    assert f"ce_reason:{letter['reason']}" in shown

    assert client.post(f"/v1/dead-letters/{letter['id']}/retry").status_code in (200, 202)
    again = eventually(lambda: find_letter(client, "poison-1", after=letter["died_at"]), 30)
    assert again["id"] == letter["id"]


def dead_letters(client: httpx.Client) -> set[str]:
    return {letter["event_id"] for letter in every(client, "/v1/dead-letters")}


def find_letter(client: httpx.Client, event_id: str, after: str = "") -> Json | None:
    letters = every(client, "/v1/dead-letters")
    return next((one for one in letters if one["event_id"] == event_id and one["died_at"] > after), None)


def console(cluster: Cluster, topic: str, sign: str) -> str | None:
    """The output of Kafka's console consumer on a topic, once ``sign`` is in it."""
    shown = cluster.kafka.console_consumer(topic, 1, timeout_s=5)
    return shown if sign in shown else None


def test_what_died_of_a_fault_that_is_mended_is_judged_after_a_retry(cluster: Cluster, client: httpx.Client) -> None:
    now = "2016-05-09T00:00:00Z"
    report = msgspec.convert({**REPORT, "external_id": "mended"}, Report)
    fact = IncidentReported("mended-incident", 1, "admin", now, report)
    event = encode(INCIDENTS, fact, key=fact.incident_id, id="mended-1", time=now)
    asyncio.run(add_dead_letter(cluster, event))
    letter = eventually(lambda: find_letter(client, "mended-1"), 10)
    assert client.post(f"/v1/dead-letters/{letter['id']}/retry").status_code in (200, 202)
    judged = eventually(lambda: every(client, "/v1/incidents/mended-incident/assessments"), 30)
    assert [one["verdict"] for one in judged] == ["violation"]
    assert find_letter(client, "mended-1") is None


async def add_dead_letter(cluster: Cluster, event: Event) -> None:
    database = Database(normal_url(cluster.database_uri))
    await DeadLetters(database, SystemClock()).add("rules.incidents", event, "a fault of ours")
    await database.close()


@pytest.mark.parametrize("topic", ["keys", "registry", "service-status", "audit", "assessments", "alerts"])
def test_poison_on_any_topic_leaves_every_process_at_work(cluster: Cluster, client: httpx.Client, topic: str) -> None:
    for name, value in (("broken", b"{"), ("tombstone", None)):
        put(cluster, topic, value, f"{topic}-{name}", key=f"settings/{name}".encode())
    made = client.post("/v1/keys", json={"name": f"after {topic}", "role": "monitor"}).json()
    eventually(lambda: statuses(cluster, made["key"]) == {200}, 10)
    wait_assessed(client, [post(client, f"after-{topic}-{n}") for n in range(5)])
    assert all(service.running for service in cluster.services)
    if topic != SERVICE_STATUS.name:
        eventually(lambda: dead_letters(client) >= {f"{topic}-broken", f"{topic}-tombstone"}, 10)


def test_a_process_starts_beside_poison_that_lies_on_every_topic(cluster: Cluster) -> None:
    for topic in TOPICS:
        put(cluster, topic, b"\xff", f"lying-{topic}", key=b"settings/lying")
    for kind in ("ingest", "rules", "notify"):
        late = cluster.add(kind)
        late.stop()
        cluster.services.remove(late)


def put(cluster: Cluster, topic: str, value: bytes | None, id: str, *, key: bytes) -> None:
    """A CloudEvent on a topic, whatever its data is."""
    asyncio.run(produce(cluster, topic, value, id, key))


async def produce(cluster: Cluster, topic: str, value: bytes | None, id: str, key: bytes) -> None:
    attributes = {"specversion": "1.0", "id": id, "source": "/tests", "type": "trucewatch.test"}
    headers = [(f"ce_{name}", text.encode()) for name, text in attributes.items()]
    async with AIOKafkaProducer(bootstrap_servers=cluster.kafka.bootstrap) as producer:
        await producer.send_and_wait(topic, value, key=key, headers=headers)
