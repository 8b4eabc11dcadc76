"""Waiting for a database that may never answer."""

import asyncio

import pytest

from services.shared.db import patience
from services.shared.db.patience import Patience
from services.shared.failures import RetryLaterError


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "ANSWER_S", 0.2)


def later(seconds: float, result: int) -> asyncio.Future[int]:
    return asyncio.ensure_future(asyncio.sleep(seconds, result))


async def test_an_answer_in_time_is_passed_on_and_so_is_a_failure() -> None:
    assert await Patience().wait(later(0.05, 7)) == 7
    failed = asyncio.get_running_loop().create_future()
    failed.set_exception(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        await Patience().wait(failed)


async def test_silence_ends_the_waiting_and_what_was_waited_for_is_given_up() -> None:
    answer = later(60, 7)
    with pytest.raises(RetryLaterError):
        await Patience().wait(answer)
    await asyncio.sleep(0)
    assert answer.cancelled()


async def test_what_takes_long_is_waited_for_as_long_as_the_database_says_anything() -> None:
    watching = Patience()
    for tenth in range(1, 6):
        asyncio.get_running_loop().call_later(tenth / 10, watching.hear)
    assert await watching.wait(later(0.6, 7)) == 7


async def test_what_fails_without_a_word_from_the_database_ends_no_silence() -> None:
    watching = Patience()

    async def fail() -> int:
        await asyncio.sleep(0.15)
        raise RetryLaterError("connection timeout expired")

    asked = [watching.wait(asyncio.ensure_future(fail())), watching.wait(later(0.3, 7))]
    failures = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(failure) for failure in failures] == [RetryLaterError, RetryLaterError]


async def test_who_goes_away_lets_go_of_the_answer() -> None:
    answer = later(60, 7)
    waiting = asyncio.create_task(Patience().wait(answer))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.sleep(0)
    assert answer.cancelled()
