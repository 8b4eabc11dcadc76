"""Work that is done again and again: APScheduler's trigger says when, the process's clock waits, so tests drive it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from apscheduler.triggers.interval import IntervalTrigger

from schemas.instants import SECOND
from services.platform.clock import Clock
from services.platform.faults import Faults

#: Floating-point instants of the trigger are this exact, at least: a step that was just done is not due again.
EXACT: Final = timedelta(milliseconds=1)


async def run_every(
    name: str,
    period_s: float,
    step: Callable[[], Awaitable[object]],
    clock: Clock,
    faults: Faults,
    *,
    at_start: bool = True,
) -> None:
    """Do ``step`` every ``period_s`` seconds until cancelled, and at once unless ``at_start`` is false.

    A step that takes longer than a period skips those that fall due meanwhile. One that fails is noted in ``faults``
    under ``name``, ``service.step``, and done again when it is next due. A clock that is set back delays no step by
    more than a period.
    """
    trigger = IntervalTrigger(seconds=period_s, start_date=_moment(clock), timezone=UTC)
    if at_start:
        await faults.guard(name, step)
    while True:
        now = _moment(clock)
        due = trigger.get_next_fire_time(None, now + EXACT)
        await clock.sleep(min((due - now).total_seconds(), period_s))
        await faults.guard(name, step)


def _moment(clock: Clock) -> datetime:
    return datetime.fromtimestamp(clock.now() / SECOND, UTC)
