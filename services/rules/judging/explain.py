"""One truce held against one incident, for an explanation."""

from collections.abc import Callable, Mapping, Sequence

from schemas.assessments import Finding
from schemas.vocabulary import ACTS
from services.rules.judging.explanation import (
    CheckName,
    CheckStep,
    ExplainedActor,
    ExplainedDuty,
    ExplainedTruce,
    Trail,
    steps_of,
)
from services.rules.judging.finding import judged_targets
from services.rules.judging.incident import Incident, TruceTerms
from services.rules.judging.model import CompiledDuty, CompiledTruce
from services.rules.judging.parties import Obligation, ResolvedActor


def explain_truce(
    terms: TruceTerms,
    truce: CompiledTruce,
    incident: Incident,
    areas: Mapping[str, int],
    finding: Finding | None,
    follow: Callable[[Trail], Finding],
) -> ExplainedTruce:
    """``areas`` numbers the areas; ``follow`` makes the checks again, and tells a trail of them."""
    checks: tuple[CheckStep, ...] = ()
    decided_by: CheckName | None = None
    if finding is not None:
        trail = Trail({})
        checks, decided_by = steps_of(trail, follow(trail))
    excluded, judged = terms.exclusions.at(incident.span.start), judged_targets(incident.targets)
    own = dict.fromkeys(account.area for window in truce.windows for account in window.accounts)
    return ExplainedTruce(
        truce=terms.id,
        finding=finding,
        shares={id: round(incident.footprint.share(areas[id]), 4) for id in own},
        perpetrators=tuple(_actor(one, excluded, incident.perpetrators) for one in incident.perpetrators),
        targets=tuple(_actor(one, excluded, judged) for one in incident.targets),
        duties=tuple(_duty(duty, incident, judged) for duty in truce.duties),
        checks=checks,
        decided_by=decided_by,
    )


def _actor(actor: ResolvedActor, excluded: frozenset[str], judged: Sequence[ResolvedActor]) -> ExplainedActor:
    return ExplainedActor(actor.reported, actor.party, actor.coalitions, actor.is_in(excluded), actor in judged)


def _duty(duty: CompiledDuty, incident: Incident, targets: Sequence[ResolvedActor]) -> ExplainedDuty:
    obligation, at = Obligation(duty), incident.span.start
    return ExplainedDuty(
        bound=None if duty.bound is None else tuple(ref.party for ref in duty.bound if ref.period.holds(at)),
        toward=None if duty.toward is None else tuple(ref.party for ref in duty.toward if ref.period.holds(at)),
        acts=tuple(act for act in ACTS if act in duty.acts),
        forbids=incident.act in duty.acts,
        binds=tuple(actor.reported for actor in incident.perpetrators if obligation.binds(actor, at)),
        protects=tuple(actor.reported for actor in targets if obligation.protects(actor, at)),
    )
