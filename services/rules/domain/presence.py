"""Which groups the registry records at a place and time. Source: judgement.md 6, 8, 16."""

from collections.abc import Mapping, Sequence

from services.rules.domain.footprint import INSIDE, OUTSIDE, Footprint
from services.rules.domain.model import Presence, Registry
from services.rules.domain.parties import Roll
from services.rules.domain.time import Span


class Presences:
    """The presence entries of one registry, by area."""

    def __init__(self, registry: Registry, number: Mapping[str, int], roll: Roll) -> None:
        """``number`` numbers the areas."""
        self._number, self._roll = number, roll
        self._by_area: dict[int, list[tuple[int, Presence]]] = {}
        for n, entry in enumerate(registry.presence):
            self._by_area.setdefault(number[entry.area], []).append((n, entry))

    def excluded_here(self, footprint: Footprint, span: Span, excluded: frozenset[str]) -> list[Presence]:
        """Groups among ``excluded``, themselves or through a coalition at the incident's start, that are recorded in
        more than 0.1 % of the place at any moment of the incident; in the registry's order."""
        if not excluded:
            return []
        return [
            entry
            for _, entry in sorted(self._here(footprint, span), key=lambda numbered: numbered[0])
            if not excluded.isdisjoint(self._roll.lineage(entry.party, span.start))
        ]

    def excluded_holding(self, footprint: Footprint, span: Span, excluded: frozenset[str]) -> Sequence[Presence]:
        """Of those, what holds the ground, where the place lies wholly inside it; else nothing."""
        held = [entry for entry in self.excluded_here(footprint, span, excluded) if entry.control == "held"]
        region = frozenset(frozenset((self._number[entry.area],)) for entry in held)
        return held if held and footprint.share_of(region) >= INSIDE else ()

    def _here(self, footprint: Footprint, span: Span) -> list[tuple[int, Presence]]:
        return [
            numbered
            for area in self._by_area.keys() & footprint.hits
            for numbered in self._by_area[area]
            if span.meets_period(numbered[1].period) and footprint.share(area) > OUTSIDE
        ]
