"""Ending aiokafka's clients in bounded time. Their own ``stop`` waits for a broker that may never answer.

This is the one place that reaches into aiokafka (0.14): to find the tasks that ``stop`` would wait for.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

log = logging.getLogger(__name__)

#: The errors of aiokafka when the broker is away. For a connection that closed before it is written to, uvloop raises a
#: bare RuntimeError where asyncio has an OSError.
AWAY: Final = (KafkaError, OSError, RuntimeError)

CLOSE_S: Final = 3.0
TASK_S: Final = 0.5


async def end_producer(producer: AIOKafkaProducer) -> None:
    """Close a producer at once. What it still holds was reported as failed, so it must not be sent later."""
    producer._closed = True
    await _cancelled([producer._sender.sender_task])
    await _disconnected(producer.client)


async def end_consumer(consumer: AIOKafkaConsumer) -> None:
    """Leave the group and close; only close when the broker does not answer."""
    try:
        async with asyncio.timeout(CLOSE_S):
            await consumer.stop()
    except (TimeoutError, *AWAY) as error:
        log.info("a consumer closed without leaving its group: %r", error)
        await _cancelled(_tasks_of(consumer))
        await _disconnected(consumer._client)


def _tasks_of(consumer: AIOKafkaConsumer) -> list[Any]:
    coordinator, fetcher = consumer._coordinator, consumer._fetcher
    names = ("_coordination_task", "_heartbeat_task", "_commit_refresh_task", "_reset_committed_task")
    found = [getattr(coordinator, name, None) for name in names]
    if fetcher is not None:
        found += [fetcher._fetch_task, *fetcher._pending_tasks]
    return found


async def _cancelled(tasks: Iterable[Any]) -> None:
    """Twice, because aiokafka's tasks answer the first time by waiting for the requests that they have in flight."""
    for _ in range(2):
        pending = [task for task in tasks if task is not None and not task.done()]
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending, timeout=TASK_S)


async def _disconnected(client: Any) -> None:
    try:
        async with asyncio.timeout(CLOSE_S):
            await client.close()
    except (TimeoutError, *AWAY) as error:
        log.info("a connection to kafka was left open: %r", error)
