"""Discs on the globe, and how much ground a shape holds. Longitude, latitude in degrees; a sphere; pure.

The edge between two corners of a shape is straight in degrees of longitude and latitude (RFC 7946, 3.1.1), so shapes
are cut in the plane of degrees without error. The ground is measured on the sphere, under the whole of each edge.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely
from shapely import LineString, MultiPoint, MultiPolygon, Point, Polygon

EARTH_KM: Final = 6371.0088
#: A polygon of so many corners and of the disc's own ground strays from the circle by 0.015 % of the radius, in and
#: out by turns: a cap of the 0.1 % that decides (judgement.md 16) spans seven sides, over which that evens out.
CORNERS: Final = 128
#: So many where degrees of longitude are bent so much over the disc that straight edges would stray farther.
_MANY_CORNERS: Final = 2_048
_BENT: Final = 0.05
#: A disc of up to 1 cm is its centre: no report knows its place so well, and a smaller polygon holds no ground that
#: could be measured in degrees.
_POINT_KM: Final = 1e-5
#: The ground of such a disc in steradians: a shape that holds less holds none.
LEAST_GROUND: Final = math.pi * (_POINT_KM / EARTH_KM) ** 2
#: Beyond this latitude, or across the date line, a disc is no simple shape in degrees.
_POLAR_DEGREES: Final = 85.0
#: Degrees (0.1 µm) to which areas are rounded where they are cut or united: where edges run along each other but for
#: their last digit, GEOS on bare floating point loses whole parts without a word.
_GRID: Final = 1e-12
_RADIAN: Final = math.pi / 180
#: Below this a series of three terms is sin(h) / h to the last digit.
_SMALL_SQUARE: Final = 1e-4

Geometry = Any


@dataclass(frozen=True, slots=True)
class _Circle:
    """The bearings of a polygon's corners, and how much farther out than the circle they lie for it to hold as much."""

    sines: Any
    cosines: Any
    outward: float

    @classmethod
    def of(cls, corners: int) -> "_Circle":
        bearings = np.linspace(0.0, 2 * np.pi, corners, endpoint=False)
        return cls(
            np.sin(bearings), np.cos(bearings), math.sqrt(2 * math.pi / corners / math.sin(2 * math.pi / corners))
        )


_COARSE: Final = _Circle.of(CORNERS)
_FINE: Final = _Circle.of(_MANY_CORNERS)


