"""The log on Apache Kafka. The only thing about Kafka that others name is :class:`KafkaBus`."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.producer.message_accumulator import BatchBuilder

from schemas.envelope import Event
from schemas.events import RecordReceived
from schemas.topics import Topic
from services.platform.backoff import Sleep
from services.platform.bus.kafka_endings import AWAY, asking, end_producer, start
from services.platform.bus.kafka_reader import KafkaReader
from services.platform.bus.kafka_records import headers_of, partition_of, partner_event_of
from services.platform.bus.kafka_topics import create_topics, new_topics, open_partner_topic
from services.platform.bus.tail import tail
from services.platform.failures import NeverRetryError, RetryLaterError
from services.platform.faults import Faults, supervise
from services.platform.settings.kafka_security import OPEN, KafkaSecurity

#: Timeout of publishing a batch, seconds; it may have landed all the same.
PUBLISH_S: Final = 4.0
HEALTH_S: Final = 1.0
BATCH_BYTES: Final = 256 * 1024
#: A tail without new events checks the connection this often, seconds.
TAIL_S: Final = 1.0


class KafkaBus:
    """Bus over a Kafka cluster. Capability: many partitions, many members per group.

    Nothing is opened before it is needed, so a service can start, and say that it is not ready, while Kafka is away.
    """

    def __init__(
        self,
        bootstrap: str,
        security: KafkaSecurity = OPEN,
        *,
        sleep: Sleep = asyncio.sleep,
        faults: Faults | None = None,
    ) -> None:
        self._bootstrap = bootstrap
        self._security = security
        self._faults = faults or Faults()
        self._sleep = sleep
        self._opening = asyncio.Lock()
        self._producer: AIOKafkaProducer | None = None
        self._tails: dict[asyncio.Task[None], KafkaReader] = {}

    async def start(self) -> None:
        """Make the topics that are missing. Raises RetryLaterError; safe to repeat."""
        await create_topics(self._bootstrap, new_topics(), self._security)

    async def publish(self, events: Sequence[Event]) -> None:
        """See :class:`Bus`. Returns once every in-sync replica has every event. Raises NeverRetryError for an event
        that is larger than the log takes."""
        try:
            async with asking(PUBLISH_S):
                await self._send(await self._opened(), events)
        except MessageSizeTooLargeError as error:
            await self._drop_producer()
            raise NeverRetryError(f"kafka: an event is too large: {error!r}") from error
        except (TimeoutError, *AWAY) as error:
            # Its sequence numbers may have a hole now, which the broker would refuse for ever: start a fresh one.
            await self._drop_producer()
            raise RetryLaterError(f"kafka: publishing: {error!r}") from error

    async def consumer(self, topic: Topic, group: str) -> KafkaReader:
        """See :class:`Bus`. The group is joined by the first fetch."""
        return KafkaReader(self._bootstrap, topic, group, self._security)

    async def partner_consumer(self, topic: str, group: str) -> KafkaReader:
        """See :class:`PartnerLog`."""
        await open_partner_topic(self._bootstrap, topic, self._security)
        foreign = Topic(topic, RecordReceived, "", "", "ingest")
        return KafkaReader(self._bootstrap, foreign, group, self._security, read=partner_event_of)

    async def tail(self, topic: Topic, on_event: Callable[[Event], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """See :class:`Bus`. Raises RetryLaterError when the log as it stands cannot be read to its end."""
        reader = KafkaReader(self._bootstrap, topic, None, self._security)
        try:
            ends = await reader.ends()
            while not await reader.reached(ends):
                for received in await reader.fetch(1000, 0.2):
                    await on_event(received.event)
        except BaseException:
            await reader.close()
            raise
        name = f"bus.tail.{topic.name}"
        run = partial(tail, reader, on_event, self._sleep, TAIL_S, name, self._faults)
        task = asyncio.create_task(supervise(name, run, self._faults, self._sleep), name=name)
        self._tails[task] = reader
        return partial(self._end_tail, task)

    async def healthy(self) -> bool:
        try:
            async with asking(HEALTH_S):
                producer = await self._opened()
                await producer.client.fetch_all_metadata()
        except (TimeoutError, *AWAY):
            return False
        return True

    async def close(self) -> None:
        """End every tail that was not stopped, and disconnect."""
        await asyncio.gather(*map(self._end_tail, list(self._tails)), self._drop_producer())

    async def _end_tail(self, task: asyncio.Task[None]) -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if (reader := self._tails.pop(task, None)) is not None:
            await reader.close()

    async def _opened(self) -> AIOKafkaProducer:
        async with self._opening:
            if self._producer is None:
                # No lingering: callers publish whole batches and wait for them.
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._bootstrap,
                    **self._security.options(),
                    enable_idempotence=True,
                    acks="all",
                    linger_ms=0,
                    max_batch_size=BATCH_BYTES,
                    request_timeout_ms=int(PUBLISH_S * 1000),
                    retry_backoff_ms=50,
                    metadata_max_age_ms=30_000,
                )
                try:
                    await start(producer)
                except BaseException:
                    await end_producer(producer)
                    raise
                self._producer = producer
            return self._producer

    async def _send(self, producer: AIOKafkaProducer, events: Sequence[Event]) -> None:
        waiting: list[asyncio.Future[Any]] = []
        for (topic, partition), batches in (await _batched(producer, events)).items():
            for batch in batches:
                sent = await producer.send_batch(batch, topic, partition=partition)
                # When sending breaks off, nobody waits for it: a producer that sends nothing any more has no outcome.
                sent.add_done_callback(_look_at)
                waiting.append(sent)
        await asyncio.gather(*waiting)

    async def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await end_producer(producer)


def _look_at(sent: asyncio.Future[Any]) -> None:
    """An outcome that nobody looks at would be a warning at the end."""
    if not sent.cancelled():
        sent.exception()


async def _batched(producer: AIOKafkaProducer, events: Sequence[Event]) -> dict[tuple[str, int], list[BatchBuilder]]:
    batches: dict[tuple[str, int], list[BatchBuilder]] = defaultdict(list)
    counts = {topic: len(await producer.partitions_for(topic)) for topic in {event.topic for event in events}}
    for event in events:
        place = (event.topic, partition_of(event.key, counts[event.topic]))
        pending = batches[place]
        if not pending or not _put(pending[-1], event):
            pending.append(producer.create_batch())
            _put(pending[-1], event)
    return batches


def _put(batch: BatchBuilder, event: Event) -> bool:
    """False when the batch is full; a first event always fits."""
    added = batch.append(timestamp=None, key=event.key.encode(), value=event.data, headers=headers_of(event))
    return added is not None
