"""Rule 16: points that are not taken at their word: 0, 0, and those with latitude and longitude exchanged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.report import Location
from services.rules.judging.model import CompiledPlace
from tests.unit.rules.build import area, assess, codes, fact, registry, report, square, truce

HILLS = CompiledPlace("hills", "Hills", 0.5, 0.5, 1.0)
ELSEWHERE = area("north", square(10, 40, 5))
WORLD = registry(
    truce(),
    truce("far", area="north"),
    areas=(area("city", square(0, 0, 1)), area("abroad", square(40, 60, 2)), ELSEWHERE),
    places=(HILLS,),
)


@pytest.mark.parametrize(("lat", "lon"), [(0, 0), (0.01, -0.01), (-0.0099, 0.002)])
def test_a_placeholder_counts_as_not_given(lat: float, lon: float) -> None:
    named = assess(WORLD, report(location=Location(place="Hills")))
    told = assess(WORLD, report(location=Location(lat=lat, lon=lon, place="Hills")))
    assert told.findings == named.findings
    assert told.place == named.place
    assert fact(told, "point_placeholder") == {"lat": lat, "lon": lon}
    assert "place_disagreement" not in codes(told)


@pytest.mark.parametrize(("lat", "lon"), [(0.0101, 0), (0, 0.0101), (0.5, 0.005)])
def test_a_point_a_little_further_off_is_a_point(lat: float, lon: float) -> None:
    assert "point_placeholder" not in codes(assess(WORLD, report(location=Location(lat=lat, lon=lon, place="Hills"))))


def test_a_placeholder_beside_an_area_leaves_the_area() -> None:
    told = assess(WORLD, report(location=Location(lat=0, lon=0, area="city")))
    assert (told.place.area, told.place.lat) == ("city", None)
    assert told.verdict == "violation"


@pytest.mark.parametrize("name", [None, "El Dorado"])
def test_a_placeholder_with_no_other_place_that_is_known_is_no_place(name: str | None) -> None:
    told = assess(WORLD, report(location=Location(lat=0, lon=0, place=name)))
    assert told.verdict == "undetermined"
    assert all("place_unresolved" in codes(finding) for finding in told.findings)
    assert "point_placeholder" in codes(told)
    assert (told.place.lat, told.place.lon) == (None, None)


def test_a_point_whose_mirror_image_is_in_an_area_says_so_and_is_judged_as_it_stands() -> None:
    told = assess(WORLD, report(location=Location(lat=41, lon=61)))
    assert fact(told, "point_mirrored") == {"lat": 41, "lon": 61, "area": "abroad"}
    assert told.verdict == "not_covered"
    assert (told.place.lat, told.place.lon) == (41, 61)


def test_only_the_centre_counts_not_the_radius() -> None:
    inside = report(location=Location(lat=61, lon=41, radius_km=500.0))
    assert "point_mirrored" not in codes(assess(WORLD, inside))
    close_by = report(location=Location(lat=39.9, lon=61, radius_km=500.0))
    assert "point_mirrored" not in codes(assess(WORLD, close_by))
    overlapping = report(location=Location(lat=9.9, lon=41, radius_km=50.0))
    assert "point_mirrored" not in codes(assess(WORLD, overlapping))


def test_a_point_in_any_area_is_never_mirrored() -> None:
    here = registry(
        areas=(area("city", square(0, 0, 1)), area("one", square(20, 30, 1)), area("two", square(30, 20, 1)))
    )
    assert "point_mirrored" not in codes(assess(here, report(location=Location(lat=30.5, lon=20.5))))


@given(st.floats(-90, 90), st.floats(-180, 180))
def test_mirrored_is_what_the_rule_says(lat: float, lon: float) -> None:
    def held(lat: float, lon: float) -> bool:
        return any(
            south <= lat <= south + size and west <= lon <= west + size
            for west, south, size in ((0, 0, 1), (40, 60, 2), (10, 40, 5))
        )

    told = assess(WORLD, report(location=Location(lat=lat, lon=lon)))
    placeholder = abs(lat) <= 0.01 and abs(lon) <= 0.01
    assert ("point_placeholder" in codes(told)) == placeholder
    assert ("point_mirrored" in codes(told)) == (not placeholder and not held(lat, lon) and held(lon, lat))
