"""The distributed form: rules on a real broker beside FastStream, one consumer beside two, 200/s from end to end."""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import cast

import httpx
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench import judging
from bench.end_to_end import JSON, Target, delays, delays_of, registry, trucewatch
from bench.judging import make_incidents
from schemas.envelope import Event
from schemas.topics import ASSESSMENTS
from services.platform.bus.kafka import KafkaBus
from services.platform.bus.kafka_topics import PARTITIONS
from tests.parts.cluster import Cluster, Kind
from tests.parts.process import Process, free_port
from tests.scenario import bearer

INCIDENT_COUNT = 20_000
WARM_COUNT = 2_000
PEER_COUNT = 3_000
#: Runs with one and with two consumers in turn, after a first one with one.
ROUNDS = 2
RATE = 200.0
PACED_ROUNDS = 3

Ends = dict[TopicPartition, int]


@dataclass(frozen=True)
class Stage:
    """Incidents a second through the rules stage, and microseconds of CPU for each, over all processes of ours: the
    relay is part of the stage, and runs in any one of them."""

    rate: float
    cpu_us: float


@dataclass(frozen=True)
class DistributedFigures:
    one: Stage
    two: Stage
    faststream: float
    producing: float
    judging: float
    #: p50 and p99 at 200/s, round by round.
    distributed_ms: list[tuple[float, float]]
    embedded_ms: list[tuple[float, float]]


def measure(directory: Path) -> DistributedFigures:
    """Each on fresh parts."""
    peer, producing, one = _stage(directory / "one", 1, peer=True)
    ones, twos = [one], []
    for again in range(ROUNDS):
        twos.append(_stage(directory / f"two-{again}", 2, peer=False)[-1])
        ones.append(_stage(directory / f"one-{again}", 1, peer=False)[-1])
    both = judging.measure(2, WARM_COUNT)
    paced, embedded = [], []
    for again in range(PACED_ROUNDS):
        paced.append(_paced(directory / f"paced-{again}"))
        embedded.append(delays(directory / f"embedded-{again}", trucewatch, RATE))
    return DistributedFigures(_middle(ones), _middle(twos), peer, producing, both, paced, embedded)


def _middle(runs: list[Stage]) -> Stage:
    return Stage(median(run.rate for run in runs), median(run.cpu_us for run in runs))


def _stage(directory: Path, consumers: int, *, peer: bool) -> tuple[float, float, Stage]:
    """Warm rules processes work off what came while they stood still; the peer does the same on the same broker. Also
    how many events a second our producer alone brings to it."""
    counts: dict[Kind, int] = {"ingest": 1, "rules": consumers, "notify": 0}
    with Cluster(directory, counts, durable=True) as cluster:
        bootstrap, services = cluster.kafka.bootstrap, cluster.of("rules")
        with cluster.client() as client:
            client.put("/v1/registry", json=registry(), timeout=120).raise_for_status()
        asyncio.run(fill_log(bootstrap, list(make_incidents(WARM_COUNT, "warm"))))
        first = asyncio.run(_ends(bootstrap, WARM_COUNT))
        with ExitStack() as held:
            for service in services:
                held.enter_context(service.paused())
            asyncio.run(fill_log(bootstrap, list(make_incidents(INCIDENT_COUNT))))
            before = sum(service.cpu_s() for service in cluster.services)
        last = asyncio.run(_ends(bootstrap, WARM_COUNT + INCIDENT_COUNT))
        cpu = sum(service.cpu_s() for service in cluster.services) - before
        seconds = asyncio.run(_span(bootstrap, first, last))
        other, producing = (_faststream(bootstrap), asyncio.run(_produce(bootstrap))) if peer else (0.0, 0.0)
        return other, producing, Stage(INCIDENT_COUNT / seconds, cpu / INCIDENT_COUNT * 1e6)


async def _produce(bootstrap: str) -> float:
    """Assessments a second, made beforehand, that the producer of the services gets acknowledged."""
    events = [msgspec.structs.replace(event, topic=ASSESSMENTS.name) for event in make_incidents(INCIDENT_COUNT, "p")]
    begin = time.perf_counter()
    await fill_log(bootstrap, events)
    return INCIDENT_COUNT / (time.perf_counter() - begin)


async def fill_log(bootstrap: str, events: list[Event]) -> None:
    bus = KafkaBus(bootstrap)
    for k in range(0, len(events), 1000):
        await bus.publish(events[k : k + 1000])
    await bus.close()


@asynccontextmanager
async def _looking(bootstrap: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(ASSESSMENTS.name, number) for number in range(PARTITIONS)])
        yield consumer
    finally:
        await consumer.stop()


async def _ends(bootstrap: str, count: int) -> Ends:
    """The ends of the assessments once there are ``count``; looking at them costs the broker next to nothing."""
    deadline = time.perf_counter() + 300
    async with _looking(bootstrap) as consumer:
        while sum((ends := cast(Ends, await consumer.end_offsets(consumer.assignment()))).values()) < count:
            if time.perf_counter() > deadline:
                raise TimeoutError(f"{sum(ends.values())} of {count} assessments")
            await asyncio.sleep(0.1)
        return ends


async def _span(bootstrap: str, first: Ends, last: Ends) -> float:
    """Seconds from the first to the last assessment between two ends, by the times that the log gave them."""
    async with _looking(bootstrap) as consumer:
        times = [
            await _time_of(consumer, tp, offset)
            for tp, end in last.items()
            if first[tp] < end
            for offset in (first[tp], end - 1)
        ]
    return (max(times) - min(times)) / 1000


async def _time_of(consumer: AIOKafkaConsumer, partition: TopicPartition, offset: int) -> int:
    """Milliseconds since the epoch."""
    consumer.seek(partition, offset)
    return int((await consumer.getone(partition)).timestamp)


def _faststream(bootstrap: str) -> float:
    """Messages a second of the peer, which decodes, encodes and produces, and keeps nothing."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "rate"
        command = [sys.executable, "-m", "bench.faststream_peer", bootstrap, str(PEER_COUNT), str(out)]
        with Process("faststream", command, Path(folder) / "log", lambda: out.exists(), timeout_s=120):
            return float(out.read_text())


@contextmanager
def _cluster(directory: Path, sink_port: int) -> Iterator[tuple[Cluster, Target]]:
    with Cluster(directory, durable=True) as cluster:
        with cluster.client() as client:
            client.put("/v1/registry", json=registry(), timeout=120).raise_for_status()
            _subscribe(client, sink_port)
        yield cluster, Target(f"{cluster.one('ingest').url}/v1/incidents", {**JSON, **bearer()})


def _subscribe(client: httpx.Client, sink_port: int) -> None:
    channel = {"type": "webhook", "url": f"http://127.0.0.1:{sink_port}/"}
    client.post("/v1/subscriptions", json={"name": "b", "channel": channel, "verified": True}).raise_for_status()


def _paced(directory: Path) -> tuple[float, float]:
    port = free_port()
    with _cluster(directory, port) as (_, target):
        return delays_of(target, port, RATE)
