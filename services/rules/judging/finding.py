"""The finding of one truce on one incident: time and place, then the act, then the parties. Source: judgement.md,
"Order of the checks".

A check that fails outright decides. One that cannot be decided leaves a doubt, which counts only if no later check
fails outright. An aggregate is undetermined wherever a window was in force.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from schemas.assessments import Finding, Reason
from schemas.instants import HOUR
from schemas.vocabulary import Certainty, Outcome, ReasonCode
from services.rules.judging.explanation import CheckName, Trail
from services.rules.judging.footprint import UnresolvedPlace
from services.rules.judging.incident import Incident, TruceTerms
from services.rules.judging.parties import Pairing, ResolvedActor, pair
from services.rules.judging.presence import PresenceIndex
from services.rules.judging.reasons import Reasons
from services.rules.judging.time import LONGEST
from services.rules.judging.timeline import Coverage
from services.rules.judging.violation import CertaintyRules, JudgedFinding

_Side = Literal["perpetrator", "target"]
_CHECKS: Final[dict[_Side, CheckName]] = {"perpetrator": "perpetrators", "target": "targets"}


@dataclass(frozen=True, slots=True)
class _Failed:
    """A check that fails outright: the outcome, and why."""

    outcome: Outcome
    reasons: tuple[Reason, ...]


class Checks:
    """Holds incidents against one truce at a time."""

    def __init__(self, presence_index: PresenceIndex, certainty_rules: CertaintyRules, reasons: Reasons) -> None:
        self._presence_index, self._certainty_rules, self._say = presence_index, certainty_rules, reasons.say

    def judge(
        self, terms: TruceTerms, incident: Incident, reading: Coverage, trail: Trail | None = None
    ) -> JudgedFinding:
        """The finding of one truce. ``trail`` is told of each check, for an explanation."""
        if not reading.covered:
            why = self._why_not_covered(terms, reading)
            if trail is not None:
                trail.fail("time_and_place", (why,))
            return _judged(terms, reading, "not_covered", (why,))
        doubts = self._doubts_of_time_and_place(terms, incident, reading)
        if trail is not None:
            trail.note("time_and_place", doubts)
            trail.note("aggregate", (self._aggregate(incident),) if incident.is_aggregate else ())
        decided = self._check_act_and_parties(terms, incident, doubts, trail)
        if incident.is_aggregate:
            return _judged(terms, reading, "undetermined", (self._aggregate(incident), *doubts), "Unknown")
        if isinstance(decided, _Failed):
            return _judged(terms, reading, decided.outcome, decided.reasons)
        if doubts:
            return _judged(terms, reading, "undetermined", tuple(doubts), "Unknown")
        return self._certainty_rules.finding_of(terms, incident, reading, decided)

    # --- time and place

    def _why_not_covered(self, terms: TruceTerms, reading: Coverage) -> Reason:
        if reading.elsewhere:
            return self._say("outside_area", truce=terms.id, areas=reading.elsewhere)
        return self._say("outside_window", truce=terms.id, window=reading.stretch.found)

    def _doubts_of_time_and_place(self, terms: TruceTerms, incident: Incident, reading: Coverage) -> list[Reason]:
        doubts = []
        if reading.gap:
            doubts.append(self._say("time_straddles_window", truce=terms.id, window=reading.stretch.found))
        if isinstance(incident.shape, UnresolvedPlace):
            doubts.append(
                self._say("place_unresolved", reported=incident.reported_place, candidates=incident.place_candidates)
            )
        elif reading.partial is not None:
            share, area = round(reading.partial, 3), reading.stretch.found.area
            doubts.append(self._say("place_too_coarse", truce=terms.id, area=area, share=share))
        return doubts

    def _aggregate(self, incident: Incident) -> Reason:
        if incident.marked_aggregate:
            return self._say("aggregate", cause="marked")
        hours = -((incident.span.start - incident.span.end) // HOUR)
        return self._say("aggregate", cause="long", hours=hours, limit=LONGEST // HOUR)

    # --- act and parties

    def _check_act_and_parties(
        self, terms: TruceTerms, incident: Incident, doubts: list[Reason], trail: Trail | None
    ) -> _Failed | Pairing:
        """Fails outright, or says who suffices for a violation; what cannot be decided is added to ``doubts``."""
        duties = terms.duties.get(incident.act)
        if duties is None:
            return _fail(
                "act", "not_covered", (self._say("act_not_prohibited", act=incident.act, truce=terms.id),), trail
            )
        at = incident.span.start
        excluded = terms.exclusions.at(at)
        perpetrators, targets = incident.perpetrators, judged_targets(incident.targets)
        if trail is not None:
            trail.note("act")
        for side, actors in _sides(perpetrators, targets):
            known = len(doubts)
            failed = self._check_exclusion(terms, side, actors, excluded, doubts)
            if failed is not None:
                return _fail(_CHECKS[side], failed.outcome, failed.reasons, trail)
            if trail is not None:
                trail.note(_CHECKS[side], doubts[known:])
        pairing = pair(duties, _not_in(excluded, perpetrators), _not_in(excluded, targets), at)
        if pairing is None:
            return _fail("duties", "not_covered", (self._no_duty(terms, incident.act, perpetrators, targets),), trail)
        held = self._held_ground(terms, incident, pairing, excluded)
        if trail is not None:
            trail.note("duties")
            trail.note("held_ground", held)
        doubts += held
        return pairing

    def _check_exclusion(
        self,
        terms: TruceTerms,
        side: _Side,
        actors: Sequence[ResolvedActor],
        excluded: frozenset[str],
        doubts: list[Reason],
    ) -> _Failed | None:
        """Every named one excluded fails; some but not all is a doubt (judgement.md 7)."""
        out = [actor for actor in actors if actor.is_in(excluded)]
        if not out:
            return None
        if len(out) == len(actors):
            code: ReasonCode = "excluded_perpetrator" if side == "perpetrator" else "excluded_target"
            reasons = (self._say(code, reported=a.reported, party=a.party, truce=terms.id) for a in out)
            return _Failed("excluded", tuple(reasons))
        others = tuple(actor.reported for actor in actors if actor not in out)
        names = tuple(actor.reported for actor in out)
        doubts.append(self._say("contested_attribution", side=side, excluded=names, others=others, truce=terms.id))
        return None

    def _no_duty(
        self, terms: TruceTerms, act: str, perpetrators: Sequence[ResolvedActor], targets: Sequence[ResolvedActor]
    ) -> Reason:
        return self._say(
            "no_duty_between_parties",
            perpetrators=tuple(actor.reported for actor in perpetrators),
            targets=tuple(actor.reported for actor in targets),
            act=act,
            truce=terms.id,
        )

    def _held_ground(
        self, terms: TruceTerms, incident: Incident, pairing: Pairing, excluded: frozenset[str]
    ) -> list[Reason]:
        """An unclear target on ground that an excluded group holds may be that group (judgement.md 8)."""
        if not incident.has_unclear_target(pairing):
            return []
        held = self._presence_index.excluded_holding(incident.footprint, incident.span, excluded)
        return [self._say("held_by_excluded_party", party=e.party, area=e.area, truce=terms.id) for e in held]


def _fail(check: CheckName, outcome: Outcome, reasons: tuple[Reason, ...], trail: Trail | None) -> _Failed:
    if trail is not None:
        trail.fail(check, reasons)
    return _Failed(outcome, reasons)


def _sides(
    perpetrators: tuple[ResolvedActor, ...], targets: tuple[ResolvedActor, ...]
) -> tuple[tuple[_Side, tuple[ResolvedActor, ...]], ...]:
    return (("perpetrator", perpetrators), ("target", targets))


def judged_targets(targets: tuple[ResolvedActor, ...]) -> tuple[ResolvedActor, ...]:
    """Where civilians are among the targets, only they are judged (judgement.md 3)."""
    civilians = tuple(actor for actor in targets if actor.civilian)
    return civilians or targets


def _not_in(excluded: frozenset[str], actors: Sequence[ResolvedActor]) -> tuple[ResolvedActor, ...]:
    return tuple(actor for actor in actors if not actor.is_in(excluded))


def _judged(
    terms: TruceTerms, reading: Coverage, outcome: Outcome, reasons: tuple[Reason, ...], level: Certainty | None = None
) -> JudgedFinding:
    return JudgedFinding(Finding(terms.id, outcome, level, reading.stretch.found, reasons))
