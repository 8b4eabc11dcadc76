"""When a request is sent again, and after which pause."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

#: Statuses of a server that has not done what was asked; of a gateway that cannot know.
NOT_DONE: Final = frozenset({429, 503})
UNKNOWN: Final = frozenset({502, 504})
#: Errors by which nothing was sent.
NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a request is sent at most, and the pauses between, which double, in seconds.

    ``first_tries`` counts for a server that has never answered: its address may be wrong. ``Retry-After`` is heeded in
    place of the pause; a server that asks for more than ``longest_asked_s`` is given up at once, not asked too early.
    """

    tries: int = 8
    first_tries: int = 3
    first_s: float = 0.5
    longest_s: float = 30.0
    longest_asked_s: float = 600.0

    def pause_s(self, tries: int) -> float:
        """The pause after so many tries, counted from 1."""
        return min(self.first_s * 2.0 ** min(tries - 1, 64), self.longest_s)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a try failed; whether another may be made; the pause that the server asks for."""

    reason: str
    again: bool
    asked_s: float | None = None


def trouble_of_error(error: httpx.TransportError, *, repeatable: bool) -> Trouble:
    """``repeatable``: doing it twice is the same as once."""
    again = repeatable or isinstance(error, NOT_SENT)
    reason = str(error) or type(error).__name__
    return Trouble(reason if again else f"{reason}; what was asked may have been done", again)


def trouble_of_status(answer: httpx.Response, *, repeatable: bool) -> Trouble | None:
    """None for an answer to what was asked."""
    if answer.status_code not in NOT_DONE | UNKNOWN:
        return None
    again = repeatable or answer.status_code in NOT_DONE
    reason = f"{answer.status_code} {answer.reason_phrase}"
    return Trouble(reason if again else f"{reason}; what was asked may have been done", again, asked_s(answer.headers))


def asked_s(headers: Mapping[str, str]) -> float | None:
    """``Retry-After`` in seconds: a number, or a date, which counts from the answer's own ``Date``: the clock of this
    machine does not matter. None where it is absent or neither."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    until, now = _date(text), _date(headers.get("date", ""))
    return None if until is None or now is None else max(0.0, (until - now).total_seconds())


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo is not None else None
