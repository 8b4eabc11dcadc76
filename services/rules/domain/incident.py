"""A report and a truce as the rules read them, before either is held against the other."""

from dataclasses import dataclass
from typing import Final

from schemas.vocabulary import ACT_GROUPS, Claim
from services.rules.domain.footprint import Footprint, Shape
from services.rules.domain.model import Truce
from services.rules.domain.parties import Actor, Obligation, Pairing, Refs
from services.rules.domain.time import Span
from services.rules.domain.truce import Schedule

#: Acts against nobody in particular: with no target none is missing.
_NEEDS_NO_TARGET: Final = ACT_GROUPS["presence"] | {"territorial_gain"}


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

    def has_unclear_target(self, pairing: Pairing) -> bool:
        """Whether no clearly named target suffices. Where none is named and the act needs none, none is missing."""
        if not pairing.targets:
            return self.misses_target
        return not any(actor.is_clear for actor in pairing.targets)


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
