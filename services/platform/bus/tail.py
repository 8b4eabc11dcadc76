"""Tailing a topic for as long as the process runs, whatever the log or the handler raises."""

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from schemas.envelope import Event
from services.platform.backoff import Backoff, Sleep
from services.platform.bus.port import Consumer
from services.platform.failures import RetryLaterError
from services.platform.faults import UNFORESEEN, Faults, raise_if_meant

log = logging.getLogger(__name__)

#: Events are not held back longer than this once the log or the database is back.
BACKOFF: Final = Backoff(0.5, 0.5)
MOST: Final = 1000
#: An event that fails in an unforeseen way is passed over after this many tries.
MAX_TRIES: Final = 3

OnEvent = Callable[[Event], Awaitable[None]]


async def tail(
    reader: Consumer, on_event: OnEvent, pause: Sleep, wait_s: float, name: str = "tail", faults: Faults | None = None
) -> None:
    """Hand on everything that comes, for ever. What ``on_event`` cannot take yet is offered again; what it raises
    beyond RetryLaterError, or the log does, is noted in ``faults`` under ``name``."""
    faults = faults or Faults()
    while True:
        try:
            batch = await BACKOFF.retry(partial(reader.fetch, MOST, wait_s), pause, _note)
        except UNFORESEEN as error:
            raise_if_meant(error)
            faults.note(name, error)
            await pause(BACKOFF.first_s)
        else:
            for received in batch:
                await _offer(received.event, on_event, pause, name, faults)


async def _offer(event: Event, on_event: OnEvent, pause: Sleep, name: str, faults: Faults) -> None:
    for _ in range(MAX_TRIES):
        try:
            await BACKOFF.retry(partial(on_event, event), pause, _note)
            return
        except UNFORESEEN as error:
            raise_if_meant(error)
            faults.note(name, error)
        await pause(BACKOFF.first_s)
    log.error("%s: event %s of %s is passed over", name, event.id, event.topic)


def _note(error: RetryLaterError) -> None:
    log.info("tailing waits: %s", error)
