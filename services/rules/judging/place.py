"""Where a report says it was: the point if given, then the area, then the place name. Source: judgement.md 16."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Final

from schemas.assessments import ResolvedPlace
from schemas.report import DEFAULT_RADIUS_KM, Location
from schemas.text import visible
from services.rules.judging.footprint import AreaShape, Shape, UnresolvedPlace
from services.rules.judging.geometry import Disc, discs_touch
from services.rules.judging.index import AreaIndex
from services.rules.judging.model import Area, CompiledRegistry
from services.rules.judging.names import NameIndex

_PLACEHOLDER_DEGREES: Final = 0.01


@dataclass(frozen=True, slots=True)
class Located:
    """``disagreeing`` names what was given (``point``, ``area``, ``place``) where the shapes do not all touch;
    ``candidates`` are the ids that an ambiguous name may mean; ``point`` is the reported one unless it is a
    placeholder."""

    shape: Shape
    place: ResolvedPlace
    disagreeing: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    point: Disc | None = None
    has_placeholder: bool = False


class Gazetteer:
    """Resolves locations by one registry."""

    def __init__(self, registry: CompiledRegistry, area_index: AreaIndex) -> None:
        self._places, self._area_index = registry.places, area_index
        self._area_names = NameIndex.of(_area_names(registry.areas.values()))
        self._place_names = NameIndex.of(
            (name, place.id) for place in registry.places.values() for name in (place.name, *place.aliases)
        )
        self.locate = lru_cache(maxsize=2_048)(self._locate)

    def knows(self, name: str) -> bool:
        """Whether an area or a place bears the name."""
        return bool(self._area_names.find(name) or self._place_names.find(name))

    def _locate(self, location: Location) -> Located:
        named, candidates = self._by_name(location.place)
        reported = _point(location)
        is_placeholder = reported is not None and _is_placeholder(reported)
        point = None if is_placeholder else reported
        given: dict[str, Disc | AreaShape | None] = {
            "point": point, "area": self._zone(location.area), "place": named,
        }  # fmt: skip
        resolved = {kind: shape for kind, shape in given.items() if shape is not None}
        if not resolved:
            name = location.place if location.place is not None else location.area
            return Located(
                UnresolvedPlace(), ResolvedPlace(name=name), candidates=candidates, has_placeholder=is_placeholder
            )
        shape = next(iter(resolved.values()))
        disagree = any(not self._touch(one, other) for one, other in combinations(resolved.values(), 2))
        return Located(
            shape,
            self._told(shape, location.place),
            tuple(resolved) if disagree else (),
            point=point,
            has_placeholder=is_placeholder,
        )

    def _by_name(self, name: str | None) -> tuple[Disc | AreaShape | None, tuple[str, ...]]:
        """The one area, or else the one entry of the gazetteer, of that name; where there are several, their ids."""
        if name is None:
            return None, ()
        areas = self._area_names.find(name)
        if areas:
            return (self._zone(areas[0]), ()) if len(areas) == 1 else (None, areas)
        places = self._place_names.find(name)
        if len(places) != 1:
            return None, places
        place = self._places[places[0]]
        return Disc(place.lat, place.lon, place.radius_km), ()

    def _zone(self, area: str | None) -> AreaShape | None:
        number = None if area is None else self._area_index.number.get(visible(area))
        return None if number is None else AreaShape(number)

    def _told(self, shape: Disc | AreaShape, name: str | None) -> ResolvedPlace:
        if isinstance(shape, AreaShape):
            return ResolvedPlace(name=name, area=self._area_index.ids[shape.area])
        return ResolvedPlace(name=name, lat=shape.lat, lon=shape.lon, radius_km=shape.radius_km)

    def _touch(self, one: Disc | AreaShape, other: Disc | AreaShape) -> bool:
        if isinstance(other, AreaShape):
            return self._area_index.touch(one, other)
        if isinstance(one, AreaShape):
            return self._area_index.touch(other, one)
        return discs_touch(one, other)


def shape_of(place: ResolvedPlace, area_index: AreaIndex) -> Shape:
    """The shape of an assessment's place in this registry."""
    if place.lat is not None and place.lon is not None and place.radius_km is not None:
        return Disc(place.lat, place.lon, place.radius_km)
    number = None if place.area is None else area_index.number.get(place.area)
    return UnresolvedPlace() if number is None else AreaShape(number)


def _point(location: Location) -> Disc | None:
    if location.lat is None or location.lon is None:
        return None
    return Disc(location.lat, location.lon, location.radius_km or DEFAULT_RADIUS_KM)


def _is_placeholder(point: Disc) -> bool:
    """Whether a point is what a form sends without a fix."""
    return max(abs(point.lat), abs(point.lon)) <= _PLACEHOLDER_DEGREES


def _area_names(areas: Iterable[Area]) -> Iterable[tuple[str, str]]:
    return ((name, area.id) for area in areas for name in area.names.values())
