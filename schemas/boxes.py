"""Boxes of longitudes and latitudes, in degrees."""

import math
from collections.abc import Iterator
from typing import Final

from schemas.assessments import ResolvedPlace

KM_PER_DEGREE: Final = 111.195
#: West, south, east, north; west beyond east crosses the antimeridian.
Box = tuple[float, float, float, float]


def read_box(text: str) -> Box:
    """``west,south,east,north`` in degrees. Raises ValueError, saying what is wanted."""
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise ValueError("must be four numbers: west,south,east,north") from None
    for fault in faults_of((west, south, east, north)):
        raise ValueError(fault)
    return west, south, east, north


def faults_of(box: tuple[float, ...]) -> Iterator[str]:
    """The reasons why four numbers are no box."""
    west, south, east, north = box
    if not (-180 <= west <= 180 and -180 <= east <= 180):
        yield "longitudes lie from -180 to 180"
    if not -90 <= south <= north <= 90:
        yield "latitudes lie from -90 to 90, south before north"


def box_of(place: ResolvedPlace) -> Box | None:
    """The box around the disc of a place; None where it has no coordinates."""
    if place.lat is None or place.lon is None:
        return None
    up = (place.radius_km or 0.0) / KM_PER_DEGREE
    south, north = max(place.lat - up, -90.0), min(place.lat + up, 90.0)
    shrunk = math.cos(math.radians(max(abs(south), abs(north))))
    if up >= 180.0 * shrunk:
        return -180.0, south, 180.0, north
    return _wrapped(place.lon - up / shrunk), south, _wrapped(place.lon + up / shrunk), north


def _wrapped(longitude: float) -> float:
    return (longitude + 180.0) % 360.0 - 180.0
