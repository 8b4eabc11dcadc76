"""What one truce says of one incident: time and place, then the act, then the parties. Source: rules.md, "How a
finding is reached".

A check that fails outright decides. One that cannot be decided leaves a doubt, which counts only if no later check
fails outright. An aggregate is undetermined wherever a window was in force.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from schemas.assessments import Finding, Reason
from schemas.instants import HOUR
from schemas.vocabulary import ACT_GROUPS, Certainty, Claim, Outcome, ReasonCode
from services.rules.domain import certainty
from services.rules.domain.footprint import Footprint, Nowhere, Shape
from services.rules.domain.model import Presence, Truce
from services.rules.domain.parties import Actor, Obligation, Pairing, Refs, Roll, pair
from services.rules.domain.presence import Presences, holding
from services.rules.domain.reasons import Reasons, once
from services.rules.domain.time import LONGEST, Span
from services.rules.domain.truce import Reading, Schedule

#: Acts against nobody in particular: with no target none is missing.
_NEEDS_NO_TARGET: Final = ACT_GROUPS["presence"] | {"territorial_gain"}
_CLAIMED: Final[dict[Claim, ReasonCode]] = {
    "self_defence": "self_defence_claimed",
    "aimed_at_excluded": "aimed_at_excluded_claimed",
    "accident": "accident_claimed",
}


@dataclass(frozen=True, slots=True)
class Incident:
    """A report as the rules read it: names, time and place resolved. ``source`` is the level its grade allows."""

    span: Span
    act: str
    perpetrators: tuple[Actor, ...]
    targets: tuple[Actor, ...]
    shape: Shape
    reported_place: str | None
    place_candidates: tuple[str, ...]
    footprint: Footprint
    marked_aggregate: bool
    claims: tuple[Claim, ...]
    source: int
    corroborated: bool

    @property
    def is_aggregate(self) -> bool:
        return self.marked_aggregate or self.span.is_long

    @property
    def misses_target(self) -> bool:
        """Whether nobody names a target where the act has one."""
        return not self.targets and self.act not in _NEEDS_NO_TARGET


class Terms:
    """One truce, ready to be asked."""

    def __init__(self, truce: Truce, number: dict[str, int]) -> None:
        self.id = truce.id
        self.schedule = Schedule(truce, number)
        self.exclusions = Refs(truce.exclusions)
        self.duties: dict[str, list[Obligation]] = {}
        for duty in truce.duties:
            obligation = Obligation(duty)
            for act in duty.acts:
                self.duties.setdefault(act, []).append(obligation)


@dataclass(frozen=True, slots=True)
class _Failed:
    """A check that fails outright: the outcome, and why."""

    outcome: Outcome
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class _Side:
    """What one side of a violation adds: its reasons, and the most certainty that it allows."""

    reasons: tuple[Reason, ...]
    cap: int = certainty.OBSERVED


@dataclass(frozen=True, slots=True)
class Judged:
    """A finding, and whether its certainty rests on the source's grade."""

    finding: Finding
    rests_on_grade: bool = False


