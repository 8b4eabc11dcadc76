"""Shares of places in areas, on the sphere and along the edges. Source: judgement.md 16."""

import math
from typing import Any

import pytest
import shapely
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.assessments import Assessment
from schemas.report import Location
from services.rules.judging.footprint import AreaShape
from services.rules.judging.geometry import Disc, measure, outline, unite
from services.rules.judging.index import AreaIndex
from services.rules.registry.domain.segments import WindowSegments
from tests.unit.rules.build import account, area, assess, registry, report, truce
from tests.unit.rules.ground_by_strips import common_ground, ground

#: The corners of a long triangle, and a point on its longest edge.
SOUTH, NORTH, EAST = (38.0091, 34.4411), (37.6764, 35.3102), (38.0983, 34.5471)
MIDDLE = (37.91313327968819, 34.691790341517866)


@st.composite
def polygons(draw: Any) -> Any:
    """Polygons of 3 to 12 corners around a point, up to 24 degrees across."""
    lon, lat = draw(st.floats(-150, 150)), draw(st.floats(-65, 65))
    turns = sorted(draw(st.lists(st.integers(0, 359), min_size=3, max_size=12, unique=True)))
    size = draw(st.sampled_from([0.001, 0.1, 1.0, 12.0]))
    reach = [size * draw(st.floats(0.3, 1)) for _ in turns]
    points = [
        (lon + r * math.cos(math.radians(t)), lat + r * math.sin(math.radians(t)))
        for r, t in zip(reach, turns, strict=True)
    ]
    shape = shapely.Polygon(points)
    assume(shape.is_valid and shape.area > 1e-3 * size * size)
    return shape


@st.composite
def cut_polygons(draw: Any) -> tuple[Any, list[Any]]:
    """A polygon, and the two halves that a line through its box leaves."""
    whole = draw(polygons())
    west, south, east, north = whole.bounds
    first, second = (draw(st.floats(0, 1)) for _ in range(2))
    line = [(west - 1, south + first * (north - south)), (east + 1, south + second * (north - south))]
    below = shapely.intersection(whole, shapely.Polygon([*line, (east + 1, -89), (west - 1, -89)]))
    above = shapely.intersection(whole, shapely.Polygon([*line, (east + 1, 89), (west - 1, 89)]))
    return whole, [part for part in (below, above) if part.area > 0]


def share(place: Any, *areas: Any) -> float:
    """The share of a place, a polygon or a disc, in the union of areas."""
    world = AreaIndex(
        {f"a{n}": area(f"a{n}", one) for n, one in enumerate([*areas, place]) if not isinstance(one, Disc)}
    )
    (footprint,) = world.footprints([place if isinstance(place, Disc) else AreaShape(len(areas))])
    return footprint.share_of(frozenset(frozenset((n,)) for n in range(len(areas))))


@given(polygons())
def test_ground_is_what_quadrature_finds(shape: Any) -> None:
    assert measure(shape) == pytest.approx(ground(shape), rel=1e-9)


@given(polygons(), polygons())
def test_a_share_is_what_quadrature_finds(one: Any, other: Any) -> None:
    moved = shapely.transform(other, lambda xy: xy - xy[0] + shapely.get_coordinates(one)[0])
    assume(moved.bounds[1] > -89 and moved.bounds[3] < 89)
    assert share(one, moved) == pytest.approx(common_ground(one, moved) / ground(one), abs=1e-6)


@given(cut_polygons())
def test_all_of_a_polygon_lies_in_its_two_halves(cut: tuple[Any, list[Any]]) -> None:
    whole, halves = cut
    assert share(whole, *halves) == pytest.approx(1, abs=1e-6)
    assert share(whole, unite(halves)) == pytest.approx(1, abs=1e-6)


def test_halves_whose_border_differs_in_the_last_digit_are_united_whole() -> None:
    """GEOS on bare floating point loses 7 % of this union without a word."""
    east, west = (8.08725787041653, -2.9854449845488897), (-3.6404928607730094, -10.709471828941865)
    south = [(7.461338152995377, -5.032736131236719), (-3.7082039324993707, -11.412678195541842)]
    north = [(-1.4624321208617683, 11.910553819695865), (11.998172341876696, 0.2094288772474021), (9.0, 0.0)]
    whole = shapely.Polygon([north[2], north[1], north[0], south[1], south[0]])
    halves = [shapely.Polygon([*south, west, east]), shapely.Polygon([*north, east, west])]
    assert share(whole, *halves) == pytest.approx(1, abs=1e-6)
    assert share(whole, unite(halves)) == pytest.approx(1, abs=1e-6)


