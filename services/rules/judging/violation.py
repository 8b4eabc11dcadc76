"""How certain a violation is, and by whom and against whom it was. Source: judgement.md 3, 5, 6, 9, 13, "Certainty"."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from schemas.assessments import Finding, Reason
from schemas.vocabulary import Claim, ReasonCode
from services.rules.judging import certainty
from services.rules.judging.incident import Incident, TruceTerms
from services.rules.judging.model import CompiledPresence
from services.rules.judging.parties import Pairing, PartyDirectory, ResolvedActor
from services.rules.judging.presence import PresenceIndex
from services.rules.judging.reasons import Reasons, once
from services.rules.judging.timeline import Coverage

_CLAIMED: Final[dict[Claim, ReasonCode]] = {
    "self_defence": "self_defence_claimed",
    "aimed_at_excluded": "aimed_at_excluded_claimed",
    "accident": "accident_claimed",
}


@dataclass(frozen=True, slots=True)
class _Side:
    """The contribution of one side to a violation: its reasons, and the most certainty that it allows."""

    reasons: tuple[Reason, ...]
    cap: int = certainty.OBSERVED


@dataclass(frozen=True, slots=True)
class JudgedFinding:
    """A finding, and whether its certainty rests on the source's grade."""

    finding: Finding
    rests_on_grade: bool = False


class CertaintyRules:
    """Decides the certainty of violations."""

    def __init__(self, directory: PartyDirectory, presence_index: PresenceIndex, reasons: Reasons) -> None:
        self._directory, self._presence_index, self._say = directory, presence_index, reasons.say

    def finding_of(self, terms: TruceTerms, incident: Incident, reading: Coverage, pairing: Pairing) -> JudgedFinding:
        """The finding of a violation, with its certainty. ``pairing`` says who suffices for it."""
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
        finding = Finding(terms.id, "violation", certainty.WORDS[level], reading.stretch.found, reasons)
        return JudgedFinding(finding, rests_on_grade=incident.source <= cap)

    def _perpetrator_side(
        self, terms: TruceTerms, incident: Incident, pairing: Pairing, excluded: frozenset[str]
    ) -> _Side:
        say, clear = self._say, [actor for actor in pairing.perpetrators if actor.is_clear]
        if clear:
            return _Side(
                tuple(say("bound_perpetrator", reported=a.reported, party=a.party, truce=terms.id) for a in clear)
            )
        here = self._presence_index.excluded_here(incident.footprint, incident.span, excluded)
        if not pairing.perpetrators:
            # Means are considered only where nobody is named: an umbrella name already points to someone.
            at = incident.span.start
            able = [entry for entry in here if incident.act not in self._directory.cannot(entry.party, at)]
            return self._unclear_side((self._say("unattributed"),), able)
        return self._unclear_side(self._umbrellas("umbrella_perpetrator", pairing.perpetrators), here)

    def _target_side(self, incident: Incident, pairing: Pairing, excluded: frozenset[str]) -> _Side:
        if not incident.has_unclear_target(pairing):
            return _Side(())
        here = self._presence_index.excluded_here(incident.footprint, incident.span, excluded)
        if not pairing.targets:
            return self._unclear_side((self._say("unknown_target"),), here)
        return self._unclear_side(self._umbrellas("umbrella_target", pairing.targets), here)

    def _unclear_side(self, reasons: tuple[Reason, ...], here: Sequence[CompiledPresence]) -> _Side:
        """At most likely; at most possible where an excluded group may be meant (judgement.md 6)."""
        present = tuple(self._say("excluded_group_present", party=e.party, area=e.area) for e in here)
        return _Side((*reasons, *present), certainty.POSSIBLE if here else certainty.LIKELY)

    def _umbrellas(self, code: ReasonCode, actors: Sequence[ResolvedActor]) -> tuple[Reason, ...]:
        return tuple(self._say(code, reported=actor.reported, party=actor.party) for actor in actors)

    def _dispute(self, terms: TruceTerms, reading: Coverage) -> _Side:
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
