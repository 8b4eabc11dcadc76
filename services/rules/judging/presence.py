"""Which groups the registry records at a place and time. Source: judgement.md 6, 8, 16."""

from collections.abc import Mapping, Sequence

from schemas.time_span import TimeSpan
from services.rules.judging.footprint import INSIDE, OUTSIDE, Footprint
from services.rules.judging.model import CompiledPresence, CompiledRegistry
from services.rules.judging.parties import PartyDirectory
from services.rules.judging.time import meets_period


class PresenceIndex:
    """The presence entries of one registry, by area."""

    def __init__(self, registry: CompiledRegistry, number: Mapping[str, int], directory: PartyDirectory) -> None:
        """``number`` numbers the areas."""
        self._number, self._directory = number, directory
        self._by_area: dict[int, list[tuple[int, CompiledPresence]]] = {}
        for n, entry in enumerate(registry.presence):
            self._by_area.setdefault(number[entry.area], []).append((n, entry))

    def excluded_here(self, footprint: Footprint, span: TimeSpan, excluded: frozenset[str]) -> list[CompiledPresence]:
        """Groups among ``excluded``, themselves or through a coalition at the incident's start, that are recorded in
        more than 0.1 % of the place at any moment of the incident; in the registry's order."""
        if not excluded:
            return []
        return [
            entry
            for _, entry in sorted(self._here(footprint, span), key=lambda numbered: numbered[0])
            if not excluded.isdisjoint(self._directory.lineage(entry.party, span.start))
        ]

    def excluded_holding(
        self, footprint: Footprint, span: TimeSpan, excluded: frozenset[str]
    ) -> Sequence[CompiledPresence]:
        """Of those, the ones that hold the area, where the place lies wholly inside what they hold; else none."""
        held = [entry for entry in self.excluded_here(footprint, span, excluded) if entry.control == "held"]
        region = frozenset(frozenset((self._number[entry.area],)) for entry in held)
        return held if held and footprint.share_of(region) >= INSIDE else ()

    def _here(self, footprint: Footprint, span: TimeSpan) -> list[tuple[int, CompiledPresence]]:
        return [
            numbered
            for area in self._by_area.keys() & footprint.hits
            for numbered in self._by_area[area]
            if meets_period(span, numbered[1].period) and footprint.share(area) > OUTSIDE
        ]
