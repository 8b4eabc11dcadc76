"""Changes of the decisions on an incident, made together with the assessment that follows from them. Source: the
contract, ``POST /v1/review/{incident_id}/decision``."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

import msgspec

from schemas.causes import Actor
from schemas.decisions import OperatorDecision
from schemas.events import OperatorActed
from services.rules.assessing.domain.keeping import ReportedCase


class TakenBack(msgspec.Struct, frozen=True):
    """The end of a decision: by whom, when (RFC 3339 UTC), and why if a reason was given."""

    by: Actor
    at: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class KeptDecision:
    """A decision as it is kept; ``taken_back`` is None while it stands."""

    decision: OperatorDecision
    taken_back: TakenBack | None = None


@dataclass(frozen=True, slots=True)
class DecisionChange:
    """One decision more on an incident, or some fewer, with the line of the audit."""

    incident_id: str
    act: OperatorActed
    made: OperatorDecision | None = None
    ended: tuple[str, ...] = ()
    taken_back: TakenBack | None = None

    def applied_to(self, standing: Iterable[OperatorDecision]) -> tuple[OperatorDecision, ...]:
        """The decisions that stand after it."""
        kept = tuple(one for one in standing if one.id not in self.ended)
        return kept if self.made is None else (*kept, self.made)


def decision_id(incident_id: str, number: int) -> str:
    """The id of the n-th decision on an incident, those that were taken back counted too."""
    return "dec_" + hashlib.sha256(f"decision\n{incident_id}\n{number}".encode()).hexdigest()[:24]


def with_decisions(one: ReportedCase, standing: tuple[OperatorDecision, ...]) -> ReportedCase:
    """The case, to be judged with the decisions that stand."""
    return one if one.case.decisions == standing else replace(one, case=replace(one.case, decisions=standing))
