"""Which assessments need a person. Source: the contract, ``GET /v1/review``."""

from typing import Final

from schemas.assessments import Assessment

#: Reasons at the top of an assessment that a person is to look into, whatever the verdict.
OPENING: Final = frozenset({"place_unresolved", "place_disagreement", "point_mirrored", "unresolved_party"})


def needs_review(assessment: Assessment) -> bool:
    """Undetermined, or resting on a name or a place that did not resolve. What was retracted needs nobody, and an
    aggregate is a statistic that nobody can decide (docs/judgement.md, rule 12)."""
    codes = {reason.code for reason in assessment.reasons}
    if assessment.aggregate or "retracted" in codes:
        return False
    codes.update(reason.code for finding in assessment.findings for reason in finding.reasons)
    return assessment.verdict == "undetermined" or not OPENING.isdisjoint(codes)
