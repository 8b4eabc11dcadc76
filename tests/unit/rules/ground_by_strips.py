"""The ground of a shape, the slow way: between parallels, by quadrature. Shares no step with the rules."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import shapely

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)


def ground(shape: Any) -> float:
    """Steradians: the width of the shape at each latitude, times the cosine of that latitude. Edges are straight in
    degrees, so the width is linear between two corners."""
    return sum(_of_polygon(part) for part in shapely.get_parts(shape) if part.geom_type == "Polygon")


def _of_polygon(polygon: Any) -> float:
    rings = [shapely.get_coordinates(ring) for ring in (polygon.exterior, *polygon.interiors)]
    edges = np.radians(np.concatenate([np.column_stack((ring[:-1], ring[1:])) for ring in rings]))
    total = 0.0
    for south, north in pairwise(sorted({*edges[:, 1].tolist(), *edges[:, 3].tolist()})):
        half = (north - south) / 2
        for node, weight in zip(_NODES, _WEIGHTS, strict=True):
            lat = (north + south) / 2 + half * node
            total += weight * half * math.cos(lat) * _width(edges, lat)
    return total


def _width(edges: Any, lat: float) -> float:
    lon1, lat1, lon2, lat2 = edges[(edges[:, 1] < lat) != (edges[:, 3] < lat)].T
    crossings = np.sort(lon1 + (lat - lat1) / (lat2 - lat1) * (lon2 - lon1))
    return float((crossings[1::2] - crossings[::2]).sum())
