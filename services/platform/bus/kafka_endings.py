"""Starting and ending aiokafka's clients in bounded time. Their own ``stop`` waits for a broker that may never answer.

This is the one place that reaches into aiokafka (0.14): to find the tasks that ``stop`` would wait for, and the
connection that a start which was broken off leaves open.
"""

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from services.platform.faults import raise_if_meant

log = logging.getLogger(__name__)

#: The errors of aiokafka when the broker is away. For a connection that closed before it is written to, uvloop raises a
#: bare RuntimeError where asyncio has an OSError.
AWAY: Final = (KafkaError, OSError, RuntimeError)

CLOSE_S: Final = 3.0
TASK_S: Final = 0.5


@asynccontextmanager
async def asking(seconds: float | None) -> AsyncIterator[None]:
    """Ask aiokafka something that may take so long. Raises TimeoutError; and ConnectionAbortedError where it waits for
    a task of its own that was cancelled, since a CancelledError would end the task that asks."""
    async with asyncio.timeout(seconds):
        try:
            yield
        except asyncio.CancelledError as error:
            raise_if_meant(error)
            raise ConnectionAbortedError("a task of aiokafka was cancelled") from error


async def start(client: AIOKafkaProducer | AIOKafkaConsumer | AIOKafkaAdminClient) -> None:
    """Start a client, and raise what its own ``start`` raises."""
    try:
        await client.start()
    except BaseException as error:
        # While a client asks its first broker for the others, no ending of its own knows of that connection.
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if (connection := frame.f_locals.get("bootstrap_conn")) is not None:
                connection.close()
        raise


async def end_producer(producer: AIOKafkaProducer) -> None:
    """Close a producer at once. What it still holds was reported as failed, so it must not be sent later."""
    producer._closed = True
    await _cancelled([producer._sender.sender_task])
    await _disconnected(producer.client)


async def end_consumer(consumer: AIOKafkaConsumer) -> None:
    """Leave the group and close; only close when the broker does not answer."""
    try:
        await _within(CLOSE_S, consumer.stop())
    except (TimeoutError, *AWAY) as error:
        log.info("a consumer closed without leaving its group: %r", error)
        await _cancelled(_tasks_of(consumer))
        await _disconnected(consumer._client)


async def end_admin(admin: AIOKafkaAdminClient) -> None:
    """Close it."""
    await _disconnected(admin._client)


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


async def _within(seconds: float, ending: Coroutine[Any, Any, None]) -> None:
    """Raises TimeoutError, whatever happens: aiokafka's endings wait for tasks that need not end when cancelled."""
    task = asyncio.ensure_future(ending)
    try:
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            await _cancelled([task])
            raise TimeoutError
        async with asking(None):
            await task
    finally:
        task.cancel()


async def _disconnected(client: Any) -> None:
    # A task of aiokafka that outlives its ending makes no new connection.
    client._get_conn = _no_connection
    try:
        await _within(CLOSE_S, client.close())
    except (TimeoutError, *AWAY) as error:
        log.info("a client of kafka did not end: %r", error)
    finally:
        # It does not come to them where a task that it waits for first has failed.
        for connection in list(client._conns.values()):
            connection.close()


async def _no_connection(*_: Any, **__: Any) -> None:
    """As aiokafka answers where a broker cannot be reached."""
