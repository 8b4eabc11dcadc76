"""The decisions of operators on a report, as the rules read them. Source: docs/judgement.md, "Decisions"."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from schemas.assessments import Assessment
from schemas.decisions import DecisionKind, OperatorDecision, RulesVerdict, StandingDecision
from schemas.vocabulary import Certainty
from services.rules.judging.names import normalise


@dataclass(frozen=True, slots=True)
class StandingDecisions:
    """The decisions that stand, the last one of each kind: ``parties`` by the normalised name that each is about."""

    place: OperatorDecision | None = None
    parties: Mapping[str, tuple[str, OperatorDecision]] = field(default_factory=dict)
    verdict: OperatorDecision | None = None

    def find(self, reported: str) -> tuple[str, OperatorDecision] | None:
        """The id of the party that a reported name was decided to mean, and the decision."""
        return self.parties.get(_name_key(reported)) if self.parties else None

    def party_of(self, reported: str) -> str | None:
        found = self.find(reported)
        return None if found is None else found[0]


NOTHING: Final = StandingDecisions()


def standing(decisions: Collection[OperatorDecision]) -> StandingDecisions:
    """The last decision of each kind, in the order of their numbers; of ``parties``, the last one for each name."""
    if not decisions:
        return NOTHING
    place = verdict = None
    parties: dict[str, tuple[str, OperatorDecision]] = {}
    for one in sorted(decisions, key=lambda decision: decision.number):
        place = place if one.place is None else one
        verdict = verdict if one.verdict is None else one
        parties |= {_name_key(name): (party, one) for name, party in one.parties.items()}
    return StandingDecisions(place, parties, verdict)


def with_verdict(assessment: Assessment, decision: OperatorDecision) -> Assessment:
    """The assessment with a decided verdict, and that of the rules beside it; findings and severity stay as judged."""
    assert decision.verdict is not None
    rules = RulesVerdict(assessment.verdict, assessment.certainty)
    return replace(assessment, verdict=decision.verdict, certainty=certainty_of(decision), rules=rules)


def certainty_of(decision: OperatorDecision) -> Certainty | None:
    """The certainty of a decided verdict: of a violation as decided, ``Likely`` if nothing was said."""
    if decision.verdict == "violation":
        return decision.certainty or "Likely"
    return "Unknown" if decision.verdict == "undetermined" else None


def tell_standing(decisions: Iterable[OperatorDecision]) -> tuple[StandingDecision, ...]:
    """The decisions as an assessment lists them, in the order of their numbers."""
    return tuple(
        StandingDecision(one.id, kind_of(one), one.by, one.at, one.reason)
        for one in sorted(decisions, key=lambda decision: decision.number)
    )


def kind_of(decision: OperatorDecision) -> DecisionKind:
    """The one thing that a decision is about."""
    if decision.place is not None:
        return "place"
    if decision.parties:
        return "parties"
    return "verdict" if decision.verdict is not None else "link"


def _name_key(reported: str) -> str:
    """Names that normalise to the same are the same; one that normalises to nothing is compared as it is."""
    return normalise(reported) or reported
