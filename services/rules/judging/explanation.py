"""The way to each finding, step by step, as an explanation shows it. Source: judgement.md, "Order of the checks"."""

from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from schemas.assessments import Assessment, Finding, Reason
from schemas.vocabulary import ReasonCode

CheckName = Literal[
    "time_and_place", "aggregate", "act", "perpetrators", "targets", "duties", "held_ground", "certainty"
]
CheckResult = Literal["passed", "failed", "undecided", "not_reached"]

#: In the order in which they are made.
CHECKS: Final[tuple[CheckName, ...]] = (
    "time_and_place", "aggregate", "act", "perpetrators", "targets", "duties", "held_ground", "certainty",
)  # fmt: skip
_CHECKS_OF_VIOLATIONS: Final[dict[ReasonCode, CheckName]] = {
    "within_window": "time_and_place",
    "window_disputed": "certainty",
    "implausible_perpetrator": "certainty",
    "self_defence_claimed": "certainty",
    "aimed_at_excluded_claimed": "certainty",
    "accident_claimed": "certainty",
    "excluded_group_present": "certainty",
}


class CheckStep(msgspec.Struct, frozen=True):
    """One check: whether the report passed it, and the reasons why not, or what it rests on."""

    check: CheckName
    result: CheckResult
    reasons: tuple[Reason, ...] = ()


@dataclass(slots=True)
class Trail:
    """Filled by the checks as they are made. ``passed``: each that did not fail, with its doubts; ``failed``: the one
    that did, with its reasons."""

    passed: dict[CheckName, tuple[Reason, ...]]
    failed: tuple[CheckName, tuple[Reason, ...]] | None = None

    def note(self, check: CheckName, doubts: tuple[Reason, ...] | list[Reason] = ()) -> None:
        self.passed[check] = tuple(doubts)

    def fail(self, check: CheckName, reasons: tuple[Reason, ...]) -> None:
        self.failed = (check, reasons)


@dataclass(frozen=True, slots=True)
class ExplainedActor:
    """A reported name held against a truce. ``is_judged``: whether it counts here; of targets, civilians go first."""

    reported: str
    party: str | None
    coalitions: tuple[str, ...]
    is_excluded: bool
    is_judged: bool


@dataclass(frozen=True, slots=True)
class ExplainedDuty:
    """A duty held against the report; None for a side is everyone. ``binds`` and ``protects`` are reported names."""

    bound: tuple[str, ...] | None
    toward: tuple[str, ...] | None
    acts: tuple[str, ...]
    forbids: bool
    binds: tuple[str, ...]
    protects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExplainedTruce:
    """A truce whose area holds some of the place. ``finding`` None: none of its windows is near in time.
    ``shares``: the part of the place in each area of its windows, 0 to 1."""

    truce: str
    finding: Finding | None
    shares: dict[str, float]
    perpetrators: tuple[ExplainedActor, ...]
    targets: tuple[ExplainedActor, ...]
    duties: tuple[ExplainedDuty, ...]
    checks: tuple[CheckStep, ...]
    decided_by: CheckName | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """An assessment with the way to it."""

    assessment: Assessment
    truces: tuple[ExplainedTruce, ...]


def steps_of(trail: Trail, finding: Finding) -> tuple[tuple[CheckStep, ...], CheckName]:
    """Every check in order, and the one that decided: the one that failed; else the first that could not be decided;
    of a violation, the duties."""
    if trail.passed.get("aggregate"):
        decided: CheckName = "aggregate"
    elif trail.failed is not None:
        decided = trail.failed[0]
    else:
        decided = next((check for check, doubts in trail.passed.items() if doubts), "duties")
    return tuple(_step(check, trail, finding) for check in CHECKS), decided


def _step(check: CheckName, trail: Trail, finding: Finding) -> CheckStep:
    if trail.failed is not None and trail.failed[0] == check:
        return CheckStep(check, "failed", trail.failed[1])
    if check in trail.passed:
        doubts = trail.passed[check]
        return (
            CheckStep(check, "undecided", doubts) if doubts else CheckStep(check, "passed", _rests_on(check, finding))
        )
    if check == "certainty" and finding.outcome == "violation":
        return CheckStep(check, "passed", _rests_on(check, finding))
    return CheckStep(check, "not_reached")


def _rests_on(check: CheckName, finding: Finding) -> tuple[Reason, ...]:
    """The reasons of a violation that belong to a check."""
    if finding.outcome != "violation":
        return ()
    return tuple(one for one in finding.reasons if _CHECKS_OF_VIOLATIONS.get(one.code, "duties") == check)
