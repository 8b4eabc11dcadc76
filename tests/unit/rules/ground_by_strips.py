"""The ground of shapes, the slow way: between parallels, by quadrature. Shares no step with the rules."""

import math
from collections.abc import Callable
from itertools import pairwise, product
from typing import Any

import numpy as np
import shapely

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)


def ground(shape: Any) -> float:
    """Steradians: the width of the shape at each latitude, times the cosine of that latitude. Edges are straight in
    degrees, so the width is linear between two corners."""
    return sum(_of_polygon(part) for part in shapely.get_parts(shape) if part.geom_type == "Polygon")


def common_ground(one: Any, other: Any) -> float:
    """Steradians that two polygons have in common: as for one, with the latitudes where edges cross as well."""
    first, second = _edges(one), _edges(other)
    crossings = [lat for pair in product(first, second) if (lat := _crossing(*pair)) is not None]

    def width(lat: float) -> float:
        return math.fsum(
            max(0.0, min(east, other_east) - max(west, other_west))
            for (west, east), (other_west, other_east) in product(_stretches(first, lat), _stretches(second, lat))
        )

    return _quadrature({*_corners(first), *_corners(second), *crossings}, width)


def _of_polygon(polygon: Any) -> float:
    edges = _edges(polygon)
    return _quadrature(_corners(edges), lambda lat: sum(east - west for west, east in _stretches(edges, lat)))


def _edges(polygon: Any) -> Any:
    rings = [shapely.get_coordinates(ring) for ring in (polygon.exterior, *polygon.interiors)]
    return np.radians(np.concatenate([np.column_stack((ring[:-1], ring[1:])) for ring in rings]))


def _corners(edges: Any) -> set[float]:
    return {*edges[:, 1].tolist(), *edges[:, 3].tolist()}


def _crossing(one: Any, other: Any) -> float | None:
    """The latitude at which two edges cross; None for those that do not, or are parallel."""
    along, across, between = one[2:] - one[:2], other[2:] - other[:2], other[:2] - one[:2]
    turn = along[0] * across[1] - along[1] * across[0]
    if turn == 0:
        return None
    part = (between[0] * across[1] - between[1] * across[0]) / turn
    of_other = (between[0] * along[1] - between[1] * along[0]) / turn
    return float(one[1] + part * along[1]) if 0 <= part <= 1 and 0 <= of_other <= 1 else None


def _quadrature(latitudes: set[float], width: Callable[[float], float]) -> float:
    total = 0.0
    for south, north in pairwise(sorted(latitudes)):
        half = (north - south) / 2
        for node, weight in zip(_NODES, _WEIGHTS, strict=True):
            lat = (north + south) / 2 + half * node
            total += weight * half * math.cos(lat) * width(lat)
    return total


def _stretches(edges: Any, lat: float) -> Any:
    """From west to east: where a parallel lies within the polygon."""
    lon1, lat1, lon2, lat2 = edges[(edges[:, 1] < lat) != (edges[:, 3] < lat)].T
    crossings = np.sort(lon1 + (lat - lat1) / (lat2 - lat1) * (lon2 - lon1))
    return np.column_stack((crossings[::2], crossings[1::2])).tolist()
