"""Timed work on a driven clock: when it is done, and that nothing ends it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.instants import SECOND
from services.platform.faults import Faults
from services.platform.timed import run_every
from tests.fakes import DrivenClock

NAME = "test.step"


@asynccontextmanager
async def running(
    clock: DrivenClock, faults: Faults, period_s: float, step: Callable[[], Awaitable[object]], **options: Any
) -> AsyncIterator[None]:
    task = asyncio.create_task(run_every(NAME, period_s, step, clock, faults, **options))
    try:
        await clock.advance(0)
        yield
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@given(st.integers(1, 100_000), st.integers(0, 20), st.booleans())
def test_a_step_is_done_once_in_each_period(period_s: int, periods: int, at_start: bool) -> None:
    clock = DrivenClock()
    begin, times = clock.now(), list[int]()

    async def step() -> None:
        times.append(clock.now())

    async def drive() -> None:
        async with running(clock, Faults(clock.now), period_s, step, at_start=at_start):
            await clock.advance(periods * period_s + 0.5)

    asyncio.run(drive())
    expected = [begin + number * period_s * SECOND for number in range(0 if at_start else 1, periods + 1)]
    # Whole microseconds of the trigger's floating-point seconds may be off by one.
    assert [round((at - begin) / SECOND) for at in times] == [(at - begin) // SECOND for at in expected]


async def test_a_step_that_fails_is_noted_and_done_again() -> None:
    clock = DrivenClock()
    faults, done = Faults(clock.now), list[int]()

    async def step() -> None:
        done.append(clock.now())
        raise ValueError("no")

    async with running(clock, faults, 5, step):
        await clock.advance(11)
    assert len(done) == 3
    assert faults.shown() == {NAME: "ValueError"}


async def test_periods_that_a_long_step_took_are_skipped() -> None:
    clock = DrivenClock()
    begin, times = clock.now(), list[float]()

    async def step() -> None:
        times.append((clock.now() - begin) / SECOND)
        if len(times) == 1:
            await clock.sleep(25)

    async with running(clock, Faults(clock.now), 10, step):
        await clock.advance(41)
    assert [round(at, 3) for at in times] == [0, 30, 40]


async def test_a_clock_that_is_set_back_delays_no_step_by_more_than_a_period() -> None:
    clock = DrivenClock()
    times = list[int]()

    async def step() -> None:
        times.append(clock.now())

    async with running(clock, Faults(clock.now), 10, step):
        await clock.advance(10)
        assert len(times) == 2
        clock._sleepers[:] = [(at - 3600 * SECOND, number, future) for at, number, future in clock._sleepers]
        clock.instant -= 3600 * SECOND
        await clock.advance(30)
    assert len(times) in (4, 5)
