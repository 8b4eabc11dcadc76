"""Silences: alerts that somebody asked not to be told of for a while. Source: the contract, ``POST /v1/silences``."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from schemas.assessments import Alert
from schemas.vocabulary import SEVERITIES
from services.notify.domain.matching import read_traits

MatcherName = Literal["truce", "area", "party", "act", "verdict", "severity", "certainty", "thread", "incident"]
MAX_PATTERN: Final = 200
#: Repetition inside repetition, and references back: what makes a pattern take time without end.
_DANGEROUS: Final = re.compile(r"[+*}]\)*[+*{]|\([^)]*[+*}|?][^)]*\)[+*{]|\\[1-9]|\(\?P=")


class Matcher(Struct, frozen=True, forbid_unknown_fields=True):
    """One condition on an alert: any value of that name equals ``value`` (or, as a regex, matches it whole).

    Not ``is_equal``: no value does.
    """

    name: MatcherName
    value: Annotated[str, Meta(max_length=MAX_PATTERN)]
    is_regex: bool = False
    is_equal: bool = True


@dataclass(frozen=True, slots=True)
class Silence:
    """In force over the half-open ``[starts_at, ends_at)``, for the alerts that meet every matcher.

    ``owner`` is the key that made it: it holds back that owner's deliveries, or everybody's when None.
    """

    id: str
    owner: str | None
    matchers: tuple[Matcher, ...]
    starts_at: int
    ends_at: int
    reason: str
    author: str
    created_at: int
    version: int = 0

    def in_force(self, now: int) -> bool:
        return self.starts_at <= now < self.ends_at

    def state(self, now: int) -> Literal["pending", "active", "expired"]:
        return "pending" if now < self.starts_at else "active" if now < self.ends_at else "expired"


def find_matcher_faults(matchers: tuple[Matcher, ...]) -> list[tuple[str, str]]:
    """(JSON pointer, detail) pairs for the patterns that are none, or that could take for ever."""
    faults = []
    for position, matcher in enumerate(matchers):
        pointer = f"/matchers/{position}/value"
        if not matcher.is_regex:
            continue
        if _DANGEROUS.search(matcher.value):
            faults.append((pointer, "a pattern has no repetition within a repetition and no back reference"))
            continue
        try:
            _pattern(matcher.value)
        except (re.error, OverflowError) as error:
            faults.append((pointer, f"not a regular expression: {error}"))
    return faults


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def find_silences(silences: Iterable[Silence], alert: Alert, now: int) -> tuple[Silence, ...]:
    """Those in force at ``now`` that the alert meets."""
    return tuple(s for s in silences if s.in_force(now) and silences_alert(s, alert))


def silences_alert(silence: Silence, alert: Alert) -> bool:
    """Whether the alert meets every matcher, whatever the time."""
    labels = read_labels(alert)
    return all(_meets(matcher, labels[matcher.name]) for matcher in silence.matchers)


def read_labels(alert: Alert) -> dict[str, tuple[str, ...]]:
    """The values of an alert under each name that a matcher may use."""
    traits = read_traits(alert)
    return {
        "truce": tuple(traits.truces),
        "area": tuple(traits.areas),
        "party": tuple(traits.parties),
        "act": (alert.act,),
        "verdict": (alert.verdict,),
        "severity": (SEVERITIES[traits.severity],),
        "certainty": (alert.certainty or "Unknown",),
        "thread": (alert.thread,),
        "incident": (alert.incident_id,),
    }


def _meets(matcher: Matcher, values: tuple[str, ...]) -> bool:
    if matcher.is_regex:
        found = any(_pattern(matcher.value).fullmatch(value) for value in values)
    else:
        found = matcher.value in values
    return found == matcher.is_equal
