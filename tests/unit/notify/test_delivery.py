"""The meaning of answers, and when the next attempt is due."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.instants import parse_instant
from services.notify.domain import delivery
from services.notify.domain.delivery import AttemptAnswer, judge_answer, next_delay, parse_retry_after

NOW = parse_instant("2016-05-08T12:00:00Z")


@pytest.mark.parametrize(
    ("status", "meaning"),
    [(200, "delivered"), (204, "delivered"), (299, "delivered"), (301, "retry"), (307, "retry"), (400, "retry"),
     (401, "retry"), (404, "retry"), (410, "gone"), (429, "slow_down"), (500, "retry"), (502, "slow_down"),
     (503, "slow_down"), (504, "slow_down"), (199, "retry")],
)  # fmt: skip
def test_http_statuses(status: int, meaning: str) -> None:
    assert judge_answer(AttemptAnswer("webhook", 1, status=status)).meaning == meaning


@pytest.mark.parametrize(
    ("code", "text", "meaning"),
    [(250, b"2.0.0 queued", "delivered"), (421, b"4.7.0 too many", "slow_down"), (450, b"4.2.0 busy", "retry"),
     (452, b"4.2.2 full", "retry"), (550, b"5.1.1 no such user", "gone"), (550, b"5.7.1 spam", "rejected"),
     (554, b"no", "rejected"), (552, b"5.3.4 too big", "rejected"), (550, b"", "rejected")],
)  # fmt: skip
def test_mail_replies(code: int, text: bytes, meaning: str) -> None:
    assert judge_answer(AttemptAnswer("email", 1, status=code, excerpt=text)).meaning == meaning


def test_no_answer_is_tried_again_and_says_why() -> None:
    judged = judge_answer(AttemptAnswer("webhook", 1, failure="timeout", detail="no full answer within 15 s"))
    assert judged.meaning == "retry"
    assert judged.reason == "no answer: timeout: no full answer within 15 s"


def test_asked_to_wait_it_waits_at_least_so_long() -> None:
    judged = judge_answer(AttemptAnswer("webhook", 1, status=503, retry_after=900))
    assert next_delay(1, judged, 0.0) == 900
    assert next_delay(3, judged, 0.0) == 1_800
    assert judge_answer(AttemptAnswer("webhook", 1, status=500, retry_after=30)).meaning == "slow_down"


def test_the_schedule_is_the_contracts() -> None:
    again = judge_answer(AttemptAnswer("webhook", 1, status=500))
    delays = [next_delay(n, again, 0.0) for n in range(1, 11)]
    minutes = [d / 60 if d is not None else None for d in delays]
    assert delays[0] == 5
    assert minutes[1:] == [5, 30, 120, 300, 600, 840, 1200, 1440, None]


@given(st.integers(1, 9), st.floats(0, 1, exclude_max=True))
def test_jitter_only_lengthens(attempts: int, chance: float) -> None:
    again = judge_answer(AttemptAnswer("webhook", 1, status=500))
    delay = next_delay(attempts, again, chance)
    assert delay is not None
    planned = delivery.RETRY_DELAYS_S[attempts]
    assert planned <= delay <= planned * 1.2


@pytest.mark.parametrize("status", [200, 410])
def test_nothing_follows_a_delivery_or_a_farewell(status: int) -> None:
    assert next_delay(1, judge_answer(AttemptAnswer("webhook", 1, status=status)), 0.5) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(None, None), ("", None), ("120", 120), (" 7 ", 7), ("-5", None), ("1.5", None), ("soon", None), ("٣", None),
     ("99999999999999999999", 86_400), ("Sun, 08 May 2016 12:01:00 GMT", 60), ("Sun, 08 May 2016 11:00:00 GMT", 0),
     ("Sun, 08 May 2016 12:00:61 GMT", None), ("Mon, 08 May 2017 12:00:00 GMT", 86_400),
     ("Sun, 08 May 2016 12:01:00", None)],
)  # fmt: skip
def test_retry_after(value: str | None, seconds: int | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


@given(st.text(max_size=60))
def test_any_retry_after_is_read_or_passed_over(value: str) -> None:
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or 0 <= seconds <= delivery.MAX_RETRY_AFTER_S
