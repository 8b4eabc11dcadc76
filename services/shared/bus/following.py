"""Following a topic for as long as the process runs, whatever becomes of the log or of what is told of it."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from schemas.envelope import Event
from services.shared.bus.port import Consumer
from services.shared.failures import RetryLaterError
from services.shared.faults import Faults

log = logging.getLogger(__name__)

PAUSE_S: Final = 0.5
MOST: Final = 1000
#: An event that fails in an unforeseen way is passed over after this many tries.
MAX_TRIES: Final = 3

OnEvent = Callable[[Event], Awaitable[None]]
Pause = Callable[[float], Awaitable[None]]


async def follow(
    reader: Consumer, on_event: OnEvent, pause: Pause, wait_s: float, name: str = "follow", faults: Faults | None = None
) -> None:
    """Hand on everything that comes, for ever. What ``on_event`` cannot take yet is offered again; what it raises
    beyond RetryLaterError, or the log does, is noted in ``faults`` under ``name``."""
    faults = faults or Faults()
    while True:
        try:
            batch = await reader.fetch(MOST, wait_s)
        except RetryLaterError as error:
            log.info("following waits: %s", error)
            await pause(PAUSE_S)
        except Exception as error:  # noqa: BLE001 - recorded, counted and shown
            faults.note(name, error)
            await pause(PAUSE_S)
        else:
            for received in batch:
                await _offer(received.event, on_event, pause, name, faults)


async def _offer(event: Event, on_event: OnEvent, pause: Pause, name: str, faults: Faults) -> None:
    tries = 0
    while tries < MAX_TRIES:
        try:
            await on_event(event)
        except RetryLaterError as error:
            log.info("an event of %s is offered again: %s", event.topic, error)
        except Exception as error:  # noqa: BLE001 - recorded, counted and shown
            tries += 1
            faults.note(name, error)
        else:
            return
        await pause(PAUSE_S)
    log.error("%s: event %s of %s is passed over", name, event.id, event.topic)
