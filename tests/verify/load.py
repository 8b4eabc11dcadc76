"""A partner that posts numbered reports at a steady rate, whatever happens to the other side.

It remembers every answer. What got none, or one that asks to come back, is posted again until it is taken: that is what
a partner does, and a report that landed unanswered the first time must not become two.
"""

import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import httpx

from schemas.examples import REPORT
from schemas.instants import MINUTE, format_instant, parse_instant
from tests.scenario import OPERATOR_KEY

#: Posters at once: as many posts may be waiting for their answers.
POSTERS: Final = 8
AGAIN_S: Final = 0.25
#: The promise: an answer within five seconds, or a word to come back.
ANSWER_S: Final = 5.0
_FIRST: Final = parse_instant("2016-03-02T00:00:00Z")
#: Reports of one place whose times, widened by half an hour each way, have nothing in common: more are elsewhere.
_APART: Final = 61 * MINUTE
_AT_ONE_PLACE: Final = 1_000
#: Degrees between places of half a kilometre that have nothing in common.
_BESIDE: Final = 0.02
#: The partners of this run, each with places of its own.
_PARTNERS: Final[dict[str, int]] = {}


def numbered(name: str, number: int) -> dict[str, Any]:
    """A report that is a violation, and that no other one can be linked with (judgement.md 18)."""
    partner, (further, hour) = _PARTNERS.setdefault(name, len(_PARTNERS)), divmod(number, _AT_ONE_PLACE)
    lat, lon = 36.2 + further * _BESIDE, 37.15 + partner * _BESIDE
    return {
        **REPORT,
        "external_id": f"{name}-{number}",
        "occurred": format_instant(_FIRST + hour * _APART),
        "location": {"place": f"{name} {number}", "lat": lat, "lon": lon, "radius_km": 0.5},
    }


@dataclass(slots=True)
class Answers:
    """The answers that the partner got. ``accepted``: the incident of each external id that got a 202 or 200.

    ``unanswered``: refused or cut off, by a process that was killed or stands still; a gateway would try the next one.
    ``slowest_s``: of the posts that were answered.
    """

    accepted: dict[str, str] = field(default_factory=dict)
    put_off: int = 0
    unanswered: int = 0
    odd: list[str] = field(default_factory=list)
    slowest_s: float = 0.0


class Served(Protocol):
    def client(self, key: str = OPERATOR_KEY, timeout_s: float = 30.0) -> httpx.Client: ...


class Partner:
    """Posts ``rate`` reports a second from ``start`` until ``finish``; every number is posted until it is accepted."""

    def __init__(self, cluster: Served, name: str, rate: float) -> None:
        self.name = name
        self.answers = Answers()
        self._cluster, self._rate = cluster, rate
        self._lock = threading.Lock()
        self._numbers: Iterator[int] = itertools.count()
        self._began = 0.0
        self._finishing, self._giving_up = threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=self._post, daemon=True) for _ in range(POSTERS)]
        self.posted = 0

    def start(self) -> None:
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()

    def finish(self, timeout_s: float) -> None:
        """Begin no new number, and see the last ones accepted. Raises TimeoutError when they are not."""
        self._finishing.set()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if any(thread.is_alive() for thread in self._threads):
            self._giving_up.set()
            raise TimeoutError(f"{self.name}: {self.posted - len(self.answers.accepted)} reports were never accepted")

    def burst(self, count: int) -> None:
        """``count`` reports more, in one batch, which is sent until it is accepted."""
        with self._lock:
            numbers = [self._next() for _ in range(count)]
        reports = [numbered(self.name, number) for number in numbers]
        with self._cluster.client(timeout_s=60) as client:
            while True:
                try:
                    answer = client.post("/v1/incidents/batch", json=reports)
                except httpx.TransportError:
                    time.sleep(AGAIN_S)
                    continue
                if answer.status_code == 200:
                    break
                time.sleep(AGAIN_S)
        with self._lock:
            for report, result in zip(reports, answer.json()["results"], strict=True):
                self.answers.accepted[report["external_id"]] = result["incident_id"]

    def _next(self) -> int:
        self.posted += 1
        return next(self._numbers)

    def _post(self) -> None:
        with self._cluster.client(timeout_s=ANSWER_S + 10) as client:
            while True:
                with self._lock:
                    due = self._began + self.posted / self._rate
                    wait = due - time.monotonic()
                    number = None if wait > 0 or self._finishing.is_set() else self._next()
                if number is not None:
                    self._post_until_accepted(client, number)
                elif self._finishing.wait(min(max(wait, 0.0), 0.05)):
                    return

    def _post_until_accepted(self, client: httpx.Client, number: int) -> None:
        report = numbered(self.name, number)
        while not self._giving_up.is_set() and not self._accepted(client, report):
            time.sleep(AGAIN_S)

    def _accepted(self, client: httpx.Client, report: dict[str, Any]) -> bool:
        began, answers = time.monotonic(), self.answers
        try:
            answer = client.post("/v1/incidents", json=report)
        except httpx.TransportError:
            with self._lock:
                answers.unanswered += 1
            return False
        with self._lock:
            answers.slowest_s = max(answers.slowest_s, time.monotonic() - began)
            if answer.status_code in (200, 202):
                answers.accepted[report["external_id"]] = answer.json()["incident_id"]
                return True
            if answer.status_code == 503 and "retry-after" in answer.headers:
                answers.put_off += 1
            else:
                answers.odd.append(f"{answer.status_code} {answer.text[:200]}")
        return False
