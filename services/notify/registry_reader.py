"""The registry's ids and the shapes of its areas, as read off the log. It is compacted, so nothing else keeps them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from sqlalchemy import Connection

from schemas import codec
from schemas.envelope import Event
from schemas.events import RegistryChanged
from schemas.instants import parse_instant
from schemas.topics import REGISTRY
from services.notify.domain.area_shapes import AreaShapes
from services.notify.domain.known import KnownIds
from services.notify.use_cases.known import KnownRegistry
from services.platform.db import outbox
from services.platform.failures import RetryLaterError
from services.platform.process.runtime import Runtime

FOLLOWER: Final = "notify.registry"
#: How long a request with an id that is not known waits for the log.
CATCH_UP_S: Final = 3.0


async def follow_registry(runtime: Runtime) -> tuple[KnownRegistry, AreaShapes, Callable[[], Awaitable[None]]]:
    """Read the registry off the log, now and from now on. Returns what was read, and a function that stops it."""
    known, shapes = KnownIds(), AreaShapes()

    async def apply(event: Event) -> None:
        change: RegistryChanged = codec.decode(event)
        at = parse_instant(change.recorded_at)
        known.apply(change.kind, change.id, change.version, there=change.body is not None, at=at)
        if change.kind == "areas":
            shapes.apply(change.id, change.version, change.body)

    async def read_all() -> bool:
        try:
            async with asyncio.timeout(CATCH_UP_S):
                # Events still in the outbox cannot be read. Looked at first: those that leave later are on the log.
                if not runtime.database.is_log and await runtime.database.read(_has_more):
                    return False
                stop = await runtime.bus.tail(REGISTRY, apply)
                await stop()
        except (RetryLaterError, TimeoutError):
            return False
        return True

    return KnownRegistry(known, read_all), shapes, await runtime.tail(REGISTRY, FOLLOWER, apply)


def _has_more(connection: Connection) -> bool:
    return outbox.holds_topic(connection, REGISTRY.name)
