"""Questions of every kind to what is stored, as the desk and a program ask them."""

import random
import time
from collections.abc import Callable
from typing import Final

import httpx

from bench.load import percentile

#: Each question so often, of another place, time or word each time.
TIMES: Final = 40


def ask(*clients: httpx.Client) -> dict[str, tuple[float, ...]]:
    """The p95 of each question to each of them, asked in turn, in milliseconds. Raises httpx.HTTPStatusError for an
    answer that is none."""
    found = {}
    for what, question in _QUESTIONS.items():
        asked = [[_seconds(client, question, number) for client in clients] for number in range(TIMES)]
        found[what] = tuple(percentile(list(each), 0.95) * 1000 for each in zip(*asked, strict=True))
    return found


Question = Callable[[random.Random], tuple[str, dict[str, str | int]]]


def _seconds(client: httpx.Client, question: Question, number: int) -> float:
    path, query = question(random.Random(number))
    headers = {"accept": "application/geo+json"} if question is _map else {}
    begin = time.perf_counter()
    client.get(path, params=query, headers=headers).raise_for_status()
    return time.perf_counter() - begin


def _box(chosen: random.Random) -> str:
    west, south = 36 + 2.5 * chosen.random(), 33 + 3.5 * chosen.random()
    return f"{west:.3f},{south:.3f},{west + 0.5:.3f},{south + 0.5:.3f}"


def _stretch(chosen: random.Random) -> dict[str, str | int]:
    day = chosen.randrange(1, 28)
    return {"from": f"2016-05-{day:02}T00:00:00Z", "to": f"2016-05-{day + 1:02}T00:00:00Z"}


def _list(chosen: random.Random) -> tuple[str, dict[str, str | int]]:
    return "/v1/incidents", {"limit": chosen.choice((50, 100))}


def _filters(chosen: random.Random) -> tuple[str, dict[str, str | int]]:
    one_of = chosen.choice(({"truce": "cessation-of-hostilities"}, {"party": "syrian-government"}, {"act": "shelling"}))
    return "/v1/incidents", {"verdict": "violation", "min_severity": "Severe", "limit": 50, **one_of}


def _in_box(chosen: random.Random) -> tuple[str, dict[str, str | int]]:
    return "/v1/incidents", {"bbox": _box(chosen), "limit": 50, **_stretch(chosen)}


def _map(chosen: random.Random) -> tuple[str, dict[str, str | int]]:
    return "/v1/incidents", {"bbox": _box(chosen), **_stretch(chosen)}


def _text(chosen: random.Random) -> tuple[str, dict[str, str | int]]:
    return "/v1/incidents", {"q": f"Place {chosen.randrange(10_000)}", "limit": 50}


def _statistics(chosen: random.Random) -> tuple[str, dict[str, str | int]]:
    return "/v1/statistics", {"by": "day", "verdict": chosen.choice(("violation", "not_covered"))}


def _status(_: random.Random) -> tuple[str, dict[str, str | int]]:
    return "/status", {}


_QUESTIONS: Final[dict[str, Question]] = {
    "list": _list, "filters": _filters, "box": _in_box, "map": _map, "text": _text, "statistics": _statistics,
    "status": _status,
}  # fmt: skip
