"""A partner's own topic, read by two ingest processes that come, go and are killed while it is produced to."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from schemas.examples import REPORT
from services.platform.bus.kafka_topics import create_topics, new_topic
from tests.e2e.test_pages import commands, follow
from tests.parts.cluster import Cluster, eventually, every
from tests.parts.kafka import QUIET, jars, java
from tests.scenario import OPERATOR_KEY

TOPIC: Final = "partner.reports"
PARTNER: Final = "Partner with a log"
INCIDENTS: Final = 120
#: Contents of each incident, in order: the first comes back at the end.
KILLED: Final = (1, 2, 1)


def report(number: int, killed: int) -> bytes:
    return json.dumps({**REPORT, "external_id": f"theirs-{number}", "casualties": {"killed": killed}}).encode()


async def make_topic(cluster: Cluster) -> None:
    await create_topics(cluster.kafka.bootstrap, [new_topic(TOPIC, 4, {})])


async def produce(cluster: Cluster, records: Sequence[tuple[bytes, bytes]]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=cluster.kafka.bootstrap) as partner:
        for key, value in records:
            await partner.send_and_wait(TOPIC, value, key)


async def read_dead(cluster: Cluster, count: int) -> list[Any]:
    async with AIOKafkaConsumer(
        f"{TOPIC}.dead", bootstrap_servers=cluster.kafka.bootstrap, auto_offset_reset="earliest"
    ) as consumer:
        return [await consumer.getone() for _ in range(count)]


def test_kills_and_rebalances_lose_and_repeat_no_record_of_a_partners_topic(
    cluster: Cluster, client: httpx.Client
) -> None:
    asyncio.run(make_topic(cluster))
    body = {"kind": "kafka", "partner": PARTNER, "topic": TOPIC}
    assert client.put("/v1/adapters/theirs", json=body).status_code == 201
    for turn, killed in enumerate(KILLED):
        records = [(b"%d" % number, report(number, killed)) for number in range(INCIDENTS)]
        asyncio.run(produce(cluster, [*records, (b"bad", b"no json %d" % turn)]))
        victim = cluster.of("ingest")[-1]
        eventually(lambda: taken(client) > turn * (INCIDENTS + 1), 60)  # noqa: B023 - called at once
        victim.kill()
        victim.start()
    eventually(lambda: taken(client) == len(KILLED) * (INCIDENTS + 1), 120, lambda: taken(client))
    found = [one for one in every(client, "/v1/incidents") if one["partner"] == PARTNER]
    assert len(found) == INCIDENTS
    assert {one["revision"] for one in found} == {len(KILLED)}
    shown = client.get("/v1/adapters/theirs").json()
    assert (shown["read"], shown["refused"]) == (len(KILLED) * INCIDENTS, len(KILLED))
    letters = [one for one in every(client, "/v1/dead-letters") if one["key"] == "theirs"]
    assert len(letters) == len(KILLED)
    assert client.get("/status", headers={"accept": "application/json"}).json()["dead_letters"] >= len(KILLED)
    dead = asyncio.run(read_dead(cluster, len(KILLED)))
    assert {json.loads(dict(record.headers)["problem"])["status"] for record in dead} == {422}
    assert client.delete("/v1/adapters/theirs").status_code == 204


def taken(client: httpx.Client) -> int:
    shown = client.get("/v1/adapters/theirs").json()
    return int(shown["read"]) + int(shown["refused"])


def test_every_command_of_the_page_works(cluster: Cluster, tmp_path: Path) -> None:
    for name, main in (
        ("kafka-topics.sh", "org.apache.kafka.tools.TopicCommand"),
        ("kafka-console-producer.sh", "org.apache.kafka.tools.ConsoleProducer"),
        ("kafka-console-consumer.sh", "org.apache.kafka.tools.consumer.ConsoleConsumer"),
    ):
        (tmp_path / name).write_text(f'#!/bin/sh\nexec "{java()}" {QUIET} -cp "{jars("tools")}" {main} "$@"\n')
        (tmp_path / name).chmod(0o755)
    bootstrap = cluster.kafka.bootstrap
    follow(commands("sources/kafka.md"), tmp_path, cluster.one("ingest"), OPERATOR_KEY, TRUCEWATCH_KAFKA=bootstrap)
