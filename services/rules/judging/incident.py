"""A report and a truce as the rules read them, before either is held against the other."""

from dataclasses import dataclass
from typing import Final

from schemas.time_span import TimeSpan
from schemas.vocabulary import ACT_GROUPS, Claim
from services.rules.judging.footprint import Footprint, Shape
from services.rules.judging.model import CompiledTruce
from services.rules.judging.parties import Obligation, Pairing, PartyRefs, ResolvedActor
from services.rules.judging.time import is_long
from services.rules.judging.timeline import TruceSchedule

#: Acts against nobody in particular: with no target none is missing.
_NEEDS_NO_TARGET: Final = ACT_GROUPS["presence"] | {"territorial_gain"}


@dataclass(frozen=True, slots=True)
class Incident:
    """A report as the rules read it: names, time and place resolved. ``source`` is the level its grade allows."""

    span: TimeSpan
    act: str
    perpetrators: tuple[ResolvedActor, ...]
    targets: tuple[ResolvedActor, ...]
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
        return self.marked_aggregate or is_long(self.span)

    @property
    def misses_target(self) -> bool:
        """Whether nobody names a target where the act has one."""
        return not self.targets and self.act not in _NEEDS_NO_TARGET

    def has_unclear_target(self, pairing: Pairing) -> bool:
        """Whether no clearly named target suffices. Where none is named and the act needs none, none is missing."""
        if not pairing.targets:
            return self.misses_target
        return not any(actor.is_clear for actor in pairing.targets)


class TruceTerms:
    """One truce, ready to be asked."""

    def __init__(self, truce: CompiledTruce, number: dict[str, int]) -> None:
        self.id = truce.id
        self.schedule = TruceSchedule(truce, number)
        self.exclusions = PartyRefs(truce.exclusions)
        self.duties: dict[str, list[Obligation]] = {}
        for duty in truce.duties:
            obligation = Obligation(duty)
            for act in duty.acts:
                self.duties.setdefault(act, []).append(obligation)
