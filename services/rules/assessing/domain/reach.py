"""Which incidents a change of the registry can touch. Source: judgement.md 14.

Two registries are compared. What differs between them is turned into names, and into ground at a time; an incident that
shares neither is judged the same by both.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec
import numpy as np

from services.rules.judging.index import Box
from services.rules.judging.keys import TIME_ZONE, IncidentKeys, area_key, name_key, party_key
from services.rules.judging.model import (
    Account,
    Area,
    CompiledParty,
    CompiledPlace,
    CompiledPresence,
    CompiledRegistry,
    CompiledTruce,
    Window,
)
from services.rules.judging.time import FOREVER, NEAR
from services.rules.registry.domain.memberships import Coalitions

T = TypeVar("T")

#: A rounding error of a box is far smaller than this, in degrees.
_MARGIN: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Field:
    """Ground at a time, both ends included. ``unresolved``: also for places that could not be resolved."""

    box: Box
    start: int
    end: int
    unresolved: bool = True


class ChangeReach:
    """The incidents that a change can touch: those that bear one of the names, or lie in one of the fields."""

    def __init__(self, names: frozenset[int], fields: Sequence[Field]) -> None:
        self.names, self.fields = names, tuple(dict.fromkeys(fields))
        self._boxes = np.array([field.box for field in self.fields], dtype=np.float64).reshape(-1, 4).T
        self._start = np.array([field.start for field in self.fields], dtype=np.int64)
        self._end = np.array([field.end for field in self.fields], dtype=np.int64)
        self._unresolved = np.array([field.unresolved for field in self.fields], dtype=bool)

    @property
    def is_empty(self) -> bool:
        return not self.names and not self.fields

    def touches(self, keys: IncidentKeys) -> bool:
        return not self.names.isdisjoint(keys.names) or (bool(self.fields) and self._holds(keys))

    def _holds(self, keys: IncidentKeys) -> bool:
        then = (self._start <= keys.span.end) & (self._end >= keys.span.start)
        if not then.any():
            return False
        if keys.is_unresolved:
            return bool((then & self._unresolved).any())
        fields = self._boxes[:, then]
        return any(
            bool(((fields[0] <= east) & (fields[2] >= west) & (fields[1] <= north) & (fields[3] >= south)).any())
            for west, south, east, north in keys.boxes
        )


class _StoredReach(msgspec.Struct, frozen=True, array_like=True):
    names: tuple[int, ...]
    fields: tuple[tuple[Box, int, int, bool], ...]


def encode_reach(reach: ChangeReach) -> bytes:
    fields = tuple((field.box, field.start, field.end, field.unresolved) for field in reach.fields)
    return msgspec.msgpack.encode(_StoredReach(tuple(reach.names), fields))


def decode_reach(stored: bytes) -> ChangeReach:
    found = msgspec.msgpack.decode(stored, type=_StoredReach)
    return ChangeReach(frozenset(found.names), [Field(*field) for field in found.fields])


def find_reach(before: CompiledRegistry, after: CompiledRegistry) -> bytes | None:
    """The reach of a change, encoded; None where that is nothing."""
    reach = reach_of(before, after)
    return None if reach.is_empty else encode_reach(reach)


def reach_of(before: CompiledRegistry, after: CompiledRegistry) -> ChangeReach:
    """The incidents that may be judged otherwise by ``after`` than by ``before``."""
    areas = [a for pair in _differing(before.areas, after.areas) for a in pair]
    places = [p for pair in _differing(before.places, after.places) for p in pair]
    parties = [p for pair in _differing(before.parties, after.parties) for p in pair]
    found = (*_names_of_areas(areas), *_names_of_places(places), *_names_of_parties(parties))
    names = {key for key in found if key is not None}
    if before.timezone != after.timezone:
        names.add(TIME_ZONE)
    touched = {party.id for party in parties}
    fields = [
        *(Field(_box(area), -FOREVER, FOREVER, unresolved=False) for area in areas),
        *(_field_of(entry, registry) for entry, registry in _presences(before, after, touched)),
        *_fields_of_truces(before, after),
        *_fields_of_first_windows(before, after),
    ]
    return ChangeReach(frozenset(names), fields)


def _differing(before: dict[str, T], after: dict[str, T]) -> Iterator[tuple[T, ...]]:
    """Before and after of each that is not the same."""
    for id in before.keys() | after.keys():
        if before.get(id) != after.get(id):
            yield tuple(one for one in (before.get(id), after.get(id)) if one is not None)


def _names_of_areas(areas: Iterable[Area]) -> Iterator[int | None]:
    for area in areas:
        yield area_key(area.id)
        yield from map(name_key, area.names.values())


def _names_of_places(places: Iterable[CompiledPlace]) -> Iterator[int | None]:
    for place in places:
        yield from map(name_key, (place.name, *place.aliases))


def _names_of_parties(parties: Iterable[CompiledParty]) -> Iterator[int | None]:
    for party in parties:
        yield party_key(party.id)
        yield from map(name_key, (*party.names.values(), *(alias.name for alias in party.aliases)))


def _presences(
    before: CompiledRegistry, after: CompiledRegistry, touched: set[str]
) -> Iterator[tuple[CompiledPresence, CompiledRegistry]]:
    """Entries that differ, and those of a party that a changed one may be a coalition of, at any time."""
    for registry, other in ((before, after), (after, before)):
        others, coalitions = frozenset(other.presence), _coalitions(registry)
        for entry in registry.presence:
            lineage = {entry.party, *coalitions.of(entry.party)}
            if entry not in others or not touched.isdisjoint(lineage):
                yield entry, registry


def _coalitions(registry: CompiledRegistry) -> Coalitions:
    return Coalitions({id: [ref.party for ref in party.member_of] for id, party in registry.parties.items()})


def _field_of(entry: CompiledPresence, registry: CompiledRegistry) -> Field:
    start = -FOREVER if entry.period.start is None else entry.period.start
    end = FOREVER if entry.period.end is None else entry.period.end
    return Field(_box(registry.areas[entry.area]), start, end)


def _fields_of_truces(before: CompiledRegistry, after: CompiledRegistry) -> Iterator[Field]:
    for id in before.truces.keys() | after.truces.keys():
        was, now = before.truces.get(id), after.truces.get(id)
        if was == now:
            continue
        whole = was is None or now is None or _without_windows(was) != _without_windows(now)
        runs = _runs([truce for truce in (was, now) if truce is not None])
        for truce, other, registry in ((was, now, before), (now, was, after)):
            if truce is not None:
                kept = frozenset[Window]() if whole or other is None else frozenset(other.windows)
                for window in truce.windows:
                    if window not in kept:
                        yield from _fields_of(window, registry, runs)


def _runs(truces: Iterable[CompiledTruce]) -> list[tuple[int, int]]:
    """The times in which accounts overlap or follow on one another, ascending: no stretch of any place is longer."""
    spans = sorted((a.start, _end(a)) for truce in truces for window in truce.windows for a in window.accounts)
    runs: list[tuple[int, int]] = []
    for start, end in spans:
        if runs and start <= runs[-1][1]:
            runs[-1] = runs[-1][0], max(end, runs[-1][1])
        else:
            runs.append((start, end))
    return runs


def _end(account: Account) -> int:
    return FOREVER if account.end is None else account.end


def _without_windows(truce: CompiledTruce) -> tuple[object, ...]:
    return (truce.names, truce.kind, truce.area, truce.duties, truce.exclusions, truce.guarantors)


def _fields_of(window: Window, registry: CompiledRegistry, runs: Sequence[tuple[int, int]]) -> Iterator[Field]:
    """Where and when a window has a say: all its accounts together, since one is held against the others, and as long
    as others lead to it, since it may lengthen or cut the stretch that a finding names."""
    if not window.accounts:
        return
    start = min(account.start for account in window.accounts)
    end = max(map(_end, window.accounts))
    met = [run for run in runs if run[0] <= end and run[1] >= start]
    start, end = met[0][0] - NEAR, met[-1][1]
    for area in {account.area for account in window.accounts}:
        yield Field(_box(registry.areas[area]), start, end if end == FOREVER else end + NEAR)


def _fields_of_first_windows(before: CompiledRegistry, after: CompiledRegistry) -> Iterator[Field]:
    """Areas that had no window and have one, or the other way round: what lies there outside every window is told so
    with another reason."""
    had, has = _announced(before), _announced(after)
    for area in had ^ has:
        yield Field(
            _box((before if area in had else after).areas[area]), -FOREVER, FOREVER, unresolved=not had or not has
        )


def _announced(registry: CompiledRegistry) -> set[str]:
    return {
        account.area
        for truce in registry.truces.values()
        for window in truce.windows
        for account in window.accounts
        if account.end is None or account.start < account.end
    }


def _box(area: Area) -> Box:
    west, south, east, north = map(float, area.geometry.bounds)
    return west - _MARGIN, south - _MARGIN, east + _MARGIN, north + _MARGIN
