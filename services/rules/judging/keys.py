"""The parts of a registry that the judgement of an incident rests on, so that a change of the registry finds the
incidents that it can touch. Source: judgement.md 14."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from schemas.report import Location, Occurrence, Report
from schemas.text import visible
from schemas.time_span import TimeSpan
from services.rules.judging.footprint import UnresolvedPlace
from services.rules.judging.index import AreaIndex, Box
from services.rules.judging.names import normalise
from services.rules.judging.parties import ResolvedActor
from services.rules.judging.place import Located
from services.rules.judging.qualified import parts_of

#: Keys of names are from here up to 2**63: numbers below mean something else to an index (:mod:`...domain.cells`).
FIRST_NAME: Final = 2**62


@lru_cache(maxsize=16_384)
def _key(text: str) -> int:
    """Two texts may share a key, and then touch each other's incidents: rare, and harmless."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return FIRST_NAME | (int.from_bytes(digest, "big") >> 2)


#: The key of the registry's time zone, which only whole days are read by.
TIME_ZONE: Final = _key("timezone")


@dataclass(frozen=True, slots=True)
class IncidentKeys:
    """``boxes``: west, south, east, north of the ground where areas count for it; none for a place that could not be
    resolved, which is partly in every area. ``names``: a key of every name and id of the registry that has a say."""

    span: TimeSpan
    boxes: tuple[Box, ...]
    names: frozenset[int]

    @property
    def is_unresolved(self) -> bool:
        return not self.boxes


def keys_of(
    report: Report, span: TimeSpan, located: Located, actors: Iterable[ResolvedActor], areas: AreaIndex
) -> IncidentKeys:
    """The keys of an incident as it was located and as its actors were resolved."""
    boxes = [] if isinstance(located.shape, UnresolvedPlace) else [_plain(box) for box in areas.boxes_of(located.shape)]
    point = located.point
    if point is not None:
        # An exchanged point is suspected where it, and not the point, lies in an area.
        boxes += [(point.lon, point.lat, point.lon, point.lat), (point.lat, point.lon, point.lat, point.lon)]
    found = (*_names_of_place(report.location), *_names_of_parties(actors))
    names = {key for key in found if key is not None}
    if isinstance(report.occurred, Occurrence) and report.occurred.date is not None:
        names.add(TIME_ZONE)
    return IncidentKeys(span, tuple(boxes), frozenset(names))


def name_key(name: str) -> int | None:
    """The key of a name of a party, an area or a place. A name that normalises to nothing has none."""
    said = normalise(name)
    return _key(f"name/{said}") if said else None


def area_key(id: str) -> int:
    return _key(f"area/{id}")


def party_key(id: str) -> int:
    return _key(f"party/{id}")


def _plain(box: Box) -> Box:
    west, south, east, north = map(float, box)
    return west, south, east, north


def _names_of_place(location: Location) -> Iterator[int | None]:
    if location.area is not None:
        yield area_key(visible(location.area))
    if location.place is not None:
        yield name_key(location.place)


def _names_of_parties(actors: Iterable[ResolvedActor]) -> Iterator[int | None]:
    for actor in actors:
        for part in parts_of(actor.reported):
            yield party_key(visible(part))
            yield name_key(part)
        for id in actor.lineage:
            yield party_key(id)
