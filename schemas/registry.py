"""The registry document as operators write it. Source: the public contract, "Registry (rules)".

Times are text here: a local time of the registry's ``timezone`` (``2016-05-05T01:00``, a bare date, ``24:00``) or one
with an offset; :mod:`schemas.local_time` gives them their meaning. References are ids; the compiler of the document
checks that they lead somewhere.
"""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from schemas.vocabulary import Language

#: Limits, all stated in the published schema.
MAX_ID: Final = 128
MAX_NAME: Final = 300
MAX_TEXT: Final = 10_000
MAX_LIST: Final = 1_000
MAX_RESOURCES: Final = 100_000
MAX_RADIUS_KM: Final = 1_000.0

#: ``$`` alone would let a final newline pass.
Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._~-]*$(?!\n)", max_length=MAX_ID)]
Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
Text = Annotated[str, Meta(max_length=MAX_TEXT)]
Moment = Annotated[str, Meta(min_length=1, max_length=40, description="A local time, a local day or RFC 3339.")]
Duration = Annotated[str, Meta(min_length=1, max_length=20, description="ISO 8601, in days or hours: P1D, PT24H.")]
Names = Annotated[dict[Language, Name], Meta(min_length=1)]
Ids = Annotated[tuple[Id, ...], Meta(max_length=MAX_LIST)]

Kind = Literal["settings", "parties", "presence", "areas", "places", "truces"]
Action = Literal["declare", "extend", "restate", "end", "withdraw"]


