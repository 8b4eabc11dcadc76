"""Incidents as one compact GeoJSON FeatureCollection for a map.

Source: the contract, "Incident reports"; RFC 7946. 5,000 whole ids alone would be 80 kB however they are compressed, so
a feature's id is the beginning of the incident's (:data:`services.ingest.domain.SHORT_ID`).
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from schemas.boxes import KM_PER_DEGREE
from schemas.instants import format_instant
from services.ingest.domain import SHORT_ID
from services.ingest.facets import read_facets

MAX_FEATURES: Final = 20_000
#: Of coordinates: 55 m, half the radius of the most exact place.
_DECIMALS: Final = 3

_encode = msgspec.json.Encoder().encode


def draw(rows: Sequence[Any], limit: int) -> bytes:
    """The collection of up to ``limit`` incidents, by their places: like stands beside like, which compresses an eighth
    better. ``has_more``: there are more. Blocking: a large one takes a tenth of a second."""
    features = sorted((_feature(row) for row in rows[:limit]), key=_order)
    return _encode({"type": "FeatureCollection", "has_more": len(rows) > limit, "features": features})


def _feature(row: Any) -> dict[str, Any]:
    named = read_facets(row.facets)
    told = {kind: named[kind][0] for kind in ("verdict", "severity", "certainty", "act") if kind in named}
    longitude, latitude, radius = _disc(row.west, row.south, row.east, row.north)
    return {
        "type": "Feature",
        "id": row.incident_id[:SHORT_ID],
        "geometry": {"type": "Point", "coordinates": [longitude, latitude]},
        "properties": {**told, "radius": radius, "time": format_instant(row.occurred_start)},
    }


def _order(feature: dict[str, Any]) -> tuple[Any, ...]:
    told = feature["properties"]
    kind = (told[name] for name in ("verdict", "severity", "act", "time"))
    return *feature["geometry"]["coordinates"], *kind, feature["id"]


def _disc(west: float, south: float, east: float, north: float) -> tuple[float, float, float]:
    """Longitude, latitude and radius in km of the disc in a box; of a disc over a pole, about these."""
    middle = (west + (east - west) % 360.0 / 2 + 180.0) % 360.0 - 180.0
    radius = (north - south) / 2 * KM_PER_DEGREE
    return round(middle, _DECIMALS), round((south + north) / 2, _DECIMALS), _short(round(radius, _DECIMALS))


def _short(number: float) -> float:
    """Without ``.0``."""
    return int(number) if number.is_integer() else number
