"""The meaning of an answer: delivered, try again, slow down, gone, or never. Pure; the sending is elsewhere.

Source: the contract ("Webhooks follow Standard Webhooks", "Attempts"), Standard Webhooks 1.0.0, RFC 5321 for
mail.
"""

from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final, Literal

from msgspec import Struct

from schemas.instants import SECOND, to_instant

Channel = Literal["webhook", "email"]
#: Why no answer came. ``refused``: the guard forbade the target. ``internal``: an error of ours: nothing was sent, or
#: its answer was not understood.
Failure = Literal["refused", "unresolved", "connect", "tls", "timeout", "disconnected", "protocol", "internal"]
#: The next step. ``rejected``: this message will never be taken, another one may be.
Meaning = Literal["delivered", "retry", "slow_down", "gone", "rejected"]

#: How much of an answer is kept for the log of attempts.
EXCERPT_BYTES: Final = 1_024
#: Nobody may hold a message longer than this by asking for patience, seconds.
MAX_RETRY_AFTER_S: Final = 24 * 3_600
#: Seconds before each attempt, counted from the failure before; after the last one fails, the delivery has
#: failed.
RETRY_DELAYS_S: Final = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
#: A delay is lengthened by up to this part of itself, so that retries of many messages spread out.
JITTER: Final = 0.2

_OVERLOADED: Final = frozenset({429, 502, 503, 504})
_MAILBOX_GONE: Final = frozenset({550, 551, 553})


class AttemptAnswer(Struct, frozen=True):
    """The result of one attempt. Either ``status`` (HTTP status, SMTP reply code) or ``failure`` is set.

    ``latency`` in microseconds, from the moment the attempt had its connection slot. ``excerpt`` is the first
    kilobyte of the body or the reply text. ``retry_after`` in seconds, as asked for by the other side,
    already bounded.
    """

    channel: Channel
    latency: int
    status: int | None = None
    failure: Failure | None = None
    detail: str = ""
    excerpt: bytes = b""
    retry_after: int | None = None


class Judgement(Struct, frozen=True):
    """The meaning of an answer and why, in words. ``wait_s`` is the pause that the other side asked for, at
    least.
    """

    meaning: Meaning
    reason: str
    wait_s: int = 0


_NOT_USABLE: Final = "address refused: the name does not resolve, or not to an address that may be reached"
#: Failures in words for readers who are no operators: nothing of what names resolve to or what answers inside. That
#: a name is unknown and that it is refused read alike, since the difference would tell which names there are inside.
_IN_GENERAL: Final[dict[Failure, str]] = {
    "refused": _NOT_USABLE,
    "unresolved": _NOT_USABLE,
    "connect": "could not connect",
    "tls": "could not connect securely: TLS failed, or the certificate is not accepted",
    "timeout": "no answer in time",
    "disconnected": "disconnected before an answer",
    "protocol": "the answer is not HTTP",
    "internal": "not sent: an internal error",
}


def general_failure(failure: Failure) -> Failure:
    """The failure as those who are no operators may see it."""
    return "refused" if failure == "unresolved" else failure


def general_reason(status: int | None, failure: Failure | None, reason: str) -> str:
    """The reason of an attempt as those who are no operators may see it."""
    return reason if status is not None or failure is None else _IN_GENERAL[failure]


def judge_answer(answer: AttemptAnswer) -> Judgement:
    """The next step after this answer. The same answer always means the same."""
    if answer.status is None:
        return Judgement("retry", f"no answer: {answer.failure}: {answer.detail}".rstrip(": "))
    if answer.channel == "email":
        return _judge_reply(answer.status, answer)
    return _judge_status(answer.status, answer.retry_after or 0)


@lru_cache(maxsize=1_024)
def _judge_status(status: int, asked: int) -> Judgement:
    if 200 <= status < 300:
        return Judgement("delivered", f"answered {status}")
    if status == 410:
        return Judgement("gone", "answered 410: the endpoint wants no more messages")
    if status in _OVERLOADED or asked:
        return Judgement("slow_down", f"answered {status}, asks to wait {asked} s", asked)
    if 300 <= status < 400:
        return Judgement("retry", f"answered {status}: redirects are not followed")
    return Judgement("retry", f"answered {status}")


def _judge_reply(code: int, answer: AttemptAnswer) -> Judgement:
    text = answer.detail or answer.excerpt[:200].decode("utf-8", "replace")
    if 200 <= code < 300:
        return Judgement("delivered", f"accepted: {code}")
    if code in _MAILBOX_GONE and _enhanced(answer.excerpt).startswith("5.1."):
        return Judgement("gone", f"no such mailbox: {code} {text}")
    if code >= 500:
        return Judgement("rejected", f"refused for good: {code} {text}")
    return Judgement("slow_down" if code == 421 else "retry", f"put off: {code} {text}")


def _enhanced(reply: bytes) -> str:
    """The enhanced status code (RFC 3463) that a reply text begins with, or nothing."""
    first = reply.split(None, 1)[0].decode("ascii", "replace") if reply.split() else ""
    return first if first.count(".") == 2 else ""


def next_delay(attempts: int, judgement: Judgement, chance: float) -> float | None:
    """Seconds until the next attempt after ``attempts`` have failed, or None when none is left.

    ``chance`` in [0, 1) spreads the retries. A pause that the other side asked for is never cut short.
    """
    if judgement.meaning in ("delivered", "gone", "rejected") or attempts >= len(RETRY_DELAYS_S):
        return None
    planned = RETRY_DELAYS_S[attempts]
    return max(planned, judgement.wait_s) * (1 + JITTER * chance)


def parse_retry_after(value: str | None, now: int) -> int | None:
    """Seconds asked for by a ``Retry-After`` header: a number, or an HTTP date seen from ``now`` (an
    instant).

    None when absent or unreadable; bounded to a day; the past is 0.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:9]), MAX_RETRY_AFTER_S)
    try:
        moment = to_instant(parsedate_to_datetime(text))
    except (ValueError, OverflowError):
        return None
    return min(max(-(-(moment - now) // SECOND), 0), MAX_RETRY_AFTER_S)
