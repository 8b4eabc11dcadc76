"""Silences: alerts that somebody asked not to be told of for a while. Source: the contract, ``POST /v1/silences``."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, get_args

import re2
from msgspec import Meta, Struct

from schemas.assessments import Alert
from schemas.vocabulary import CERTAINTIES, SEVERITIES, Act
from services.notify.domain.matching import read_traits

MatcherName = Literal["truce", "area", "party", "act", "verdict", "severity", "certainty", "thread", "incident"]
MAX_PATTERN: Final = 200
#: Bytes of one compiled expression and its state cache: bounds memory and the cost of counted repetition.
MAX_PATTERN_MEMORY: Final = 1 << 20
#: Every value of the names whose values are a closed list; verdicts are those that raise alerts.
_CLOSED: Final[dict[str, tuple[str, ...]]] = {
    "act": get_args(Act),
    "verdict": ("violation", "undetermined", "excluded", "not_covered"),
    "severity": tuple(SEVERITIES),
    "certainty": tuple(CERTAINTIES),
}
#: Stand for the values of the other names: an expression that matches all of them matches whatever an alert holds.
_SAMPLES: Final = ("a", "Z", "7", "aleppo-calm", "q_x.9", "thr_0a1b2c3d4e5f6071", "\u062d\u0644\u0628")


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

    ``owner`` is the key that made it: it holds back that owner's deliveries, or everybody's when None. ``ended_at``:
    when somebody ended it, before its time; None for one that ends by itself.
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
    ended_at: int | None = None

    def in_force(self, now: int) -> bool:
        return self.starts_at <= now < self.ends_at

    def state(self, now: int) -> Literal["pending", "active", "expired"]:
        return "pending" if now < self.starts_at else "active" if now < self.ends_at else "expired"


def find_matcher_faults(matchers: tuple[Matcher, ...]) -> list[tuple[str, str]]:
    """(JSON pointer, detail) pairs for the expressions that RE2 does not take."""
    return [
        (f"/matchers/{position}/value", "not an RE2 expression, or too large: no look-around and no back references")
        for position, matcher in enumerate(matchers)
        if matcher.is_regex and _pattern(matcher.value) is None
    ]


def matches_everything(matchers: tuple[Matcher, ...]) -> bool:
    """Whether every matcher lets every alert pass, as far as its value shows."""
    return all(_lets_all_pass(matcher) for matcher in matchers)


def _lets_all_pass(matcher: Matcher) -> bool:
    if matcher.name in _CLOSED:
        return all(_meets(matcher, (value,)) for value in _CLOSED[matcher.name])
    if matcher.is_equal:
        return matcher.is_regex and all(_meets(matcher, (value,)) for value in _SAMPLES)
    # All threads but some, all incidents but some, or whatever has a name at all.
    return matcher.name in ("thread", "incident") or not matcher.value.strip()


@lru_cache(maxsize=1024)
def _pattern(text: str) -> Any:
    """The compiled expression; None where RE2 refuses it, which then matches nothing."""
    options = re2.Options()
    options.max_mem = MAX_PATTERN_MEMORY
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except (re2.error, UnicodeError):
        return None


def find_silences(silences: Iterable[Silence], alert: Alert, now: int) -> tuple[Silence, ...]:
    """Those in force at ``now`` that the alert meets."""
    in_force = [silence for silence in silences if silence.in_force(now)]
    if not in_force:
        return ()
    labels = read_labels(alert)
    return tuple(silence for silence in in_force if _meets_all(silence, labels))


def _meets_all(silence: Silence, labels: Mapping[str, tuple[str, ...]]) -> bool:
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
        pattern = _pattern(matcher.value)
        if pattern is None:
            # Kept before RE2 was used. It holds nothing back, negated or not.
            return False
        found = any(pattern.fullmatch(value) is not None for value in values)
    else:
        found = matcher.value in values
    return found == matcher.is_equal
