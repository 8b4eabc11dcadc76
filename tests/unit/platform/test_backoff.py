"""Growing pauses between attempts."""

from hypothesis import given
from hypothesis import strategies as st

from services.platform.backoff import Backoff
from services.platform.failures import RetryLaterError

SECONDS = st.floats(0.001, 3600)


@given(SECONDS, SECONDS, st.integers(1, 100_000))
def test_pauses_double_and_never_pass_the_longest(first_s: float, longest_s: float, failures: int) -> None:
    backoff = Backoff(first_s, longest_s)
    pause_s, next_s = backoff.pause_s(failures), backoff.pause_s(failures + 1)
    assert pause_s <= next_s <= longest_s
    assert next_s in (2 * pause_s, longest_s)


async def test_only_what_may_be_retried_is_retried() -> None:
    pauses: list[float] = []
    noted: list[str] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def attempt() -> str:
        if len(pauses) < 3:
            raise RetryLaterError(f"no {len(pauses)}")
        return "done"

    assert await Backoff(1, 3).retry(attempt, sleep, lambda error: noted.append(str(error))) == "done"
    assert pauses == [1, 2, 3]
    assert noted == ["no 0", "no 1", "no 2"]
