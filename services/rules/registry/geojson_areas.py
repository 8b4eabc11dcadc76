"""The registry document as mapping tools write its areas, made the published one. Source: RFC 7946."""

from typing import Annotated, Final

import msgspec

from schemas.registry import (
    MAX_RESOURCES,
    Document,
    Feature,
    FeatureCollection,
    Geometry,
    Id,
    MultiPolygon,
    Polygon,
    Rings,
)

_geometry: Final = msgspec.json.Decoder(Geometry)
_encode: Final = msgspec.json.Encoder().encode


class SentFeature(Feature, frozen=True, omit_defaults=False, forbid_unknown_fields=False):
    """A feature whose id may be a number (RFC 7946, 3.2)."""

    id: Id | int | float  # type: ignore[assignment]

    def settle(self) -> Feature:
        """Its id as text. The geometry is written one way, so that equal ones are equal bytes, without foreign members.
        Raises msgspec.ValidationError."""
        id = msgspec.convert(write_id(self.id), Id)
        return Feature(self.type, id, self.properties, msgspec.Raw(_encode(_read_geometry(self.geometry))), self.union)


class SentCollection(FeatureCollection, frozen=True):
    """The areas of a document as they are sent."""

    features: Annotated[tuple[SentFeature, ...], msgspec.Meta(max_length=MAX_RESOURCES)] = ()


class SentDocument(Document, frozen=True):
    """A whole document as it is sent."""

    areas: SentCollection = SentCollection()

    def settle(self) -> Document:
        """The published document. Raises msgspec.ValidationError."""
        areas = FeatureCollection(features=tuple(feature.settle() for feature in self.areas.features))
        return Document(self.version, self.timezone, self.parties, self.presence, areas, self.places, self.truces)


def _read_geometry(raw: msgspec.Raw) -> Geometry:
    """GEOS reads three numbers to a position; older tools write a fourth, a measure, which is left out."""
    geometry: Geometry = _geometry.decode(raw)
    match geometry:
        case Polygon(coordinates):
            return Polygon(_without_measures(coordinates)) if _has_measures(coordinates) else geometry
        case MultiPolygon(coordinates) if any(map(_has_measures, coordinates)):
            return MultiPolygon(tuple(map(_without_measures, coordinates)))
        case _:
            return geometry


def _has_measures(rings: Rings) -> bool:
    return any(len(position) > 3 for ring in rings for position in ring)


def _without_measures(rings: Rings) -> Rings:
    return tuple(tuple(position[:3] for position in ring) for ring in rings)


def write_id(id: str | float) -> str:
    """A feature's id as text; 7.0 is the number 7."""
    if isinstance(id, str | int):
        return str(id)
    return str(int(id)) if id.is_integer() else str(id)
