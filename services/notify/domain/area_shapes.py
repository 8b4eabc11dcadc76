"""The outlines of the registry's areas, for messages about a place that is known by its area alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

#: Longitude, latitude, as in GeoJSON; closed.
Outline = Sequence[tuple[float, float]]
#: Points and rings of one area in a message. With more points the box of each ring is told, with more rings
#: the box around all: both hold all of its ground.
MAX_POINTS: Final = 150
MAX_RINGS: Final = 20


@dataclass(slots=True)
class AreaShapes:
    """Fed with every change of the registry, in any order and as often as the log repeats it. Kept as JSON: as Python
    numbers ten thousand polygons would fill the memory."""

    _versions: dict[str, int] = field(default_factory=dict)
    _features: dict[str, bytes] = field(default_factory=dict)

    def apply(self, id: str, version: int, feature: Any) -> None:
        """An area's GeoJSON feature from this version of the registry on; None: it was deleted."""
        if version < self._versions.get(id, 0):
            return
        self._versions[id] = version
        if feature is None:
            self._features.pop(id, None)
        else:
            self._features[id] = msgspec.json.encode(feature)

    def rings_of(self, id: str) -> Sequence[Outline]:
        """The outer rings of an area, those of its parts where it is a union; none of one that is not known."""
        rings = [*self.outlines_of(id)]
        if sum(map(len, rings)) > MAX_POINTS:
            rings = [_box(ring) for ring in rings]
        return rings if len(rings) <= MAX_RINGS else [_box([point for ring in rings for point in ring])]

    def outlines_of(self, id: str) -> Sequence[Outline]:
        """The same with every point, for a picture."""
        return [*self._rings(id, frozenset())]

    def _rings(self, id: str, above: frozenset[str]) -> Iterator[Outline]:
        kept = self._features.get(id)
        if kept is None or id in above:
            return
        feature: Mapping[str, Any] = msgspec.json.decode(kept)
        for part in feature.get("union") or ():
            yield from self._rings(part, above | {id})
        geometry = feature.get("geometry") or {"coordinates": []}
        polygons = geometry["coordinates"] if geometry.get("type") == "MultiPolygon" else [geometry["coordinates"]]
        for polygon in filter(None, polygons):
            yield [(lon, lat) for lon, lat, *_ in polygon[0]]


def _box(ring: Outline) -> Outline:
    longitudes, latitudes = zip(*ring, strict=True)
    west, south, east, north = min(longitudes), min(latitudes), max(longitudes), max(latitudes)
    return [(west, south), (east, south), (east, north), (west, north), (west, south)]