@given(cut_polygons())
def test_the_shares_of_the_parts_add_up_to_one(cut: tuple[Any, list[Any]]) -> None:
    whole, halves = cut
    assert sum(share(whole, half) for half in halves) == pytest.approx(1, abs=1e-6)


@given(polygons(), cut_polygons())
def test_a_larger_area_never_holds_less(place: Any, cut: tuple[Any, list[Any]]) -> None:
    moved = [shapely.transform(s, lambda xy: xy - cut[0].centroid.coords[0] + place.centroid.coords[0]) for s in cut[1]]
    assume(all(part.bounds[1] > -89 and part.bounds[3] < 89 for part in moved))
    assert share(place, moved[0]) <= share(place, *moved) + 1e-12


def test_corners_along_an_edge_add_no_ground() -> None:
    long = shapely.Polygon([(0, 0), (12, 12), (0, 12)])
    assert share(shapely.segmentize(long, 0.01), long) == pytest.approx(1, abs=1e-6)
    assert measure(shapely.segmentize(long, 0.01)) == pytest.approx(measure(long), rel=1e-12)


def test_holes_hold_no_ground() -> None:
    ring = shapely.Polygon(shapely.box(0, 40, 10, 50).exterior, [shapely.box(2, 42, 4, 44).exterior])
    both = shapely.MultiPolygon([ring, shapely.box(20, 40, 21, 41)])
    assert measure(both) == pytest.approx(ground(both), rel=1e-12)
    assert measure(both) == pytest.approx(
        measure(shapely.box(0, 40, 10, 50)) - measure(shapely.box(2, 42, 4, 44)) + measure(shapely.box(20, 40, 21, 41))
    )


def test_an_area_lies_wholly_in_the_union_of_its_halves() -> None:
    whole = area("whole", shapely.Polygon([SOUTH, NORTH, EAST]))
    halves = area(
        "halves", shapely.union_all([shapely.Polygon([SOUTH, MIDDLE, EAST]), shapely.Polygon([MIDDLE, NORTH, EAST])])
    )
    world = registry(truce(windows=[[account("a", 0, 100, "halves")]]), areas=(whole, halves))
    got = assess(world, report(location=Location(area="whole")))
    assert (got.verdict, got.findings[0].reasons[0].code) == ("violation", "within_window")


def test_a_small_part_uncovered_along_a_long_edge_is_seen() -> None:
    """0.93 % of the place lies outside: a corner on its long edge must not hide it."""
    whole = shapely.Polygon([(0, 0), (12, 12), (0, 12)])
    part = shapely.difference(whole, shapely.box(-1, 11.5, 0.97, 13))
    assert share(whole, part) == pytest.approx(1 - ground(shapely.box(0, 11.5, 0.97, 12)) / ground(whole), abs=1e-9)
    world = registry(truce(windows=[[account("a", 0, 100, "part")]]), areas=(area("whole", whole), area("part", part)))
    assert assess(world, report(location=Location(area="whole"))).verdict == "undetermined"


def test_a_window_told_to_people_names_an_area_that_its_accounts_cover_by_ground() -> None:
    """99.5 % of the degrees, but 99.9 % of the ground, lie south of 83.6 degrees."""
    world = registry(
        truce(windows=[[account("a", 0, 100, "most"), account("b", 0, 100, "all")]]),
        areas=(area("most", shapely.box(0, 0, 10, 83.6)), area("all", shapely.box(0, 0, 10, 84))),
    )
    one = world.truces["calm"]
    told = WindowSegments(one, world).of(one.windows[0])
    assert [(stretch.area, stretch.disputed) for stretch in told] == [("most", False), ("all", False)]


# --- points


def at_border(lat: float, lon: float, radius_km: float, *areas: Any) -> Assessment:
    world = registry(
        truce(windows=[[account("a", 0, 100, "a0")]]), areas=[area(f"a{n}", one) for n, one in enumerate(areas)]
    )
    return assess(world, report(location=Location(lat=lat, lon=lon, radius_km=radius_km)))


