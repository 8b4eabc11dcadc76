"""Finds by place and time which areas, and which truces, could apply. Made for batches.

Boxes first, then time, then geometry on what is left: with ten thousand truces the geometry is what costs.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, Final

import numpy as np
import shapely
from shapely import STRtree

from schemas.time_span import TimeSpan
from services.rules.judging.footprint import (
    OUTSIDE,
    AreaShape,
    Footprint,
    Shape,
    ShapeFootprint,
    UnresolvedFootprint,
    UnresolvedPlace,
    rounded,
    share_between,
)
from services.rules.judging.geometry import Disc, Extent, Geometry, cut, extent_of, measure, outline
from services.rules.judging.model import Area, CompiledTruce
from services.rules.judging.overlap import cap, share_of, share_of_discs
from services.rules.judging.time import FOREVER, NEAR

_KEPT_SHARES: Final = 65_536
#: Up to so many pairs of a place and an area that could hold it, arrays cost more than they save.
_FEW: Final = 24

Numbers = np.ndarray[Any, np.dtype[Any]]
#: West, south, east, north, in degrees; longitudes may lie a turn beyond 180.
Box = tuple[float, float, float, float]


class AreaIndex:
    """The areas of one registry, numbered in its order, with an index on their boxes."""

    def __init__(self, areas: Mapping[str, Area]) -> None:
        self.ids = tuple(areas)
        self.number = {id: number for number, id in enumerate(self.ids)}
        self._shapes = np.fromiter((area.geometry for area in areas.values()), dtype=object, count=len(areas))
        shapely.prepare(self._shapes)
        self._bounds = shapely.bounds(self._shapes).reshape(-1, 4)
        self._tree = STRtree(shapely.box(*self._bounds.T) if len(areas) else [])
        self._edges: Numbers = np.full(len(areas), None, dtype=object)
        self._share_of_zone = lru_cache(maxsize=_KEPT_SHARES)(self._share_between_areas)
        # One place is held against area after area.
        self._point = lru_cache(maxsize=64)(shapely.points)
        self._measured = lru_cache(maxsize=_KEPT_SHARES)(lambda area: measure(self._shapes[area]))

    def shape(self, area: int) -> Geometry:
        return self._shapes[area]

    def holding(self, lons: Numbers, lats: Numbers) -> tuple[Numbers, Numbers]:
        """Which areas hold which points, as pairs (point, area) of two parallel arrays; edges count as held."""
        points, areas = self._tree.query(shapely.points(lons, lats))
        held = shapely.intersects_xy(self._shapes[areas], lons[points], lats[points])
        return points[held], areas[held]

    def footprints(self, shapes: Sequence[Shape]) -> list[Footprint]:
        """One for each shape; equal shapes share one."""
        unique = list(dict.fromkeys(shapes))
        extents = [extent_of(shape) if isinstance(shape, Disc) else None for shape in unique]
        hits = self._hits(unique, extents)
        made = {shape: self._footprint(shape, extents[n], hits[n]) for n, shape in enumerate(unique)}
        return [made[shape] for shape in shapes]

    def settle(self, footprints: Sequence[Footprint], at: Numbers, areas: Numbers) -> None:
        """Measures the pairs (footprints[at], areas) at once where no edge is near; the rest is left for later."""
        discs = [f for f in footprints if isinstance(f, ShapeFootprint) and f.centre is not None]
        if not discs:
            return
        row = np.full(len(footprints), -1)
        row[[isinstance(f, ShapeFootprint) and f.centre is not None for f in footprints]] = np.arange(len(discs))
        row, areas = row[at], areas[row[at] >= 0]
        row = row[row >= 0]
        lon, lat, clear = np.array([f.centre for f in discs]).T[:, row]
        held = shapely.intersects_xy(self._shapes[areas], lon, lat)
        near = shapely.dwithin(self._edges_of(areas), shapely.points(lon, lat), clear)
        for n, area, inside, crossing in zip(row.tolist(), areas.tolist(), held.tolist(), near.tolist(), strict=True):
            if crossing:
                discs[n].crossing.add(area)
            else:
                discs[n].shares[area] = float(inside)

    def overlap(self, one: Disc | AreaShape, other: Disc | AreaShape) -> float:
        """The ground of both places over the ground of either, 0.0 to 1.0 (judgement.md 18)."""
        if isinstance(one, Disc) and isinstance(other, Disc):
            return share_of_discs(one, other)
        if not isinstance(other, AreaShape):
            return self.overlap(other, one)
        ground = self.ground_of(one)
        inside = self._share_of_zone(one.area, other.area) if isinstance(one, AreaShape) else self._share_of(one, other)
        return share_of(inside * ground, ground, self.ground_of(other))

    def similar(self, shape: Disc | AreaShape, ratio: float) -> tuple[int, ...]:
        """Every area whose overlap with a place may reach ``ratio``: neither holds more ground than so many times the
        other's, and their boxes meet."""
        ground = self.ground_of(shape)
        (hits,) = self._hits([shape], [extent_of(shape) if isinstance(shape, Disc) else None])
        return tuple(
            area
            for area in sorted(hits)
            if ratio * ground <= self._measured(area) and ratio * self._measured(area) <= ground
        )

    def named(self, id: str) -> AreaShape | None:
        """The area of that id; None where the registry has none."""
        number = self.number.get(id)
        return None if number is None else AreaShape(number)

    def ground_of(self, shape: Disc | AreaShape) -> float:
        """In steradians."""
        return cap(shape.arc) if isinstance(shape, Disc) else self._measured(shape.area)

    def _share_of(self, disc: Disc, zone: AreaShape) -> float:
        return self.footprints([disc])[0].share(zone.area)

    def touch(self, one: Disc | AreaShape, zone: AreaShape) -> bool:
        """Whether a place and an area share any point."""
        area = self._shapes[zone.area]
        if isinstance(one, AreaShape):
            return bool(shapely.intersects(area, self._shapes[one.area]))
        return bool(shapely.intersects_xy(area, one.lon, one.lat)) or bool(shapely.intersects(area, outline(one)))

    def mirroring(self, point: Disc, footprint: Footprint) -> int | None:
        """The first area that holds the point with latitude and longitude exchanged; None where an area holds the
        point as it is. ``footprint`` is the point's."""
        if abs(point.lon) > 90 or any(self._holds(area, point.lon, point.lat) for area in footprint.hits):
            return None
        found = self._tree.query(shapely.points(point.lat, point.lon)).tolist()
        return next((area for area in sorted(found) if self._holds(area, point.lat, point.lon)), None)

    def _holds(self, area: int, lon: float, lat: float) -> bool:
        return bool(shapely.intersects_xy(self._shapes[area], lon, lat))

    def _edges_of(self, areas: Numbers) -> Numbers:
        for area in {area for area in areas.tolist() if self._edges[area] is None}:
            edge = shapely.boundary(self._shapes[area])
            shapely.prepare(edge)
            self._edges[area] = edge
        return self._edges[areas]

    def _footprint(self, shape: Shape, extent: Extent | None, hits: frozenset[int]) -> Footprint:
        if isinstance(shape, UnresolvedPlace):
            return UnresolvedFootprint(len(self.ids))
        if isinstance(shape, AreaShape):
            zone = shape.area
            return ShapeFootprint(hits, self.shape, lambda: self.shape(zone), partial(self._share_of_zone, zone))
        if shape.is_point:
            return ShapeFootprint(
                hits, self.shape, lambda: outline(shape), partial(self._share_of_spot, outline(shape))
            )
        if extent is None or not extent.plain:
            return ShapeFootprint(hits, self.shape, lambda: outline(shape), _nothing_known)
        centre = (shape.lon, shape.lat, extent.clearance)
        return ShapeFootprint(hits, self.shape, lambda: outline(shape), partial(self._clear_share, centre), centre)

    def _clear_share(self, centre: tuple[float, float, float], area: int) -> float | None:
        """All or nothing of a plain disc, where no edge of the area is near."""
        lon, lat, clear = centre
        edge = self._edges[area]
        if edge is None:
            (edge,) = self._edges_of(np.array([area]))
        if shapely.dwithin(edge, self._point(lon, lat), clear):
            return None
        return float(shapely.intersects_xy(self._shapes[area], lon, lat))

    def _share_of_spot(self, spot: Geometry, area: int) -> float:
        return float(shapely.intersects(self._shapes[area], spot))

    def _hits(self, shapes: Sequence[Shape], extents: Sequence[Extent | None]) -> list[frozenset[int]]:
        owners, boxes = [], []
        for n, (shape, extent) in enumerate(zip(shapes, extents, strict=True)):
            for box in self._boxes(shape, extent):
                owners.append(n)
                boxes.append(box)
        found: list[list[int]] = [[] for _ in shapes]
        if len(boxes) == 1:
            found[owners[0]] = self._tree.query(shapely.box(*boxes[0])).tolist()
        elif boxes:
            queries, areas = self._tree.query(shapely.box(*np.array(boxes).T))
            for query, area in zip(queries.tolist(), areas.tolist(), strict=True):
                found[owners[query]].append(area)
        return [frozenset(areas) for areas in found]

    def boxes_of(self, shape: Shape) -> list[Box]:
        """The boxes that hold a place; none for one that could not be resolved."""
        return self._boxes(shape, extent_of(shape) if isinstance(shape, Disc) else None)

    def _boxes(self, shape: Shape, extent: Extent | None) -> list[Box]:
        if isinstance(shape, AreaShape):
            return [tuple(self._bounds[shape.area])]
        if isinstance(shape, UnresolvedPlace) or extent is None:
            return []
        west, east = shape.lon - extent.lon, shape.lon + extent.lon
        south, north = shape.lat - extent.lat, shape.lat + extent.lat
        turns = (0.0,) if extent.plain else (-360.0, 0.0, 360.0)
        return [(west + turn, south, east + turn, north) for turn in turns]

    def _share_between_areas(self, zone: int, area: int) -> float:
        place, other = self._shapes[zone], self._shapes[area]
        if shapely.covers(place, other):
            return rounded(self._measured(area) / self._measured(zone))
        return share_between(place, other, lambda: cut(place, other), self._measured(zone))