class Struct(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The base of every part of the document: immutable, no unknown fields, defaults left out."""


class Alias(Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """A name with the time in which it was used, half-open."""

    name: Name
    start: Moment | None = None
    end: Moment | None = None


class PartyTerm(Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """A party for a time, half-open: a membership, a side of a duty, an exclusion."""

    party: Id
    start: Moment | None = None
    end: Moment | None = None
    basis: Text | None = None


PartyTerms = Annotated[tuple[Id | PartyTerm, ...], Meta(max_length=MAX_LIST)]


class Party(Struct, frozen=True):
    """``cannot``: acts and groups that it has no means for; ``umbrella``: the name may cover excluded groups too."""

    id: Id
    kind: Id
    name: Names
    aliases: Annotated[tuple[Name | Alias, ...], Meta(max_length=MAX_LIST)] = ()
    member_of: PartyTerms = ()
    cannot: Ids = ()
    umbrella: bool = False


class Presence(Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """A party in an area for a time. ``id`` is by default ``party.area.n``."""

    party: Id
    area: Id
    control: Literal["present", "held"]
    start: Moment | None = None
    end: Moment | None = None
    id: Id | None = None


_GEOMETRY_SCHEMA: Final[dict[str, Any]] = {
    "description": "A GeoJSON Polygon or MultiPolygon in WGS 84, wound either way, its rings closed; null beside a "
    "union. Heights are passed over. Longitudes may go on beyond 180 (or -180) where a ring crosses the date line; an "
    "edge over more than 180 degrees is refused, unless it goes from -180 to 180.",
    "type": ["object", "null"],
    "required": ["type", "coordinates"],
    "properties": {"type": {"enum": ["Polygon", "MultiPolygon"]}, "coordinates": {"type": "array"}},
}
_PROPERTIES_SCHEMA: Final[dict[str, Any]] = {
    "required": ["name"],
    "properties": {"name": {"type": "object", "minProperties": 1, "additionalProperties": {"type": "string"}}},
}


class Feature(Struct, frozen=True, omit_defaults=False, forbid_unknown_fields=False):
    """One area as GeoJSON (RFC 7946), or a ``union`` of other areas beside ``"geometry": null``.

    ``properties`` are kept as they came; of them only ``name`` is read, names by language. A numeric ``id`` is read as
    text; ``bbox`` and foreign members that mapping tools add are tolerated and not kept.
    """

    type: Literal["Feature"]
    id: Annotated[Id, Meta(extra_json_schema={"type": ["string", "number"]})]
    properties: Annotated[dict[str, Any], Meta(extra_json_schema=_PROPERTIES_SCHEMA)]
    # As the JSON that it came as: ten thousand polygons as Python numbers would fill the memory.
    geometry: Annotated[msgspec.Raw, Meta(extra_json_schema=_GEOMETRY_SCHEMA)]
    union: Ids | UnsetType = UNSET


class FeatureCollection(msgspec.Struct, frozen=True):
    """Foreign members that mapping tools add beside ``features`` are tolerated and not kept."""

    type: Literal["FeatureCollection"] = "FeatureCollection"
    features: Annotated[tuple[Feature, ...], Meta(max_length=MAX_RESOURCES)] = ()


Position = Annotated[tuple[float, ...], Meta(min_length=2, max_length=4)]
Ring = Annotated[tuple[Position, ...], Meta(min_length=4, max_length=100_000)]
Rings = Annotated[tuple[Ring, ...], Meta(min_length=1, max_length=10_000)]


class Polygon(msgspec.Struct, frozen=True, tag_field="type", tag="Polygon"):
    coordinates: Rings


class MultiPolygon(msgspec.Struct, frozen=True, tag_field="type", tag="MultiPolygon"):
    coordinates: Annotated[tuple[Rings, ...], Meta(min_length=1, max_length=10_000)]


Geometry = Polygon | MultiPolygon | None


class Place(Struct, frozen=True):
    """One entry of the gazetteer: a name for a disc."""

    id: Id
    name: Name
    lat: Annotated[float, Meta(ge=-90, le=90)]
    lon: Annotated[float, Meta(ge=-180, le=180)]
    radius_km: Annotated[float, Meta(gt=0, le=MAX_RADIUS_KM)]
    aliases: Annotated[tuple[Name, ...], Meta(max_length=MAX_LIST)] = ()


class Duty(Struct, frozen=True):
    """``bound`` toward ``toward`` must not commit ``acts`` (acts and groups)."""

    bound: Literal["any"] | PartyTerms
    toward: Literal["any"] | PartyTerms
    acts: Annotated[tuple[Id, ...], Meta(min_length=1, max_length=MAX_LIST)]


class Announcement(Struct, frozen=True):
    """One issuer's words about a truce, kept as they were (judgement.md 13).

    Which fields an action takes is the compiler's to check. ``ends_at`` null means open, absent means not said.
    ``withdraws`` names what a ``withdraw`` takes back.
    """

    id: Id
    issuer: Id
    action: Action
    announced_at: Moment
    starts_at: Moment | None = None
    ends_at: Moment | UnsetType | None = UNSET
    duration: Duration | None = None
    area: Id | None = None
    restates: Id | None = None
    extends: Id | None = None
    withdraws: Id | None = None
    text: Text = ""


class Truce(Struct, frozen=True):
    """The obligations of parties toward others, and where; its windows follow from its announcements."""

    id: Id
    name: Names
    kind: Id
    area: Id
    duties: Annotated[tuple[Duty, ...], Meta(max_length=MAX_LIST)]
    guarantors: Ids = ()
    exclusions: PartyTerms = ()
    announcements: Annotated[tuple[Announcement, ...], Meta(max_length=MAX_LIST)] = ()


class Document(Struct, frozen=True):
    """The whole registry. ``version`` is that of the format."""

    version: Literal[1]
    timezone: Name
    parties: Annotated[tuple[Party, ...], Meta(max_length=MAX_RESOURCES)] = ()
    presence: Annotated[tuple[Presence, ...], Meta(max_length=MAX_RESOURCES)] = ()
    areas: FeatureCollection = FeatureCollection()
    places: Annotated[tuple[Place, ...], Meta(max_length=MAX_RESOURCES)] = ()
    truces: Annotated[tuple[Truce, ...], Meta(max_length=MAX_RESOURCES)] = ()


class RegistrySettings(Struct, frozen=True):
    """The part of the document that belongs to no single resource."""

    version: Literal[1]
    timezone: Name


Resource = RegistrySettings | Party | Presence | Feature | Place | Truce
KINDS: Final[dict[Kind, Any]] = {
    "settings": RegistrySettings,
    "parties": Party,
    "presence": Presence,
    "areas": Feature,
    "places": Place,
    "truces": Truce,
}