TRIANGLE = shapely.Polygon([(36.1, 33.2), (37.3, 33.9), (36.4, 34.7)])


@given(st.floats(0, 1), st.floats(1e-14, 1e-5), st.integers(0, 2))
def test_a_disc_without_ground_is_judged_like_its_centre(along: float, radius: float, side: int) -> None:
    corners = shapely.get_coordinates(TRIANGLE)
    lon, lat = corners[side] + along * (corners[side + 1] - corners[side])
    inside = bool(shapely.intersects_xy(TRIANGLE, lon, lat))
    assert share(Disc(lat, lon, radius), TRIANGLE) == float(inside)
    assert bool(at_border(lat, lon, radius, TRIANGLE).findings) is inside


def test_the_smallest_disc_on_a_border_is_judged() -> None:
    got = at_border(33.454946460088514, 36.150989292017705, 4.680643521056678e-13, TRIANGLE)
    assert got.verdict in ("violation", "not_covered")


@pytest.mark.parametrize("radius", [1e-13, 1e-5, 1.1e-5, 0.001, 1.0])
@pytest.mark.parametrize("lon", [0.0, 37.0, 180.0, -180.0])
def test_a_disc_at_a_pole_lies_in_what_surrounds_the_pole(radius: float, lon: float) -> None:
    assert at_border(90.0, lon, radius, shapely.box(-180, 80, 180, 90)).verdict == "violation"
    assert at_border(-90.0, lon, radius, shapely.box(-180, -90, 180, -80)).verdict == "violation"
    assert at_border(90.0, lon, radius, shapely.box(-180, 70, 180, 80)).verdict == "not_covered"


@pytest.mark.parametrize(("lon", "west"), [(180.0, -180.0), (-180.0, 179.0)])
def test_a_point_on_the_date_line_lies_on_both_sides(lon: float, west: float) -> None:
    assert share(Disc(10, lon, 1e-6), shapely.box(west, 9, west + 1, 11)) == 1.0
    assert share(Disc(10, lon, 10), shapely.box(west, 9, west + 1, 11)) == pytest.approx(0.5, abs=1e-3)


@given(st.floats(-90, 90), st.floats(-180, 180), st.floats(1e-4, 1000))
def test_an_outline_is_valid_and_holds_the_ground_of_its_disc_anywhere(lat: float, lon: float, radius: float) -> None:
    disc = Disc(lat, lon, radius)
    shape = outline(disc)
    west, south, east, north = shape.bounds
    assert shape.is_valid
    assert -180 <= west <= east <= 180
    assert -90 <= south <= north <= 90
    assert measure(shape) == pytest.approx(4 * math.pi * math.sin(disc.arc / 2) ** 2, rel=5e-4)


def test_presence_and_truces_need_more_than_a_thousandth_of_the_place() -> None:
    whole = shapely.box(0, 0, 1, 1)
    less, more = shapely.box(0, 0, 1, 0.0009), shapely.box(0, 0, 1, 0.0012)
    world = registry(
        truce("less", windows=[[account("a", 0, 100, "less")]]),
        truce("more", windows=[[account("a", 0, 100, "more")]]),
        areas=(area("whole", whole), area("less", less), area("more", more)),
    )
    got = assess(world, report(location=Location(area="whole")))
    assert [finding.truce for finding in got.findings] == ["more"]


@pytest.mark.parametrize("lat", [90.0, -90.0, 89.9999999999, 89.0, 36.2, 0.0])
@pytest.mark.parametrize("radius", [1.1e-5, 1e-3, 1.0])
def test_a_small_disc_is_measured_as_well_at_a_pole_as_elsewhere(lat: float, radius: float) -> None:
    disc = Disc(lat, 38.1, radius)
    assert measure(outline(disc)) == pytest.approx(4 * math.pi * math.sin(disc.arc / 2) ** 2, rel=1e-5)
    # West of a meridian lies half of a disc on it, but of a disc around a pole what the longitudes say.
    west = 218.1 / 360 if abs(lat) > 89.9 else 0.5
    assert share(disc, shapely.box(-180, -90, 38.1, 90)) == pytest.approx(west, abs=1e-2)
