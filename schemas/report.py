"""The incident report as partners post it. Source: the public contract, "Incident reports"."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec

from schemas.vocabulary import Act, Claim, Site

#: Limits, all stated in the published schema; each has a test.
MAX_TEXT: Final = 10_000
MAX_NAME: Final = 300
MAX_LIST: Final = 50
MAX_RADIUS_KM: Final = 1_000.0
DEFAULT_RADIUS_KM: Final = 0.1

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
Names = Annotated[tuple[Name, ...], msgspec.Meta(max_length=MAX_LIST)]
Count = Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Latitude = Annotated[float, msgspec.Meta(ge=-90, le=90)]
Longitude = Annotated[float, msgspec.Meta(ge=-180, le=180)]
Radius = Annotated[float, msgspec.Meta(gt=0, le=MAX_RADIUS_KM)]
#: ``no_redistribution``: the source's own words may not be passed on to others.
Terms = Literal["no_redistribution"]


class Occurrence(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename={"start": "from", "end": "to", "date": "date"},
):
    """Either a half-open interval ``[from, to)`` (``from == to`` is an instant), or a whole local day.

    Exactly one of the pair and ``date`` is given; the validator at the edge refuses the rest. ``date`` is a day in
    the registry's time zone, ``YYYY-MM-DD``.
    """

    start: Moment | None = None
    end: Moment | None = None
    date: (
        Annotated[str, msgspec.Meta(max_length=10, pattern=r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")] | None
    ) = None


class Location(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A point with a radius in km, a named area, a place name, or several of them; at least one."""

    place: Name | None = None
    lat: Latitude | None = None
    lon: Longitude | None = None
    radius_km: Radius | None = None
    area: Name | None = None


def _given(name: str) -> dict[str, Any]:
    """JSON Schema for: the field is there, and not null."""
    return {"type": "object", "required": [name], "properties": {name: {"not": {"type": "null"}}}}


def _implies(name: str, other: str) -> dict[str, Any]:
    return {"anyOf": [{"not": _given(name)}, _given(other)]}


#: Rules that the types alone do not say, for clients that validate before posting; the edge has code of its own.
_ONE_TIME: Final[dict[str, Any]] = {
    "allOf": [
        {
            "oneOf": [
                {"type": "string"},
                {"allOf": [_given("from"), _given("to")], "not": _given("date")},
                {"allOf": [_given("date"), {"not": _given("from")}, {"not": _given("to")}]},
            ]
        }
    ],
    "description": "A moment, an interval (from not after to), or a whole day in the registry's time zone. A moment, "
    "an interval's end and a day's beginning may not lie more than 5 minutes in the future.",
}
_SOME_PLACE: Final[dict[str, Any]] = {
    "allOf": [
        {"anyOf": [_given("lat"), _given("area"), _given("place")]},
        _implies("lat", "lon"),
        _implies("lon", "lat"),
        _implies("radius_km", "lat"),
    ],
    "description": "lat and lon (with a radius, 0.1 km if absent), an area or a place name (with a "
    "letter or a digit), or several of them.",
}


class Casualties(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Counts as claimed by the source (judgement.md 21); null means that it does not say."""

    killed: Count | None = None
    injured: Count | None = None


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The source, with the Admiralty grade (reliability A to F, credibility 1 to 6) and whom it quotes.

    ``terms`` ``no_redistribution``: monitors get neither ``description``, ``evidence``, ``url`` nor ``quotes``.
    """

    name: Name
    grade: Annotated[str, msgspec.Meta(pattern=r"^[A-F][1-6]$", max_length=2)] | None = None
    url: Annotated[str, msgspec.Meta(max_length=2_000)] | None = None
    quotes: Names = ()
    terms: Terms | None = None


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One incident as one partner reports it: who did what to whom, where, when, says who.

    ``occurred`` is kept as posted, not resolved: a local day is a day of the registry's time zone, which may be
    corrected later.
    """

    external_id: Name
    occurred: Annotated[Moment | Occurrence, msgspec.Meta(extra_json_schema=_ONE_TIME)]
    act: Act
    location: Annotated[Location, msgspec.Meta(extra_json_schema=_SOME_PLACE)]
    source: Source
    perpetrators: Names = ()
    targets: Names = ()
    casualties: Casualties = Casualties()
    claims: Annotated[tuple[Claim, ...], msgspec.Meta(max_length=MAX_LIST)] = ()
    sites: Annotated[tuple[Site, ...], msgspec.Meta(max_length=MAX_LIST)] = ()
    aggregate: bool = False
    description: Annotated[str, msgspec.Meta(max_length=MAX_TEXT)] = ""
    evidence: Annotated[
        tuple[Annotated[str, msgspec.Meta(max_length=2_000)], ...], msgspec.Meta(max_length=MAX_LIST)
    ] = ()
    language: Annotated[str, msgspec.Meta(min_length=2, max_length=35)] | None = None
