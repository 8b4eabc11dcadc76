"""Waiting for a database that may never answer."""

import asyncio

import pytest

from services.platform.db import timeouts
from services.platform.db.timeouts import AnswerTimeouts
from services.platform.failures import RetryLaterError
from tests.driven_loop import driven


@pytest.fixture(autouse=True)
def _driven_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeouts, "ANSWER_S", 0.2)
    monkeypatch.setattr(timeouts, "monotonic", lambda: asyncio.get_running_loop().time())


def later(seconds: float, result: int) -> asyncio.Future[int]:
    return asyncio.ensure_future(asyncio.sleep(seconds, result))


@driven
async def test_an_answer_in_time_is_passed_on_and_so_is_a_failure() -> None:
    assert await AnswerTimeouts().wait(later(0.05, 7)) == 7
    failed = asyncio.get_running_loop().create_future()
    failed.set_exception(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        await AnswerTimeouts().wait(failed)


@driven
async def test_silence_ends_the_waiting_and_what_was_waited_for_is_given_up() -> None:
    answer = later(60, 7)
    with pytest.raises(RetryLaterError):
        await AnswerTimeouts().wait(answer)
    await asyncio.sleep(0)
    assert answer.cancelled()


@driven
async def test_what_takes_long_is_waited_for_as_long_as_the_database_says_anything() -> None:
    watching = AnswerTimeouts()
    for tenth in range(1, 6):
        asyncio.get_running_loop().call_later(tenth / 10, watching.note_answer)
    assert await watching.wait(later(0.6, 7)) == 7


@driven
async def test_what_fails_without_a_word_from_the_database_ends_no_silence() -> None:
    watching = AnswerTimeouts()

    async def fail() -> int:
        await asyncio.sleep(0.15)
        raise RetryLaterError("connection timeout expired")

    asked = [watching.wait(asyncio.ensure_future(fail())), watching.wait(later(0.3, 7))]
    failures = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(failure) for failure in failures] == [RetryLaterError, RetryLaterError]


@driven
async def test_who_goes_away_lets_go_of_the_answer() -> None:
    answer = later(60, 7)
    waiting = asyncio.create_task(AnswerTimeouts().wait(answer))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.sleep(0)
    assert answer.cancelled()
