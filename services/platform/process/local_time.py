"""The registry's time zone, as every process knows it: what a local time in a report or a query means."""

from collections.abc import Awaitable, Callable

from schemas import codec
from schemas.envelope import Event
from schemas.events import RegistryChanged
from schemas.topics import REGISTRY
from schemas.zones import find_zone
from services.platform.process.runtime import Runtime

FOLLOWER = "local_time"


async def follow_time_zone(runtime: Runtime) -> Callable[[], Awaitable[None]]:
    """Keep ``runtime.local_time`` as the log says it. Returns what stops that."""
    newest = 0

    async def on_event(event: Event) -> None:
        nonlocal newest
        if not event.key.startswith("settings/"):
            return
        change: RegistryChanged = codec.decode(event)
        # The log may repeat itself: what an older version said is not said again.
        if change.body is not None and change.version >= newest:
            runtime.local_time.zone, newest = find_zone(change.body["timezone"]), change.version

    return await runtime.tail(REGISTRY, FOLLOWER, on_event)
