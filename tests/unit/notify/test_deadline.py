"""One timer for many deadlines: late ones are cut off, cancellations from outside stay what they are."""

import asyncio
from contextlib import suppress

import pytest

from services.notify.channels.deadline import Deadlines
from tests.driven_loop import driven

STEP_S = 0.01


@driven
async def test_what_is_in_time_is_left_alone() -> None:
    with Deadlines(STEP_S).within(0.5):
        await asyncio.sleep(0.4)
    await asyncio.sleep(1)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@driven
async def test_what_is_late_is_cut_off_within_one_step_and_not_early() -> None:
    began = asyncio.get_running_loop().time()
    with pytest.raises(TimeoutError), Deadlines(STEP_S).within(0.095):
        await asyncio.sleep(10)
    assert 0.095 <= asyncio.get_running_loop().time() - began <= 0.095 + STEP_S
    await asyncio.sleep(0)  # the task goes on, uncancelled


@driven
async def test_a_cancellation_from_outside_is_no_timeout() -> None:
    async def wait() -> None:
        with Deadlines(STEP_S).within(10):
            await asyncio.sleep(10)

    task = asyncio.create_task(wait())
    await asyncio.sleep(5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@driven
async def test_both_at_once_is_a_cancellation() -> None:
    deadlines = Deadlines(STEP_S)

    async def wait() -> None:
        with deadlines.within(0):
            task.cancel()
            deadlines._sweep()
            await asyncio.sleep(10)

    task = asyncio.create_task(wait())
    with pytest.raises(asyncio.CancelledError):
        await task


@driven
async def test_an_error_inside_stays_that_error() -> None:
    with pytest.raises(KeyError), Deadlines(STEP_S).within(0.5):
        raise KeyError("x")


@driven
async def test_an_outer_timeout_stays_the_outer_ones() -> None:
    outer = asyncio.timeout(0.02)

    async def wait() -> None:
        async with outer:
            with Deadlines(STEP_S).within(10):
                await asyncio.sleep(10)

    with pytest.raises(TimeoutError):
        await wait()
    assert outer.expired()


@driven
async def test_work_that_ends_although_cut_off_leaves_no_cancellation_behind() -> None:
    with Deadlines(STEP_S).within(0.02), suppress(asyncio.CancelledError):
        await asyncio.sleep(10)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@driven
async def test_many_at_once() -> None:
    deadlines = Deadlines(STEP_S)

    async def wait(number: int) -> bool:
        try:
            with deadlines.within(0.05 if number % 2 else 5):
                await asyncio.sleep(0.15)
        except TimeoutError:
            return False
        return True

    kept = await asyncio.gather(*(wait(n) for n in range(200)))
    assert kept == [n % 2 == 0 for n in range(200)]
