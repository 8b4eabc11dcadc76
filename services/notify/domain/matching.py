"""Which subscriptions an alert is for.

:func:`find_mismatch` is the rule, one subscription at a time and in words. :class:`Index` is the same rule for all of
them at once: each value that a filter can name has a bit set (a Python integer) of the subscriptions that name it,
so that matching costs a few operations on integers, however many subscriptions there are.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from schemas.assessments import Alert, ResolvedPlace
from schemas.boxes import KM_PER_DEGREE
from schemas.vocabulary import CERTAINTIES, SEVERITIES, expand_acts
from services.notify.domain.subscription import Filter

ANY: Final = ""


@dataclass(frozen=True, slots=True)
class Traits:
    """The part of an alert that filters look at. Each set holds every value that a filter may name to get it."""

    truces: frozenset[str]
    areas: frozenset[str]
    parties: frozenset[str]
    act: str
    verdict: str
    severity: int
    certainty: int
    place: ResolvedPlace


def read_traits(alert: Alert) -> Traits:
    """Ranks count from 0, the gravest severity and the highest certainty; parties are of either side, with their
    coalitions and their names as reported."""
    sides = (*alert.perpetrators, *alert.targets)
    area = alert.place.area
    return Traits(
        truces=frozenset(alert.truces),
        areas=frozenset((*alert.areas, area) if area else alert.areas),
        parties=frozenset(name for p in sides for name in (p.party or p.reported, *p.coalitions)),
        act=alert.act,
        verdict=alert.verdict,
        severity=SEVERITIES.index(alert.severity),
        certainty=CERTAINTIES.index(alert.certainty or "Unknown"),
        place=alert.place,
    )


def find_mismatch(wanted: Filter, alert: Alert) -> str | None:
    """The first field of the filter that keeps the alert out, in words; None when it matches."""
    return next(_mismatches(wanted, read_traits(alert)), None)


def _mismatches(wanted: Filter, traits: Traits) -> Iterator[str]:
    if wanted.verdicts and traits.verdict not in wanted.verdicts:
        yield f"the verdict is {traits.verdict}; asked for: {', '.join(wanted.verdicts)}"
    for name, asked, found in (
        ("truces", wanted.truces, traits.truces),
        ("areas", wanted.areas, traits.areas),
        ("parties", wanted.parties, traits.parties),
    ):
        if asked and found.isdisjoint(asked):
            yield f"none of the {name} asked for ({', '.join(asked)}) is among {', '.join(sorted(found)) or 'none'}"
    if wanted.acts and traits.act not in expand_acts(wanted.acts):
        yield f"the act is {traits.act}; asked for: {', '.join(wanted.acts)}"
    if traits.severity > SEVERITIES.index(wanted.min_severity):
        yield f"the severity is {SEVERITIES[traits.severity]}, less than {wanted.min_severity}"
    if traits.verdict == "violation" and traits.certainty > CERTAINTIES.index(wanted.min_certainty):
        yield f"the certainty is {CERTAINTIES[traits.certainty]}, less than {wanted.min_certainty}"
    if wanted.bbox is not None and not touches(wanted.bbox, traits.place):
        yield "the place lies outside the bounding box"


def touches(bbox: tuple[float, ...], place: ResolvedPlace) -> bool:
    """Whether the place's disc reaches into the box, as areas are matched; a place without coordinates does not."""
    if place.lat is None or place.lon is None:
        return False
    west, south, east, north = bbox
    radius = (place.radius_km or 0.0) / KM_PER_DEGREE
    up = max(south - place.lat, place.lat - north, 0.0)
    if west <= place.lon <= east or (west > east and (place.lon >= west or place.lon <= east)):
        return up <= radius
    aside = min((west - place.lon) % 360, (place.lon - east) % 360) * math.cos(math.radians(place.lat))
    return math.hypot(up, aside) <= radius


@dataclass(slots=True)
class Index:
    """All filters, by subscription id. ``put`` and ``remove`` change it in place; ``match`` reads."""

    _slots: dict[str, int] = field(default_factory=dict)
    _ids: list[str | None] = field(default_factory=list)
    _free: list[int] = field(default_factory=list)
    _filters: dict[str, Filter] = field(default_factory=dict)
    _masks: dict[tuple[str, str], int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._slots)

    def put(self, id: str, wanted: Filter) -> None:
        """Add a filter, or replace the one of that id."""
        self.remove(id)
        slot = self._free.pop() if self._free else len(self._ids)
        if slot == len(self._ids):
            self._ids.append(None)
        self._ids[slot], self._slots[id], self._filters[id] = id, slot, wanted
        for key in _keys(wanted):
            self._masks[key] = self._masks.get(key, 0) | 1 << slot

    def remove(self, id: str) -> None:
        """Take a filter out; one that is not there is no error."""
        slot = self._slots.pop(id, None)
        if slot is None:
            return
        for key in _keys(self._filters.pop(id)):
            left = self._masks[key] & ~(1 << slot)
            if left:
                self._masks[key] = left
            else:
                del self._masks[key]
        self._ids[slot] = None
        self._free.append(slot)

    def match(self, alert: Alert) -> list[str]:
        """The ids of the subscriptions that the alert is for, in no particular order."""
        traits = read_traits(alert)
        found = self._any("verdict", (traits.verdict,))
        for name, values in (("truce", traits.truces), ("area", traits.areas), ("party", traits.parties)):
            found &= self._any(name, values)
        found &= self._any("act", (traits.act,)) & self._any("severity", map(str, range(traits.severity, 4)))
        if traits.verdict == "violation":
            found &= self._any("certainty", map(str, range(traits.certainty, len(CERTAINTIES))))
        return list(self._boxed(found, traits.place))

    def _any(self, name: str, values: Iterable[str]) -> int:
        mask = self._masks.get((name, ANY), 0)
        for value in values:
            mask |= self._masks.get((name, value), 0)
        return mask

    def _boxed(self, found: int, place: ResolvedPlace) -> Iterator[str]:
        boxed = self._masks.get(("bbox", ANY), 0)
        for slot in _bits(found & ~boxed):
            yield self._ids[slot]  # type: ignore[misc]
        for slot in _bits(found & boxed):
            id = self._ids[slot]
            assert id is not None
            if touches(self._filters[id].bbox or (), place):
                yield id


def _keys(wanted: Filter) -> set[tuple[str, str]]:
    """Under which values a filter is filed; ``ANY`` where it asks for none in particular."""
    keys = {("severity", str(SEVERITIES.index(wanted.min_severity)))}
    keys.add(("certainty", str(CERTAINTIES.index(wanted.min_certainty))))
    for name, values in (
        ("truce", wanted.truces),
        ("area", wanted.areas),
        ("party", wanted.parties),
        ("act", expand_acts(wanted.acts)),
        ("verdict", wanted.verdicts),
    ):
        keys.update((name, value) for value in values or (ANY,))
    if wanted.bbox is not None:
        keys.add(("bbox", ANY))
    return keys


def _bits(mask: int) -> Iterator[int]:
    """The positions of the ones, lowest first."""
    text = bin(mask)[:1:-1]
    position = text.find("1")
    while position >= 0:
        yield position
        position = text.find("1", position + 1)
