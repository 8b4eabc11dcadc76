"""The place of an alert as a picture: its circle of uncertainty and the outlines of the areas it lies in.

Everything is drawn by the numbers of the report and of the registry; nothing is asked of a map server.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from schemas.assessments import ResolvedPlace

#: Longitude, latitude, as in GeoJSON.
Outline = Sequence[tuple[float, float]]

WIDTH: Final = 600
HEIGHT: Final = 400
_KM_A_DEGREE: Final = 111.195
#: The widest that is drawn, km: beyond, a flat picture would be wrong.
_MOST_KM: Final = 4_000
#: A circle is no smaller than this on the picture, so that it is seen.
_LEAST_RADIUS: Final = 5
#: Around a place without an area: so many radii, and at least so many km, to each side.
_RADII: Final = 4
_LEAST_KM: Final = 5
_MARGIN: Final = 1.15
#: The bar of the scale is at most this long.
_BAR: Final = WIDTH / 4


@dataclass(frozen=True, slots=True)
class PlaceMap:
    """Paths of the areas' outlines, the circle as (x, y, r) and the scale's bar as (length, km), on WIDTH × HEIGHT
    with north at the top."""

    outlines: tuple[str, ...]
    circle: tuple[float, float, float] | None
    bar: tuple[float, float]


def draw_place(place: ResolvedPlace, areas: Sequence[Sequence[Outline]]) -> PlaceMap | None:
    """The picture of a place and of its areas, each with its outlines; None where there is nothing to draw, or
    nothing that a flat picture shows rightly."""
    known = [area for area in areas if any(area)]
    points = list(_frame(place, known))
    if not points:
        return None
    west, south = (min(values) for values in zip(*points, strict=True))
    east, north = (max(values) for values in zip(*points, strict=True))
    middle, lat = (west + east) / 2, (south + north) / 2
    # On a degree of longitude at the middle of the picture.
    narrow = _KM_A_DEGREE * math.cos(math.radians(lat))
    wide_km, high_km = (east - west) * narrow, (north - south) * _KM_A_DEGREE
    if max(wide_km, high_km) > _MOST_KM or abs(lat) > 80:
        return None
    scale = min(WIDTH / max(wide_km, 0.1), HEIGHT / max(high_km, 0.1)) / _MARGIN

    def at(point: tuple[float, float]) -> tuple[float, float]:
        x = WIDTH / 2 + (point[0] - middle) * narrow * scale
        y = HEIGHT / 2 - (point[1] - lat) * _KM_A_DEGREE * scale
        return round(x, 1), round(y, 1)

    circle = None
    if place.lat is not None and place.lon is not None:
        x, y = at((place.lon, place.lat))
        circle = (x, y, round(max((place.radius_km or 0) * scale, _LEAST_RADIUS), 1))
    km = _round_km(_BAR / scale)
    return PlaceMap(
        tuple(_path([[*map(at, ring)] for ring in area]) for area in known), circle, (round(km * scale, 1), km)
    )


def _frame(place: ResolvedPlace, areas: Sequence[Sequence[Outline]]) -> Iterator[tuple[float, float]]:
    """Points that the picture has to hold: the circle, and the smallest area around it."""
    if areas:
        smallest = min(areas, key=_extent)
        yield from (point for ring in smallest for point in ring)
    if place.lat is not None and place.lon is not None:
        radius = place.radius_km or 0
        reach = radius if areas else max(radius * _RADII, _LEAST_KM)
        north = reach / _KM_A_DEGREE
        east = north / max(math.cos(math.radians(place.lat)), 0.01)
        yield place.lon - east, place.lat - north
        yield place.lon + east, place.lat + north


def _extent(area: Sequence[Outline]) -> float:
    longitudes, latitudes = zip(*(point for ring in area for point in ring), strict=True)
    return float((max(longitudes) - min(longitudes)) * (max(latitudes) - min(latitudes)))


def _path(rings: Sequence[Sequence[tuple[float, float]]]) -> str:
    """Closed rings as a path, without points that fall on the one before."""
    return "".join(_ring(ring) for ring in rings if ring)


def _ring(ring: Sequence[tuple[float, float]]) -> str:
    kept = [ring[0], *(point for before, point in pairwise(ring) if point != before)]
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in kept) + "Z"


def _round_km(most: float) -> float:
    """The greatest of 1, 2, 5 times a power of ten that is no more."""
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (5, 2, 1) if step * power <= most)
