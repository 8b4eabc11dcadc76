"""The finding of one truce on one incident: time and place, then the act, then the parties. Source: judgement.md,
"Order of the checks".

A check that fails outright decides. One that cannot be decided leaves a doubt, which counts only if no later check
fails outright. An aggregate is undetermined wherever a window was in force.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.assessments import Finding, Reason
from schemas.instants import HOUR
from schemas.vocabulary import Certainty, Outcome, ReasonCode
from services.rules.domain.footprint import Nowhere
from services.rules.domain.incident import Incident, Terms
from services.rules.domain.parties import Actor, Pairing, pair
from services.rules.domain.presence import Presences
from services.rules.domain.reasons import Reasons
from services.rules.domain.time import LONGEST
from services.rules.domain.truce import Reading
from services.rules.domain.violation import Judged, Scales


@dataclass(frozen=True, slots=True)
class _Failed:
    """A check that fails outright: the outcome, and why."""

    outcome: Outcome
    reasons: tuple[Reason, ...]


class Checks:
    """Holds incidents against one truce at a time."""

    def __init__(self, presences: Presences, scales: Scales, reasons: Reasons) -> None:
        self._presences, self._scales, self._say = presences, scales, reasons.say

    def judge(self, terms: Terms, incident: Incident, reading: Reading) -> Judged:
        if not reading.covered:
            return _judged(terms, reading, "not_covered", (self._why_not_covered(terms, reading),))
        doubts = self._doubts_of_time_and_place(terms, incident, reading)
        decided = self._check_act_and_parties(terms, incident, doubts)
        if incident.is_aggregate:
            return _judged(terms, reading, "undetermined", (self._aggregate(incident), *doubts), "Unknown")
        if isinstance(decided, _Failed):
            return _judged(terms, reading, decided.outcome, decided.reasons)
        if doubts:
            return _judged(terms, reading, "undetermined", tuple(doubts), "Unknown")
        return self._scales.weigh(terms, incident, reading, decided)

    # --- time and place

    def _why_not_covered(self, terms: Terms, reading: Reading) -> Reason:
        if reading.elsewhere:
            return self._say("outside_area", truce=terms.id, areas=reading.elsewhere)
        return self._say("outside_window", truce=terms.id, window=reading.stretch.found)

    def _doubts_of_time_and_place(self, terms: Terms, incident: Incident, reading: Reading) -> list[Reason]:
        doubts = []
        if reading.gap:
            doubts.append(self._say("time_straddles_window", truce=terms.id, window=reading.stretch.found))
        if isinstance(incident.shape, Nowhere):
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

    def _check_act_and_parties(self, terms: Terms, incident: Incident, doubts: list[Reason]) -> _Failed | Pairing:
        """Fails outright, or says who suffices for a violation; what cannot be decided is added to ``doubts``."""
        duties = terms.duties.get(incident.act)
        if duties is None:
            return _Failed("not_covered", (self._say("act_not_prohibited", act=incident.act, truce=terms.id),))
        at = incident.span.start
        excluded = terms.exclusions.at(at)
        perpetrators, targets = incident.perpetrators, _judged_targets(incident.targets)
        for side, actors in (("perpetrator", perpetrators), ("target", targets)):
            failed = self._check_exclusion(terms, side, actors, excluded, doubts)
            if failed is not None:
                return failed
        pairing = pair(duties, _not_in(excluded, perpetrators), _not_in(excluded, targets), at)
        if pairing is None:
            return _Failed("not_covered", (self._no_duty(terms, incident.act, perpetrators, targets),))
        doubts += self._held_ground(terms, incident, pairing, excluded)
        return pairing

    def _check_exclusion(
        self, terms: Terms, side: str, actors: Sequence[Actor], excluded: frozenset[str], doubts: list[Reason]
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

    def _no_duty(self, terms: Terms, act: str, perpetrators: Sequence[Actor], targets: Sequence[Actor]) -> Reason:
        return self._say(
            "no_duty_between_parties",
            perpetrators=tuple(actor.reported for actor in perpetrators),
            targets=tuple(actor.reported for actor in targets),
            act=act,
            truce=terms.id,
        )

    def _held_ground(
        self, terms: Terms, incident: Incident, pairing: Pairing, excluded: frozenset[str]
    ) -> list[Reason]:
        """An unclear target on ground that an excluded group holds may be that group (judgement.md 8)."""
        if not incident.has_unclear_target(pairing):
            return []
        held = self._presences.excluded_holding(incident.footprint, incident.span, excluded)
        return [self._say("held_by_excluded_party", party=e.party, area=e.area, truce=terms.id) for e in held]


def _judged_targets(targets: tuple[Actor, ...]) -> tuple[Actor, ...]:
    """Where civilians are among the targets, only they are judged (judgement.md 3)."""
    civilians = tuple(actor for actor in targets if actor.civilian)
    return civilians or targets


def _not_in(excluded: frozenset[str], actors: Sequence[Actor]) -> tuple[Actor, ...]:
    return tuple(actor for actor in actors if not actor.is_in(excluded))


def _judged(
    terms: Terms, reading: Reading, outcome: Outcome, reasons: tuple[Reason, ...], level: Certainty | None = None
) -> Judged:
    return Judged(Finding(terms.id, outcome, level, reading.stretch.found, reasons))