@dataclass(frozen=True, slots=True)
class Disc:
    """All within ``radius_km`` of a point."""

    lat: float
    lon: float
    radius_km: float

    @property
    def arc(self) -> float:
        """The radius in radians."""
        return self.radius_km / EARTH_KM

    @property
    def is_point(self) -> bool:
        """So small that it is judged like its centre."""
        return self.radius_km <= _POINT_KM


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a disc reaches in degrees of longitude and of latitude; 360 of longitude over a pole.

    ``plain``: it is one simple shape in degrees, away from the poles and the date line. ``clearance``: degrees around
    the centre that surely hold all of a plain disc, as the plane of degrees measures distance.
    """

    lon: float
    lat: float
    plain: bool

    @property
    def clearance(self) -> float:
        return 1.02 * max(self.lon, self.lat)


def extent_of(disc: Disc) -> Extent:
    lat = math.degrees(disc.arc)
    if abs(disc.lat) + lat >= 90:
        return Extent(360.0, lat, plain=False)
    ratio = math.sin(disc.arc) / math.cos(math.radians(disc.lat))
    lon = math.degrees(math.asin(min(1.0, ratio)))
    return Extent(lon, lat, plain=abs(disc.lat) + lat < _POLAR_DEGREES and abs(disc.lon) + lon < 180)


def arc_between(one: Disc, other: Disc) -> float:
    """Radians between two centres."""
    lat1, lat2 = math.radians(one.lat), math.radians(other.lat)
    half = math.sin((lat2 - lat1) / 2) ** 2
    half += math.cos(lat1) * math.cos(lat2) * math.sin(math.radians(other.lon - one.lon) / 2) ** 2
    return 2 * math.asin(math.sqrt(min(1.0, half)))


def discs_touch(one: Disc, other: Disc) -> bool:
    """Whether two discs share any point."""
    return EARTH_KM * arc_between(one, other) <= one.radius_km + other.radius_km


def outline(disc: Disc) -> Geometry:
    """The disc as a polygon in degrees, cut at the date line and closed over a pole; of a point, all that it is in
    degrees."""
    if disc.is_point:
        return _spot(disc)
    circle = _FINE if _is_bent(disc) else _COARSE
    lat, arc = math.radians(disc.lat), disc.arc * circle.outward
    east = circle.sines * math.sin(arc)
    ahead = math.cos(lat) * math.cos(arc) - math.sin(lat) * math.sin(arc) * circle.cosines
    up = math.sin(lat) * math.cos(arc) + math.cos(lat) * math.sin(arc) * circle.cosines
    lats = np.degrees(np.arctan2(up, np.hypot(east, ahead)))
    lons = disc.lon + np.degrees(np.arctan2(east, ahead))
    if extent_of(disc).plain:
        return shapely.polygons(np.column_stack((lons, lats)))
    if abs(disc.lat) + math.degrees(arc) >= 90:
        return _over_pole(lons, lats, 90.0 if disc.lat > 0 else -90.0)
    return _wrapped(Polygon(np.column_stack((lons, lats))))


def _is_bent(disc: Disc) -> bool:
    farthest = math.radians(abs(disc.lat)) + disc.arc
    return farthest >= math.radians(_POLAR_DEGREES) or disc.arc * math.tan(farthest) > _BENT


def _spot(disc: Disc) -> Geometry:
    """A point has two longitudes at the date line, and every longitude at a pole."""
    if abs(disc.lat) == 90:
        return LineString([(-180.0, disc.lat), (180.0, disc.lat)])
    if abs(disc.lon) == 180:
        return MultiPoint([(-180.0, disc.lat), (180.0, disc.lat)])
    return Point(disc.lon, disc.lat)


def _over_pole(lons: Any, lats: Any, pole: float) -> Polygon:
    around = (lons + 180) % 360 - 180
    order = np.argsort(around)
    across = np.interp(180.0, [around[order[-1]], around[order[0]] + 360], [lats[order[-1]], lats[order[0]]])
    coast = zip(around[order], lats[order], strict=True)
    return Polygon([(-180.0, pole), (-180.0, across), *coast, (180.0, across), (180.0, pole)])


def _wrapped(shape: Geometry) -> Geometry:
    """The parts of a shape that lies across the date line, each brought back between -180 and 180."""
    parts = []
    for turn in (-360.0, 0.0, 360.0):
        part = shapely.intersection(shape, shapely.box(-180 - turn, -90, 180 - turn, 90))
        if not part.is_empty:
            parts.append(shapely.transform(part, lambda xy, by=turn: xy + np.array((by, 0.0))))
    return unite(parts)


def measure(shape: Geometry) -> float:
    """The ground that a shape holds, in steradians."""
    if shape.geom_type == "Polygon" and shapely.get_num_interior_rings(shape) == 0:
        xy = shapely.get_coordinates(shape)
        if len(xy) == 0:
            return 0.0
        heights = _heights(xy, math.radians(xy[0, 1]))
        return abs(float(np.dot(xy[1:, 0] - xy[:-1, 0], heights))) * _RADIAN
    rings, owner = shapely.get_rings(shapely.get_parts(shape), return_index=True)
    if len(rings) == 0:
        return 0.0
    ground = _ground_of_rings(rings)
    outer = np.diff(owner, prepend=-1) != 0
    return float(ground[outer].sum() - ground[~outer].sum())


def _ground_of_rings(rings: Any) -> Any:
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    edges = ring[1:] == ring[:-1]
    base = np.radians(xy[np.searchsorted(ring, np.arange(len(rings))), 1])[ring[:-1]]
    ground = (xy[1:, 0] - xy[:-1, 0]) * _heights(xy, base)
    return np.abs(np.bincount(ring[:-1][edges], ground[edges])) * _RADIAN


def _heights(xy: Any, base: Any) -> Any:
    """The mean of sin(lat) - sin(base) along each edge: times the longitude that the edge spans, it is the ground
    between the edge and the parallel ``base`` (radians), and around a ring the ground within.

    Along an edge straight in degrees sin(lat) is on average sin(middle) * sin(h) / h, where h is half its rise. With
    the ring's first corner as base, and differences told as products, small shapes lose little to rounding.
    """
    lat = xy[:, 1] * _RADIAN
    rise = lat[1:] - lat[:-1]
    middle = (lat[1:] + lat[:-1]) * 0.5
    heights = 2 * np.cos((middle + base) * 0.5) * np.sin((middle - base) * 0.5)
    square = rise * rise
    if np.dot(rise, rise) < _SMALL_SQUARE:
        return heights - np.sin(middle) * square * (1 / 24 - square * (1 / 1920))
    return heights + np.sin(middle) * (np.sinc(rise / (2 * np.pi)) - 1)


def cut(one: Geometry, other: Geometry) -> Geometry:
    """The ground that two areas have in common."""
    return polygons_of(shapely.intersection(one, other, grid_size=_GRID))


def unite(shapes: Sequence[Geometry]) -> Geometry:
    """The ground that any of the shapes holds."""
    return shapely.union_all(shapes, grid_size=_GRID)


def polygons_of(shape: Geometry) -> Geometry:
    """The parts of a shape that hold ground; the points and lines in which two shapes merely touch are dropped."""
    if shape.geom_type in ("Polygon", "MultiPolygon"):
        return shape
    return MultiPolygon([p for p in shapely.get_parts(shape) if p.geom_type == "Polygon"])