def _nothing_known(area: int) -> None:
    return None


class WindowIndex:
    """The accounts of all truces by area and time."""

    def __init__(self, ground: AreaIndex, truces: Sequence[CompiledTruce]) -> None:
        accounts = sorted(
            (ground.number[account.area], number, account.start, FOREVER if account.end is None else account.end)
            for number, truce in enumerate(truces)
            for window in truce.windows
            for account in window.accounts
            if account.end is None or account.start < account.end
        )
        table = np.array(accounts, dtype=np.int64).reshape(-1, 4)
        self._area, self._truce, self._start, self._end = np.ascontiguousarray(table.T)
        self._first = np.searchsorted(self._area, np.arange(len(ground.ids) + 1))
        self._of_area: list[list[tuple[int, int, int]]] = [[] for _ in ground.ids]
        for area, truce, start, end in accounts:
            self._of_area[area].append((truce, start, end))
        self._areas_index = ground

    def near(self, footprints: Sequence[Footprint], spans: Sequence[TimeSpan]) -> list[list[int]]:
        """For each incident the truces that could apply, by number, ascending: some window, within 72 hours of it,
        in an area that holds more than 0.1 % of its place (judgement.md, "Verdicts", 16)."""
        if sum(len(footprint.hits) for footprint in footprints) <= _FEW:
            return [self._near_one(footprint, span) for footprint, span in zip(footprints, spans, strict=True)]
        return self._near_many(footprints, spans)

    def _near_one(self, footprint: Footprint, span: TimeSpan) -> list[int]:
        latest, earliest = span.end + NEAR, span.start - NEAR
        found: set[int] = set()
        for area in footprint.hits:
            for truce, start, end in self._of_area[area]:
                if start <= latest and end > earliest and truce not in found and footprint.share(area) > OUTSIDE:
                    found.add(truce)
        return sorted(found)

    def _near_many(self, footprints: Sequence[Footprint], spans: Sequence[TimeSpan]) -> list[list[int]]:
        incidents, accounts = self._pairs(footprints)
        start = np.array([span.start for span in spans], dtype=np.int64)
        end = np.array([span.end for span in spans], dtype=np.int64)
        close = (self._start[accounts] <= end[incidents] + NEAR) & (self._end[accounts] > start[incidents] - NEAR)
        incidents, accounts = incidents[close], accounts[close]
        areas, truces = self._area[accounts], self._truce[accounts]
        pairs = np.unique(incidents * len(self._first) + areas)
        self._areas_index.settle(footprints, pairs // len(self._first), pairs % len(self._first))
        found: list[set[int]] = [set() for _ in spans]
        for n, area, truce in zip(incidents.tolist(), areas.tolist(), truces.tolist(), strict=True):
            if truce not in found[n] and footprints[n].share(area) > OUTSIDE:
                found[n].add(truce)
        return [sorted(truces) for truces in found]

    def touches_any(self, footprint: Footprint) -> bool:
        """Whether a window of any truce, at any time, touches the place."""
        return any(
            self._first[area] < self._first[area + 1] and footprint.share(area) > OUTSIDE for area in footprint.hits
        )

    def _pairs(self, footprints: Sequence[Footprint]) -> tuple[Numbers, Numbers]:
        """Every (incident, account) whose boxes meet, as two parallel arrays."""
        owner = np.repeat(np.arange(len(footprints)), [len(footprint.hits) for footprint in footprints])
        area = np.fromiter((area for footprint in footprints for area in footprint.hits), np.int64, count=len(owner))
        first = self._first[area]
        counts = self._first[area + 1] - first
        before = np.cumsum(counts) - counts
        accounts = np.repeat(first - before, counts) + np.arange(counts.sum())
        return np.repeat(owner, counts), accounts
