"""Discs on the globe, and the index on areas."""

import math
from threading import Thread

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from schemas.report import Location
from services.rules.judging.evaluate import Case, Judge
from services.rules.judging.footprint import AreaShape, UnresolvedPlace
from services.rules.judging.geometry import Disc, discs_touch, extent_of, measure, outline
from services.rules.judging.index import AreaIndex
from tests.unit.rules.build import AREAS, area, assess, registry, report, square, truce

EARTH_KM = 6371.0088
points = st.tuples(st.floats(-80, 80), st.floats(-179, 179))


@given(points, st.floats(0.1, 1000))
def test_an_outline_holds_as_much_ground_as_its_disc(point: tuple[float, float], radius: float) -> None:
    lat, lon = point
    shape = outline(Disc(lat, lon, radius))
    assert shape.is_valid
    assert measure(shape) == pytest.approx(2 * math.pi * (1 - math.cos(radius / EARTH_KM)), rel=1e-4)


@given(points, st.floats(0.1, 1000))
def test_an_extent_holds_all_of_a_plain_disc(point: tuple[float, float], radius: float) -> None:
    disc = Disc(*point, radius)
    extent = extent_of(disc)
    if not extent.plain:
        return
    lon, lat = shapely.get_coordinates(outline(disc)).T
    assert np.hypot(lon - disc.lon, lat - disc.lat).max() <= extent.clearance
    assert np.abs(lon - disc.lon).max() <= extent.lon * 1.001
    assert np.abs(lat - disc.lat).max() <= extent.lat * 1.001


def test_a_degree_of_the_equator_is_about_111_km() -> None:
    assert extent_of(Disc(0, 0, 111.195)).lat == pytest.approx(1, rel=1e-4)
    assert extent_of(Disc(60, 0, 111.195)).lon == pytest.approx(2, rel=1e-3)


@pytest.mark.parametrize(
    ("one", "other", "touch"),
    [
        (Disc(0, 0, 60), Disc(0, 1, 52), True),
        (Disc(0, 0, 60), Disc(0, 1, 51), False),
        (Disc(0, 179.9, 15), Disc(0, -179.9, 10), True),
        (Disc(89, 0, 120), Disc(89, 180, 120), True),
        (Disc(60, 0, 55.7), Disc(60, 2, 55.7), True),
    ],
)
def test_discs_touch_along_the_globe(one: Disc, other: Disc, touch: bool) -> None:
    assert discs_touch(one, other) is touch
    assert discs_touch(other, one) is touch


def test_shares_are_of_true_ground_and_not_of_degrees() -> None:
    north, everything = shapely.box(0, 60, 10, 84), shapely.box(0, 0, 10, 84)
    world = AreaIndex({"north": area("north", north), "all": area("all", everything)})
    (footprint,) = world.footprints([AreaShape(1)])
    expected = (math.sin(math.radians(84)) - math.sin(math.radians(60))) / math.sin(math.radians(84))
    assert footprint.share(0) == pytest.approx(expected, rel=1e-6)
    assert footprint.share(1) == 1.0


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3)), min_size=1, max_size=30))
def test_the_index_finds_the_areas_that_hold_each_point(several: list[tuple[float, float]]) -> None:
    areas = {f"a{n}": area(f"a{n}", square(n % 3, n // 3, 1.3)) for n in range(9)}
    lons, lats = np.array(several).T
    pairs = set(zip(*(found.tolist() for found in AreaIndex(areas).holding(lons, lats)), strict=True))
    slow = {
        (p, n)
        for p, (lon, lat) in enumerate(several)
        for n, one in enumerate(areas.values())
        if one.geometry.intersects(shapely.Point(lon, lat))
    }
    assert pairs == slow


def test_regions_are_unions_of_what_areas_have_in_common() -> None:
    areas = {f"a{n}": area(f"a{n}", square(n, 0, 1.5)) for n in range(3)}
    footprint, nowhere = AreaIndex(areas).footprints([AreaShape(1), UnresolvedPlace()])
    assert footprint.share_of(frozenset()) == 0.0
    assert footprint.share_of(frozenset({frozenset({1}), frozenset({0, 2})})) == 1.0
    assert footprint.share_of(frozenset({frozenset({0}), frozenset({2})})) == pytest.approx(2 / 3, rel=1e-3)
    assert footprint.share_of(frozenset({frozenset({0, 1})})) == pytest.approx(1 / 3, rel=1e-3)
    assert footprint.share_of(frozenset({frozenset({0, 2})})) == 0.0
    assert (nowhere.share_of(frozenset()), nowhere.share_of(frozenset({frozenset({0})}))) == (0.0, 0.5)


def test_equal_places_share_what_was_measured() -> None:
    world = AreaIndex({"a": area("a", square(0, 0, 1))})
    one, other, third = world.footprints([Disc(0.5, 0.5, 1), Disc(0.5, 0.5, 1), Disc(0.5, 0.5, 2)])
    assert one is other
    assert one is not third


def test_several_threads_may_ask_one_judge() -> None:
    jagged = shapely.Polygon([(math.cos(n / 500) * (1 + n % 2 / 9), math.sin(n / 500)) for n in range(3141)])
    others = [one for one in AREAS if one.id != "city"]
    judge = Judge(registry(areas=(area("city", jagged), *others)))
    cases = [
        Case(f"i{n}", 1, report(location=Location(lat=n / 300, lon=n / 500, radius_km=1 + n % 7))) for n in range(300)
    ]
    expected = Judge(judge.registry).assess(cases, 0)
    got: list[bool] = []

    def ask() -> None:
        for first in range(0, 300, 30):
            part = judge.assess(cases[first : first + 30], 0)
            got.append(part == expected[first : first + 30])

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [True] * 40


def test_a_thousand_truces_on_one_place_are_all_found() -> None:
    world = registry(*(truce(f"t{n}") for n in range(1000)))
    assert [f.truce for f in assess(world, report()).findings] == [f"t{n}" for n in range(1000)]
