"""Which groups the registry records at a place and time. Source: rules.md 6, 8."""

from collections.abc import Sequence

from services.rules.domain.footprint import INSIDE, Footprint
from services.rules.domain.model import Presence, Registry
from services.rules.domain.time import Span


class Presences:
    """The presence entries of one registry, by area."""

    def __init__(self, registry: Registry, number: dict[str, int]) -> None:
        """``number`` numbers the areas."""
        self._by_area: dict[int, list[Presence]] = {}
        for entry in registry.presence:
            self._by_area.setdefault(number[entry.area], []).append(entry)
        self._order = {id(entry): n for n, entry in enumerate(registry.presence)}
        self.number = number

    def here(self, footprint: Footprint, span: Span) -> tuple[Presence, ...]:
        """Those in any part of the place at any moment of the incident, in the registry's order."""
        found = [
            entry
            for area in self._by_area.keys() & footprint.hits
            for entry in self._by_area[area]
            if span.meets_period(entry.period) and footprint.share(area) > 0.0
        ]
        return tuple(sorted(found, key=lambda entry: self._order[id(entry)]))


def holding(entries: Sequence[Presence], footprint: Footprint, number: dict[str, int]) -> tuple[Presence, ...]:
    """Of these, what holds the ground, where the place lies wholly inside; else nothing."""
    held = [entry for entry in entries if entry.control == "held"]
    region = frozenset(frozenset((number[entry.area],)) for entry in held)
    return tuple(held) if held and footprint.share_of(region) >= INSIDE else ()