class Bench:
    """Judges incidents by one truce at a time."""

    def __init__(self, roll: Roll, presences: Presences, reasons: Reasons) -> None:
        self._roll, self._presences, self._say = roll, presences, reasons.say

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
        return self._violation(terms, incident, reading, decided)

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
        """Every named one excluded fails; some but not all is a doubt (rules.md 7)."""
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
        """An unclear target on ground that an excluded group holds may be that group (rules.md 8)."""
        if _any_clear(pairing.targets) or not (pairing.targets or incident.misses_target):
            return []
        held = holding(self._excluded_here(incident, excluded), incident.footprint, self._presences.number)
        return [self._say("held_by_excluded_party", party=e.party, area=e.area, truce=terms.id) for e in held]

    # --- a violation, and how certain it is

    def _violation(self, terms: Terms, incident: Incident, reading: Reading, pairing: Pairing) -> Judged:
        excluded = terms.exclusions.at(incident.span.start)
        sides = (
            self._perpetrator_side(terms, incident, pairing, excluded),
            self._target_side(incident, pairing, excluded),
        )
        dispute = self._dispute(terms, reading)
        steps = self._steps(incident, bool(excluded))
        within = self._say("within_window", truce=terms.id, window=reading.stretch.found)
        cap = certainty.lowest_cap(side.cap for side in (*sides, dispute))
        level = certainty.level_of(incident.source, cap, len(steps), incident.corroborated)
        reasons = once((within, *sides[0].reasons, *sides[1].reasons, *dispute.reasons, *steps))
        return _judged(
            terms, reading, "violation", reasons, certainty.WORDS[level], rests_on_grade=incident.source <= cap
        )

    def _perpetrator_side(self, terms: Terms, incident: Incident, pairing: Pairing, excluded: frozenset[str]) -> _Side:
        if _any_clear(pairing.perpetrators):
            clear = [a for a in pairing.perpetrators if a.is_clear]
            say = self._say
            return _Side(
                tuple(say("bound_perpetrator", reported=a.reported, party=a.party, truce=terms.id) for a in clear)
            )
        here = self._excluded_here(incident, excluded)
        if not pairing.perpetrators:
            at = incident.span.start
            able = [entry for entry in here if incident.act not in self._roll.cannot(entry.party, at)]
            return self._unclear_side((self._say("unattributed"),), able)
        return self._unclear_side(self._umbrellas("umbrella_perpetrator", pairing.perpetrators), here)

    def _target_side(self, incident: Incident, pairing: Pairing, excluded: frozenset[str]) -> _Side:
        if _any_clear(pairing.targets) or not (pairing.targets or incident.misses_target):
            return _Side(())
        here = self._excluded_here(incident, excluded)
        if not pairing.targets:
            return self._unclear_side((self._say("unknown_target"),), here)
        return self._unclear_side(self._umbrellas("umbrella_target", pairing.targets), here)

    def _unclear_side(self, reasons: tuple[Reason, ...], here: Sequence[Presence]) -> _Side:
        """At most likely; at most possible where an excluded group may be meant (rules.md 6)."""
        present = tuple(self._say("excluded_group_present", party=e.party, area=e.area) for e in here)
        return _Side((*reasons, *present), certainty.POSSIBLE if here else certainty.LIKELY)

    def _umbrellas(self, code: ReasonCode, actors: Sequence[Actor]) -> tuple[Reason, ...]:
        return tuple(self._say(code, reported=actor.reported, party=actor.party) for actor in actors)

    def _dispute(self, terms: Terms, reading: Reading) -> _Side:
        if reading.dispute is None:
            return _Side(())
        found = reading.dispute.found
        disputed = self._say("window_disputed", truce=terms.id, window=found, announcements=found.announcements)
        return _Side((disputed,), certainty.POSSIBLE)

    def _steps(self, incident: Incident, excludes_anyone: bool) -> list[Reason]:
        """One reason for each step of certainty that is lost."""
        steps = []
        named = incident.perpetrators
        if named and all(incident.act in actor.cannot for actor in named):
            parties = tuple(dict.fromkeys(actor.party for actor in named if actor.party is not None))
            steps.append(self._say("implausible_perpetrator", parties=parties, act=incident.act))
        for claim in dict.fromkeys(incident.claims):
            if claim != "aimed_at_excluded" or excludes_anyone:
                steps.append(self._say(_CLAIMED[claim]))
        return steps

    def _excluded_here(self, incident: Incident, excluded: frozenset[str]) -> list[Presence]:
        """Groups that this truce then excludes, themselves or through a coalition, recorded at the place."""
        if not excluded:
            return []
        here = self._presences.here(incident.footprint, incident.span)
        at = incident.span.start
        return [entry for entry in here if not excluded.isdisjoint(self._roll.lineage(entry.party, at))]


def _judged_targets(targets: tuple[Actor, ...]) -> tuple[Actor, ...]:
    """Where civilians are among the targets, only they are judged (rules.md 3)."""
    civilians = tuple(actor for actor in targets if actor.civilian)
    return civilians or targets


def _not_in(excluded: frozenset[str], actors: Sequence[Actor]) -> tuple[Actor, ...]:
    return tuple(actor for actor in actors if not actor.is_in(excluded))


def _any_clear(actors: Sequence[Actor]) -> bool:
    return any(actor.is_clear for actor in actors)


def _judged(
    terms: Terms,
    reading: Reading,
    outcome: Outcome,
    reasons: tuple[Reason, ...],
    level: Certainty | None = None,
    rests_on_grade: bool = False,
) -> Judged:
    return Judged(Finding(terms.id, outcome, level, reading.stretch.found, reasons), rests_on_grade)
