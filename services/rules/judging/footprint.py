"""How much of a reported place lies in an area. Source: judgement.md 16.

At least 99.9 % of the place inside: inside. At most 0.1 %: outside. Between: partly. Shares are exact 0.0 and 1.0
where the place surely lies outside or inside, so that the usual case is recognised by ``==``. A place that holds no
ground is a point: the border of an area belongs to it.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Final, Protocol

import shapely

from services.rules.judging.geometry import Disc, Geometry, cut, measure, polygons_of, unite

INSIDE: Final = 0.999
OUTSIDE: Final = 0.001
#: A share below this is what rounding leaves where two borders run together.
_ROUNDING: Final = 1e-9
#: The share of a place that cannot be measured: "partly".
UNMEASURED: Final = 0.5


@dataclass(frozen=True, slots=True)
class AreaShape:
    """A place given as a named area; ``area`` is its number in the index."""

    area: int


@dataclass(frozen=True, slots=True)
class UnresolvedPlace:
    """A place that could not be resolved: partly inside every area."""


Shape = Disc | AreaShape | UnresolvedPlace

#: Ground as a union of intersections of areas, by their numbers.
Region = frozenset[frozenset[int]]


class Footprint(Protocol):
    """A place held against the areas. Areas go by their numbers; ``hits`` are those that could hold any of it."""

    @property
    def hits(self) -> Collection[int]: ...

    def share(self, area: int) -> float:
        """The part of the place that lies in the area, 0.0 to 1.0."""

    def share_of(self, region: Region) -> float:
        """The part of the place that lies in a union of intersections."""


class UnresolvedFootprint:
    """Partly inside every area."""

    def __init__(self, areas: int) -> None:
        self.hits: Collection[int] = range(areas)

    def share(self, area: int) -> float:
        return UNMEASURED

    def share_of(self, region: Region) -> float:
        return UNMEASURED if region else 0.0


class ShapeFootprint:
    """A disc or an area: shares are measured when first asked for, and kept.

    ``hits`` are the areas whose boxes meet the place's; ``shares`` holds what is already known, ``crossing`` the areas
    with an edge at the place; ``quick`` gives the share in an area where that is easily found. ``centre`` of a plain
    disc: longitude, latitude, and the clearance that holds all of it.
    """

    def __init__(
        self,
        hits: Collection[int],
        area_shape: Callable[[int], Geometry],
        draw: Callable[[], Geometry],
        quick: Callable[[int], float | None],
        centre: tuple[float, float, float] | None = None,
    ) -> None:
        self.hits: Collection[int] = hits
        self._area_shape, self._draw, self._quick = area_shape, draw, quick
        self.centre = centre
        self.shares: dict[int, float] = {}
        self.crossing: set[int] = set()
        self._pieces: dict[int, Geometry] = {}
        self._regions: dict[Region, float] = {}

    def share(self, area: int) -> float:
        known = self.shares.get(area)
        if known is not None:
            return known
        share = self.shares[area] = self._find_share(area) if area in self.hits else 0.0
        return share

    def _find_share(self, area: int) -> float:
        if area in self.crossing:
            return self._share_in(self._piece(area))
        quick = self._quick(area)
        if quick is not None:
            return quick
        return share_between(self._outline, self._area_shape(area), lambda: self._piece(area), self._ground)

    def share_of(self, region: Region) -> float:
        left = self._simplified(region)
        if not left:
            return 0.0
        if frozenset() in left:
            return 1.0
        if len(left) == 1:
            (only,) = left
            if len(only) == 1:
                return self.share(next(iter(only)))
        if left not in self._regions:
            self._regions[left] = self._share_in(self._cut(left))
        return self._regions[left]

    def _simplified(self, region: Region) -> Region:
        """Without groups that hold none of the place, and in each without areas that hold all of it."""
        return frozenset(
            frozenset(area for area in group if self.share(area) < 1.0)
            for group in region
            if all(self.share(area) > 0.0 for area in group)
        )

    def _cut(self, region: Region) -> Geometry:
        return unite([reduce(cut, [self._piece(area) for area in group]) for group in region])

    def _share_in(self, part: Geometry) -> float:
        return rounded(measure(polygons_of(part)) / self._ground)

    def _piece(self, area: int) -> Geometry:
        if area not in self._pieces:
            self._pieces[area] = self._meet(self._outline, self._area_shape(area))
        return self._pieces[area]

    def _meet(self, outline: Geometry, area: Geometry) -> Geometry:
        """No side of a disc runs along an edge of an area, so a plain one need not be rounded: a third of the time."""
        if self.centre is None:
            return cut(outline, area)
        return polygons_of(shapely.intersection(outline, area))

    @cached_property
    def _outline(self) -> Geometry:
        return self._draw()

    @cached_property
    def _ground(self) -> float:
        return measure(self._outline)


def share_between(place: Geometry, area: Geometry, piece: Callable[[], Geometry], ground: float) -> float:
    """The part of ``place`` in ``area``; the intersection is cut only where their edges truly cross."""
    if not shapely.intersects(area, place):
        return 0.0
    if shapely.covers(area, place):
        return 1.0
    return rounded(measure(piece()) / ground)


def rounded(share: float) -> float:
    if share < _ROUNDING:
        return 0.0
    return 1.0 if share > 1.0 - _ROUNDING else share
