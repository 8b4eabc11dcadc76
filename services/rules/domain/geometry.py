"""Discs on the globe, and how much ground a shape holds. Longitude, latitude in degrees; a sphere; pure."""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely
from shapely import MultiPolygon, Polygon

EARTH_KM: Final = 6371.0088
#: A polygon of so many corners and of the disc's own ground strays from the circle by 0.015 % of the radius, in and
#: out by turns: a cap of the 0.1 % that decides (rules.md 16) spans seven sides, over which that evens out.
CORNERS: Final = 128
#: Beyond this latitude, or across the date line, a disc is no simple shape in degrees.
_POLAR_DEGREES: Final = 85.0

_BEARINGS: Final = np.linspace(0.0, 2 * np.pi, CORNERS, endpoint=False)
_SINES, _COSINES = np.sin(_BEARINGS), np.cos(_BEARINGS)
#: How much farther out the corners lie than the circle for the polygon to hold as much as the disc.
_OUTWARD: Final = math.sqrt(2 * math.pi / CORNERS / math.sin(2 * math.pi / CORNERS))

Geometry = Any


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


def discs_touch(one: Disc, other: Disc) -> bool:
    """Whether two discs share any point."""
    lat1, lat2 = math.radians(one.lat), math.radians(other.lat)
    half = math.sin((lat2 - lat1) / 2) ** 2
    half += math.cos(lat1) * math.cos(lat2) * math.sin(math.radians(other.lon - one.lon) / 2) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, half))) <= one.radius_km + other.radius_km


def outline(disc: Disc) -> Geometry:
    """The disc as a polygon in degrees, cut at the date line and closed over a pole."""
    lat, arc = math.radians(disc.lat), disc.arc * _OUTWARD
    sin_lat = math.sin(lat) * math.cos(arc) + math.cos(lat) * math.sin(arc) * _COSINES
    lats = np.degrees(np.arcsin(np.clip(sin_lat, -1, 1)))
    turn = np.arctan2(_SINES * math.sin(arc) * math.cos(lat), math.cos(arc) - math.sin(lat) * sin_lat)
    lons = disc.lon + np.degrees(turn)
    if extent_of(disc).plain:
        return shapely.polygons(np.column_stack((lons, lats)))
    if abs(disc.lat) + math.degrees(arc) >= 90:
        return _over_pole(lons, lats, 90.0 if disc.lat > 0 else -90.0)
    return _wrapped(Polygon(np.column_stack((lons, lats))))


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
    return shapely.union_all(parts)


def measure(shape: Geometry) -> float:
    """The ground that a shape holds, in steradians: ratios are true at any latitude."""
    return float(shapely.area(shapely.transform(shape, _equal_area)))


def _equal_area(xy: Any) -> Any:
    flat = np.radians(xy)
    np.sin(flat[:, 1], out=flat[:, 1])
    return flat


def polygons_of(shape: Geometry) -> Geometry:
    """What of a shape holds ground; the points and lines in which two shapes merely touch are dropped."""
    if shape.geom_type in ("Polygon", "MultiPolygon"):
        return shape
    return MultiPolygon([p for p in shapely.get_parts(shape) if p.geom_type == "Polygon"])
