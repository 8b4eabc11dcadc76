"""Why an incident needs a person. Source: the contract, ``GET /v1/review``; judgement.md 16, 18, 20."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

from schemas.assessments import Assessment, Reason
from services.rules.judging.reasons import once

ReviewReason = Literal[
    "undetermined", "unresolved_party", "place_unresolved", "place_ambiguous", "place_disagreement", "point_mirrored",
    "contested_link",
]  # fmt: skip
REVIEW_REASONS: Final[tuple[ReviewReason, ...]] = get_args(ReviewReason)


@dataclass(frozen=True, slots=True)
class QueuedIncident:
    """An incident that needs a person. ``opened_at`` is the instant since which it has, whatever changed meanwhile."""

    incident_id: str
    opened_at: int
    why: tuple[str, ...]


def review_reasons(assessment: Assessment) -> tuple[ReviewReason, ...]:
    """Why the incident needs a person, in the order of :data:`REVIEW_REASONS`; none where it does not.

    Retracted reports need nobody, an aggregate is a statistic that nobody can decide (judgement.md 12), and a decided
    verdict leaves nothing open but links.
    """
    if assessment.aggregate:
        return ()
    found = set(_reasons(assessment))
    return tuple(reason for reason in REVIEW_REASONS if reason in found)


def _reasons(assessment: Assessment) -> Iterator[str]:
    if any(reason.code == "retracted" for reason in assessment.reasons):
        return
    if any(link.contested for link in assessment.links):
        yield "contested_link"
    if assessment.rules is not None:
        return
    if assessment.verdict == "undetermined":
        yield "undetermined"
    place = assessment.place
    if place.lat is None and place.area is None:
        ambiguous = any(r.code == "place_unresolved" and r.fact.get("candidates") for r in _everywhere(assessment))
        yield "place_ambiguous" if ambiguous else "place_unresolved"
    yield from (reason.code for reason in assessment.reasons)


def _everywhere(assessment: Assessment) -> Iterator[Reason]:
    yield from assessment.reasons
    for finding in assessment.findings:
        yield from finding.reasons


def told_reasons(assessment: Assessment) -> tuple[Reason, ...]:
    """The reasons of the assessment that an operator is to look at: those that need a person, and where it is
    undetermined, those of its undetermined findings; each once."""
    at_top = [reason for reason in assessment.reasons if reason.code in REVIEW_REASONS]
    doubtful = [
        reason
        for finding in assessment.findings
        for reason in finding.reasons
        if finding.outcome == "undetermined" or reason.code == "place_unresolved"
    ]
    return once([*at_top, *doubtful])
