"""Following a topic for as long as the process runs, whatever becomes of the log or of what is told of it."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from schemas.envelope import Event
from services.shared.bus.port import Consumer
from services.shared.failures import RetryLaterError

log = logging.getLogger(__name__)

PAUSE_S: Final = 0.5
MOST: Final = 1000

OnEvent = Callable[[Event], Awaitable[None]]
Pause = Callable[[float], Awaitable[None]]


async def follow(reader: Consumer, on_event: OnEvent, pause: Pause, wait_s: float) -> None:
    """Hand on everything that comes, for ever. What ``on_event`` cannot take yet is offered again."""
    while True:
        try:
            for received in await reader.fetch(MOST, wait_s):
                await _offer(received.event, on_event, pause)
        except RetryLaterError as error:
            log.info("following waits: %s", error)
            await pause(PAUSE_S)


async def _offer(event: Event, on_event: OnEvent, pause: Pause) -> None:
    while True:
        try:
            return await on_event(event)
        except RetryLaterError as error:
            log.info("an event of %s is offered again: %s", event.topic, error)
            await pause(PAUSE_S)
