"""The candidates of an item of the review queue: the nearest names of parties, the nearest places and areas."""

import math
from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec
import numpy as np

from schemas.assessments import Assessment
from schemas.report import Location, Report
from schemas.vocabulary import Language
from schemas.wording.reasons import named
from services.rules.judging.geometry import EARTH_KM
from services.rules.judging.model import CompiledRegistry
from services.rules.review.domain.nearest import NearestNames

MOST_PARTIES: Final = 5
MOST_PLACES: Final = 10
MOST_NEAR: Final = 5
#: Names less alike than this are no candidates.
_ALIKE: Final = 0.4
_AREA, _PLACE = "areas/", "places/"


class PartyCandidate(msgspec.Struct, frozen=True):
    """A party whose name is like a reported one; ``score`` is 0 to 1."""

    id: str
    name: str
    score: float


class PlaceCandidate(msgspec.Struct, frozen=True):
    """A place as a decision takes it. ``basis``: it bears a name like the reported one (``score``, 0 to 1), lies near
    the reported point (``distance_km``), was itself reported, or is the reported point with latitude and longitude
    exchanged."""

    place: Location
    name: str
    basis: Literal["named", "near", "reported", "exchanged"]
    score: float | None = None
    distance_km: float | None = None


class ReviewCandidates(msgspec.Struct, frozen=True):
    """``parties`` by the reported name that resolves to nobody."""

    parties: dict[str, list[PartyCandidate]]
    places: list[PlaceCandidate]


class Candidates:
    """The candidates of one version of the registry."""

    def __init__(self, registry: CompiledRegistry) -> None:
        self._registry = registry
        self._parties = NearestNames(
            (party.id, name)
            for party in registry.parties.values()
            for name in (party.id, *party.names.values(), *(alias.name for alias in party.aliases))
        )
        self._grounds = NearestNames(
            [
                *((_AREA + area.id, name) for area in registry.areas.values() for name in area.names.values()),
                *(
                    (_PLACE + place.id, name)
                    for place in registry.places.values()
                    for name in (place.name, *place.aliases)
                ),
            ]
        )
        self._places = list(registry.places.values())
        self._points = np.radians(np.array([(p.lat, p.lon) for p in self._places], dtype=np.float64).reshape(-1, 2))

    def nearest_party(self, id: str) -> str | None:
        """The id of the party whose id or name is most like ``id``."""
        return next((near.id for near in self._parties.find(id, 1)), None)

    def nearest_area(self, id: str) -> str | None:
        return next((near for near in self._find_grounds(id) if near.startswith(_AREA)), "").removeprefix(_AREA) or None

    def nearest_place(self, name: str) -> str | None:
        """The name of the area or place that is most like ``name``."""
        return next((self._ground(near, None, "en").name for near in self._find_grounds(name)), None)

    def _find_grounds(self, name: str) -> list[str]:
        return [near.id for near in self._grounds.find(name, MOST_PLACES)]

    def of(self, report: Report, assessment: Assessment, why: Sequence[str], language: Language) -> ReviewCandidates:
        """The candidates for an incident that needs a person for the reasons ``why``."""
        unresolved = [
            reason.fact["reported"] for reason in assessment.reasons if reason.code == "unresolved_party"
        ] if "unresolved_party" in why else []  # fmt: skip
        parties = {reported: self._parties_like(reported, language) for reported in unresolved}
        return ReviewCandidates(parties, list(self._places_of(report.location, assessment, why, language)))

    def _parties_like(self, reported: str, language: Language) -> list[PartyCandidate]:
        return [
            PartyCandidate(near.id, named(self._registry.parties[near.id].names, near.id, language), near.score)
            for near in self._parties.find(reported, MOST_PARTIES)
            if near.score >= _ALIKE
        ]

    def _places_of(
        self, reported: Location, assessment: Assessment, why: Sequence[str], language: Language
    ) -> Iterator[PlaceCandidate]:
        has_point = reported.lat is not None and reported.lon is not None
        if "point_mirrored" in why and has_point:
            yield from self._exchanged(reported, assessment, language)
        if "place_disagreement" in why:
            yield from _each(reported)
        if reported.place is not None and {"place_unresolved", "place_ambiguous", "place_disagreement"} & set(why):
            for near in self._grounds.find(reported.place, MOST_PLACES):
                if near.score >= _ALIKE:
                    yield self._ground(near.id, near.score, language)
        if has_point and ("point_mirrored" in why or "place_disagreement" in why or _is_coarse(assessment)):
            yield from self._near(reported)

    def _exchanged(self, reported: Location, assessment: Assessment, language: Language) -> Iterator[PlaceCandidate]:
        for reason in assessment.reasons:
            if reason.code == "point_mirrored" and abs(reported.lon or 0) <= 90:
                area = reason.fact["area"]
                found = self._registry.areas.get(area)
                place = Location(lat=reported.lon, lon=reported.lat, radius_km=reported.radius_km)
                yield PlaceCandidate(place, area if found is None else named(found.names, area, language), "exchanged")

    def _ground(self, key: str, score: float | None, language: Language) -> PlaceCandidate:
        if key.startswith(_AREA):
            id = key.removeprefix(_AREA)
            name = named(self._registry.areas[id].names, id, language)
            return PlaceCandidate(Location(area=id), name, "named", score)
        one = self._registry.places[key.removeprefix(_PLACE)]
        place = Location(place=one.name, lat=one.lat, lon=one.lon, radius_km=one.radius_km)
        return PlaceCandidate(place, one.name, "named", score)

    def _near(self, reported: Location) -> Iterator[PlaceCandidate]:
        lat, lon = math.radians(reported.lat or 0), math.radians(reported.lon or 0)
        half = np.sin((self._points[:, 0] - lat) / 2) ** 2
        half += math.cos(lat) * np.cos(self._points[:, 0]) * np.sin((self._points[:, 1] - lon) / 2) ** 2
        distances = 2 * EARTH_KM * np.arcsin(np.sqrt(np.minimum(1.0, half)))
        for number in np.argsort(distances, kind="stable")[:MOST_NEAR]:
            one = self._places[int(number)]
            place = Location(place=one.name, lat=one.lat, lon=one.lon, radius_km=one.radius_km)
            yield PlaceCandidate(place, one.name, "near", distance_km=round(float(distances[number]), 1))


def _each(reported: Location) -> Iterator[PlaceCandidate]:
    """Each part of a location by itself."""
    if reported.lat is not None and reported.lon is not None:
        point = Location(lat=reported.lat, lon=reported.lon, radius_km=reported.radius_km)
        yield PlaceCandidate(point, f"{reported.lat:.4f}, {reported.lon:.4f}", "reported")
    if reported.area is not None:
        yield PlaceCandidate(Location(area=reported.area), reported.area, "reported")


def _is_coarse(assessment: Assessment) -> bool:
    return any(reason.code == "place_too_coarse" for finding in assessment.findings for reason in finding.reasons)
