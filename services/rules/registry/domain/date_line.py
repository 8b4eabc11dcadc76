"""Areas across the date line, as mapping tools write them. Source: RFC 7946, 3.1.9."""

from typing import Final

import numpy as np
import shapely
from shapely import MultiPolygon, Polygon, affinity

from services.rules.judging.geometry import polygons_of, unite

_TURN: Final = 360.0
#: Longitudes are read this far east and west, so that a ring may pass the date line from either side.
FARTHEST: Final = 540.0


def find_ambiguous_edge(shape: Polygon | MultiPolygon) -> str | None:
    """Why the way of an edge cannot be told: it spans more than half the earth, from anywhere but the date line."""
    for polygon in shapely.get_parts(shape):
        for ring in (polygon.exterior, *polygon.interiors):
            lon = shapely.get_coordinates(ring)[:, 0]
            long = np.abs(np.diff(lon)) > _TURN / 2
            from_line = (np.abs(lon[:-1]) == _TURN / 2) & (np.abs(lon[1:]) == _TURN / 2)
            if bool(np.any(long & ~from_line)):
                return (
                    "has an edge over more than 180 degrees of longitude: where a ring crosses the date line, write its"
                    " longitudes on beyond 180 (170 to 190), or cut it there into a MultiPolygon"
                )
    return None


def cut_at_date_line(shape: Polygon | MultiPolygon) -> Polygon | MultiPolygon | None:
    """The same ground in longitudes from -180 to 180; None for what goes round the earth more than once, or lies
    beyond ``FARTHEST``."""
    west, _, east, _ = shape.bounds
    if west >= -_TURN / 2 and east <= _TURN / 2:
        return shape
    if east - west > _TURN or west < -FARTHEST or east > FARTHEST:
        return None
    parts = []
    for turn in (-_TURN, 0.0, _TURN):
        part = polygons_of(shapely.intersection(shape, shapely.box(turn - _TURN / 2, -90, turn + _TURN / 2, 90)))
        if not part.is_empty:
            parts.append(affinity.translate(part, xoff=-turn))
    united = unite(parts)
    return united if isinstance(united, Polygon | MultiPolygon) else None
