"""The log as strangers read it, on every topic of a running system: the console consumer, the CloudEvents SDK."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event

from schemas.codec import decode, encode
from schemas.events import RecordReceived
from schemas.examples import REPORT
from schemas.topics import DEAD_SUFFIX, INBOUND, TOPICS
from services.platform.bus.kafka import KafkaBus
from services.platform.bus.kafka_records import event_of
from tests.parts.cluster import Cluster, eventually
from tests.scenario import registry_document


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A system on whose every topic something lies: a report, what became of it, a key, a letter that died, a
    record of an adapter that is gone."""
    with Cluster(tmp_path_factory.mktemp("topics")) as running, running.client() as client:
        client.put("/v1/registry", json=registry_document()).raise_for_status()
        client.post("/v1/keys", json={"name": "partner-1", "role": "partner"}).raise_for_status()
        client.post("/v1/incidents", json=REPORT).raise_for_status()
        asyncio.run(put_poison(running))
        eventually(lambda: client.get("/v1/alerts").json()["items"], 30)
        eventually(lambda: len(client.get("/v1/dead-letters").json()["items"]) == 2, 30)
        yield running


async def put_poison(cluster: Cluster) -> None:
    async with AIOKafkaProducer(bootstrap_servers=cluster.kafka.bootstrap) as stranger:
        await stranger.send_and_wait("incidents", b'{"no": "report"}', key=b"poison")
    bus = KafkaBus(cluster.kafka.bootstrap)
    unread = RecordReceived("forms", {"incident/what": "shell"})
    await bus.publish([encode(INBOUND, unread, key="forms", id="record-1", time="2016-05-08T12:00:00Z")])
    await bus.close()


async def records(cluster: Cluster, topic: str) -> list[Any]:
    """Everything on a topic as it stands."""
    async with AIOKafkaConsumer(bootstrap_servers=cluster.kafka.bootstrap, auto_offset_reset="earliest") as consumer:
        partitions = [TopicPartition(topic, p) for p in await consumer._client._wait_on_metadata(topic)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found = []
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                found += batch
        return found


@pytest.mark.parametrize("topic", [*TOPICS, "incidents" + DEAD_SUFFIX])
def test_the_console_consumer_shows_a_cloudevent_with_its_headers(cluster: Cluster, topic: str) -> None:
    # On incidents lies the poison as well, which came without headers.
    shown = cluster.kafka.console_consumer(topic, 2 if topic == "incidents" else 1)
    (line, *_) = (line for line in shown.splitlines() if "ce_" in line)
    headers, key, body = line.split("\t", 2)
    found = dict(header.split(":", 1) for header in headers.split(","))
    if topic.endswith(DEAD_SUFFIX):
        assert "ce_reason" in found
        assert body == '{"no": "report"}'
        return
    assert found["ce_specversion"] == "1.0"
    assert found["ce_type"] == TOPICS[topic].type
    assert found["content-type"] == "application/json"
    assert found["ce_subject"] == key
    assert body.startswith("{")


@pytest.mark.parametrize("topic", [*TOPICS])
async def test_the_cloudevents_sdk_reads_what_our_codec_reads(cluster: Cluster, topic: str) -> None:
    ours = [r for r in await records(cluster, topic) if r.key != b"poison"]
    assert ours
    for record in ours:
        parsed = from_kafka_event(KafkaMessage(dict(record.headers), record.key, record.value))
        event = event_of(record)
        assert (parsed.get_id(), parsed.get_type(), parsed.get_subject()) == (event.id, event.type, event.key)
        assert isinstance(parsed.get_data(), dict)
        decode(event)


def test_the_dead_letter_names_its_reason_over_http_too(cluster: Cluster) -> None:
    with cluster.client() as client:
        letters = {letter["topic"]: letter for letter in client.get("/v1/dead-letters").json()["items"]}
    assert letters["inbound"]["reason"] == "there is no adapter forms that reads it"
    letter = letters["incidents"]
    assert (letter["topic"], letter["key"], letter["data"]) == ("incidents", "poison", '{"no": "report"}')
    assert letter["reason"]
