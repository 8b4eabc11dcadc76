"""Time and place: half-open windows, stretches, disputes, discs, areas, names of places."""

from math import acos, pi, sqrt
from typing import Any

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from schemas.instants import format_instant
from schemas.report import Location, Occurrence
from services.rules.judging.evaluate import Judge
from services.rules.judging.model import Account, CompiledPlace, CompiledRegistry
from services.rules.judging.names import normalise
from tests.unit.rules.build import (
    AREAS,
    account,
    area,
    assess,
    codes,
    fact,
    finding,
    hour,
    interval,
    registry,
    report,
    square,
    truce,
)

CITY = Location(area="city")
#: Half of it lies in the city, half in the suburb.
BOTH = Location(lat=0.5, lon=1.0, radius_km=5)


# --- windows


@pytest.mark.parametrize(
    ("at", "outcome"), [(-0.001, "not_covered"), (0, "violation"), (239.999, "violation"), (240, "not_covered")]
)
def test_windows_are_half_open(at: float, outcome: str) -> None:
    assert finding(registry(), report(at=at)).outcome == outcome


@pytest.mark.parametrize(
    ("start", "end", "outcome", "code"),
    [
        (0, 10, "violation", "within_window"),
        (230, 240, "violation", "within_window"),
        (230, 240.001, "undetermined", "time_straddles_window"),
        (-0.001, 10, "undetermined", "time_straddles_window"),
        (240, 250, "not_covered", "outside_window"),
        (-10, 0, "not_covered", "outside_window"),
    ],
)
def test_an_interval_counts_only_if_wholly_inside(start: float, end: float, outcome: str, code: str) -> None:
    got = finding(registry(), report(at=interval(start, end)))
    assert (got.outcome, codes(got)[0]) == (outcome, code)


@given(st.integers(0, 20), st.integers(0, 10), st.integers(-1, 40), st.integers(0, 12))
def test_edges_are_half_open_everywhere(start: int, length: int, at: int, lasting: int) -> None:
    world = registry(truce(windows=[[account("a", start, start + length + 1)]]))
    moments = range(at, at + max(lasting, 1))
    inside = [start <= moment < start + length + 1 for moment in moments]
    got = finding(world, report(at=interval(at, at + lasting)))
    expected = "violation" if all(inside) else "undetermined" if any(inside) else "not_covered"
    assert got.outcome == expected


def test_a_truce_far_in_time_has_no_finding() -> None:
    world = registry(truce(windows=[[account("a", 100, 200)]]))
    assert codes(assess(world, report(at=27.999))) == ["outside_every_window"]
    assert [f.outcome for f in assess(world, report(at=28)).findings] == ["not_covered"]
    assert [f.outcome for f in assess(world, report(at=271.999)).findings] == ["not_covered"]
    assert codes(assess(world, report(at=272))) == ["outside_every_window"]


def test_nearness_is_taken_from_both_ends_of_the_incident() -> None:
    world = registry(truce(windows=[[account("a", 100, 200)]]))
    assert assess(world, report(at=interval(0, 28))).findings
    assert assess(world, report(at=interval(271, 300))).findings
    assert not assess(world, report(at=interval(272, 300))).findings


def test_a_place_that_no_window_ever_touched_is_outside_every_area() -> None:
    got = assess(registry(), report(location=Location(lat=50, lon=50)))
    assert (got.verdict, got.certainty, codes(got), got.findings) == ("not_covered", None, ["outside_every_area"], ())


def test_a_world_without_truces_or_areas_covers_nothing() -> None:
    empty = CompiledRegistry(1, "UTC")
    assert codes(assess(empty, report(perpetrators=(), targets=()))) == ["outside_every_area"]
    assert codes(assess(empty, report(perpetrators=(), targets=(), location=CITY))) == ["outside_every_area"]
    assert Judge(empty).assess([], now=0) == []


def test_gaps_are_never_bridged() -> None:
    world = registry(truce(windows=[[account("a", 0, 10)], [account("b", 11, 20)]]))
    assert finding(world, report(at=10.5)).outcome == "not_covered"
    assert finding(world, report(at=interval(9, 12))).outcome == "undetermined"


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 12)), min_size=1, max_size=5), st.integers(0, 72))
def test_no_moment_between_windows_is_covered(windows: list[tuple[int, int]], at: int) -> None:
    told = [[account(f"a{n}", start, start + length)] for n, (start, length) in enumerate(sorted(windows))]
    got = finding(registry(truce(windows=told)), report(at=at))
    covered = any(start <= at < start + length for start, length in windows)
    assert got.outcome == ("violation" if covered else "not_covered")


def test_abutting_windows_count_as_one() -> None:
    world = registry(truce(windows=[[account("a", 0, 10)], [account("b", 10, 20)]]))
    got = finding(world, report(at=interval(5, 15)))
    assert (got.outcome, got.window.announcements) == ("violation", ("a", "b"))
    assert (got.window.start, got.window.end) == (format_instant(hour(0)), format_instant(hour(20)))


def test_abutting_windows_hold_what_lies_in_both_and_leave_a_gap_where_one_ends() -> None:
    """Each moment is asked of the windows then in force, wherever their areas lie."""
    world = registry(truce(windows=[[account("a", 0, 10)], [account("b", 10, 20, "suburb")]]))
    day = interval(5, 15)
    across = finding(world, report(at=day, location=Location(lat=0.5, lon=1.0, radius_km=1.0)))
    assert (across.outcome, codes(across)) == ("undetermined", ["place_too_coarse"])
    assert across.window.announcements == ("a", "b")
    for lon, accounts in ((0.5, ("a",)), (1.5, ("b",))):
        within = finding(world, report(at=day, location=Location(lat=0.5, lon=lon, radius_km=1.0)))
        assert (within.outcome, codes(within)) == ("undetermined", ["time_straddles_window"])
        assert within.window.announcements == accounts


def test_an_account_with_no_time_covers_nothing_and_is_near_nothing() -> None:
    world = registry(truce(windows=[[account("a", 0, 10), account("b", 20, 20)]]))
    assert finding(world, report(at=20)).outcome == "not_covered"
    assert codes(assess(world, report(at=90))) == ["outside_every_window"]


def test_an_open_window_has_no_end() -> None:
    world = registry(truce(windows=[[account("a", 0, None)]]))
    got = finding(world, report(at=9_000))
    assert (got.outcome, got.window.end) == ("violation", None)


def test_the_nearest_window_is_named_where_none_applies() -> None:
    world = registry(truce(windows=[[account("a", 0, 10)], [account("b", 30, 40)], [account("c", 90, 99)]]))
    assert finding(world, report(at=15)).window.announcements == ("a",)
    assert finding(world, report(at=25.1)).window.announcements == ("b",)
    assert finding(world, report(at=20)).window.announcements == ("a",)


def test_elsewhere_at_that_time_is_outside_area() -> None:
    world = registry(truce(windows=[[account("a", 0, 10)], [account("b", 10, 20, area="suburb")]]))
    got = finding(world, report(at=15))
    assert (got.outcome, codes(got)) == ("not_covered", ["outside_area"])
    assert fact(got, "outside_area") == {"truce": "calm", "areas": ["suburb"]}
    assert got.window.announcements == ("a",)


def test_the_end_of_a_local_truce_does_not_end_the_one_beneath() -> None:
    world = registry(
        truce("local", windows=[[account("a", 0, 10)]]), truce("wide", [[account("b", 0, None, "province")]])
    )
    got = assess(world, report(at=12))
    assert {f.truce: f.outcome for f in got.findings} == {"local": "not_covered", "wide": "violation"}
    assert got.verdict == "violation"


# --- time of the report


def test_a_date_is_a_whole_local_day() -> None:
    world = registry(timezone="Asia/Damascus")
    assert assess(world, report(at=Occurrence(date="2016-02-27"))).occurred.start == "2016-02-26T22:00:00Z"
    spring = assess(world, report(at=Occurrence(date="2016-03-25"))).occurred
    assert (spring.start, spring.end) == ("2016-03-24T22:00:00Z", "2016-03-25T21:00:00Z")


def test_more_than_72_hours_is_an_aggregate() -> None:
    assert not assess(registry(), report(at=interval(0, 72))).aggregate
    longer = assess(registry(), report(at=interval(0, 72.001)))
    assert longer.aggregate
    assert longer.verdict == "undetermined"
    assert fact(longer.findings[0], "aggregate") == {"cause": "long", "hours": 73, "limit": 72}


@pytest.mark.parametrize(
    "fields",
    [{}, {"act": "protest"}, {"perpetrators": ("black",)}, {"targets": ("black",)}, {"targets": ("green",)}],
    ids=["violation", "act", "excluded", "target", "no duty"],
)
def test_an_aggregate_is_undetermined_wherever_a_window_was_in_force(fields: dict[str, Any]) -> None:
    got = finding(registry(), report(aggregate=True, **fields))
    assert (got.outcome, got.certainty, codes(got)[0]) == ("undetermined", "Unknown", "aggregate")


def test_an_aggregate_where_no_window_was_in_force_is_not_covered() -> None:
    assert finding(registry(), report(aggregate=True, at=241)).outcome == "not_covered"
    assert assess(registry(), report(aggregate=True, location=Location(lat=50, lon=50))).verdict == "not_covered"


def test_an_aggregate_tells_every_other_doubt_too() -> None:
    got = finding(
        registry(), report(aggregate=True, at=interval(200, 250), location=BOTH, perpetrators=("red", "black"))
    )
    assert codes(got) == ["aggregate", "time_straddles_window", "place_too_coarse", "contested_attribution"]


# --- disputes


def disputed(*accounts: Account, **fields: Any) -> Any:
    return registry(truce(windows=[list(accounts)], **fields))


def test_a_time_that_one_account_leaves_out_is_disputed() -> None:
    world = disputed(account("army", 10, 20), account("guarantor", 0, 20))
    early, late = finding(world, report(at=5)), finding(world, report(at=15))
    assert (early.outcome, early.certainty) == ("violation", "Possible")
    assert fact(early, "window_disputed")["announcements"] == ["guarantor"]
    assert (early.window.disputed, early.window.announcements) == (True, ("guarantor",))
    assert (early.window.start, early.window.end) == (format_instant(hour(0)), format_instant(hour(10)))
    assert (late.certainty, late.window.disputed) == ("Observed", False)
    assert late.window.announcements == ("army", "guarantor")


def test_an_area_that_one_account_leaves_out_is_disputed() -> None:
    world = disputed(account("army", 0, 20), account("guarantor", 0, 20, area="province"))
    inside, around = finding(world, report(at=5)), finding(world, report(at=5, location=Location(lat=2, lon=2)))
    assert (inside.certainty, inside.window.disputed, inside.window.area) == ("Observed", False, "city")
    assert (around.certainty, around.window.disputed, around.window.area) == ("Possible", True, "province")
    assert around.window.announcements == ("guarantor",)


def test_a_dispute_at_any_moment_counts() -> None:
    world = disputed(account("army", 10, 20), account("guarantor", 0, 20))
    got = finding(world, report(at=interval(5, 15)))
    assert (got.outcome, got.certainty, "window_disputed" in codes(got)) == ("violation", "Possible", True)
    assert got.window.end == format_instant(hour(10))


def test_a_dispute_that_touches_a_thousandth_of_the_place_or_less_does_not_count() -> None:
    wide = area("wide", square(-0.0001, -1, 3))
    world = registry(truce(windows=[[account("a", 0, 20, "wide"), account("b", 0, 20, "city")]]), areas=(*AREAS, wide))
    at_edge = Location(lat=0.5, lon=0.0445, radius_km=5)
    assert finding(world, report(at=5, location=at_edge)).certainty == "Observed"


def test_another_window_with_all_its_accounts_settles_a_dispute() -> None:
    world = registry(truce(windows=[[account("a", 0, 10), account("b", 5, 20)], [account("c", 12, 30)]]))
    assert finding(world, report(at=11)).window.disputed
    settled = finding(world, report(at=13)).window
    assert (settled.disputed, settled.announcements) == (False, ("c",))
    assert (settled.start, settled.end) == (format_instant(hour(12)), format_instant(hour(30)))


def test_an_account_left_with_no_time_disputes_its_window() -> None:
    world = disputed(account("a", 0, 10), account("b", 5, 5))
    got = finding(world, report(at=2))
    assert (got.outcome, got.window.disputed, got.window.announcements) == ("violation", True, ("a",))


def test_undetermined_is_not_called_disputed() -> None:
    world = disputed(account("army", 10, 20), account("guarantor", 0, 20))
    assert codes(finding(world, report(at=interval(-5, 5)))) == ["time_straddles_window"]


# --- discs and areas


def east_of_edge(share_outside: float, radius_km: float = 10) -> Location:
    """A disc on the city's western edge with that share of its ground beyond it."""
    reach = radius_km / 111.195
    low, high = -1.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _cap(middle) > share_outside else (low, middle)
    return Location(lat=0.5, lon=low * reach, radius_km=radius_km)


def _cap(distance: float) -> float:
    """The share of a unit disc beyond a line at that distance from its centre."""
    return (acos(distance) - distance * sqrt(1 - distance * distance)) / pi


@pytest.mark.parametrize(
    ("outside", "outcome", "code"),
    [
        (0.0009, "violation", "within_window"),
        (0.0011, "undetermined", "place_too_coarse"),
        (0.5, "undetermined", "place_too_coarse"),
        (0.9989, "undetermined", "place_too_coarse"),
    ],
)
def test_99_9_per_cent_inside_is_inside(outside: float, outcome: str, code: str) -> None:
    got = finding(registry(), report(location=east_of_edge(outside)))
    assert (got.outcome, codes(got)[0]) == (outcome, code)


def test_at_most_0_1_per_cent_inside_is_outside() -> None:
    got = assess(registry(), report(location=east_of_edge(0.9991)))
    assert (got.verdict, got.findings, codes(got)) == ("not_covered", (), ["outside_every_area"])


def test_a_disc_that_does_not_touch_the_area_gets_no_finding() -> None:
    assert assess(registry(), report(location=Location(lat=0.5, lon=-0.1, radius_km=11))).findings == ()
    assert assess(registry(), report(location=Location(lat=0.5, lon=-0.1, radius_km=11.5))).findings != ()


def test_the_radius_is_100_metres_where_none_is_given() -> None:
    got = assess(registry(), report(location=Location(lat=0.5, lon=0.5)))
    assert got.place.radius_km == 0.1


def test_two_areas_in_force_together_hold_what_lies_across_their_border() -> None:
    world = registry(truce(windows=[[account("a", 0, 20)], [account("b", 0, 20, "suburb")]]))
    got = finding(world, report(at=5, location=BOTH))
    assert (got.outcome, got.window.announcements, got.window.area) == ("violation", ("a", "b"), "city")


def test_half_in_the_area_is_too_coarse() -> None:
    got = finding(registry(), report(location=BOTH))
    assert fact(got, "place_too_coarse") == {"truce": "calm", "area": "city", "share": 0.5}


def test_inside_at_first_and_partly_later_is_too_coarse() -> None:
    world = registry(truce(windows=[[account("a", 0, 10, "province")], [account("b", 10, 20)]]))
    got = finding(world, report(at=interval(5, 15), location=BOTH))
    assert (got.outcome, codes(got)) == ("undetermined", ["place_too_coarse"])


def test_a_province_proves_nothing_about_a_city() -> None:
    assert finding(registry(), report(location=Location(area="province"))).outcome == "undetermined"


def test_a_named_area_lies_wholly_in_itself_and_in_what_holds_it() -> None:
    world = registry(truce(), truce("wide", [[account("a", 0, 240, "province")]]))
    got = assess(world, report(location=CITY))
    assert {f.truce: f.outcome for f in got.findings} == {"calm": "violation", "wide": "violation"}
    assert (got.place.area, got.place.lat) == ("city", None)


def test_areas_that_share_a_border_hold_nothing_of_each_other() -> None:
    assert assess(registry(), report(location=Location(area="suburb"))).findings == ()


def test_a_union_may_have_several_parts_and_holes() -> None:
    ring = shapely.difference(square(0, 0, 1), shapely.box(0.4, 0.4, 0.6, 0.6))
    parts = shapely.union_all([ring, square(5, 5, 1)])
    world = registry(areas=(area("city", parts), *AREAS[1:]))
    assert assess(world, report(location=Location(lat=0.5, lon=0.5, radius_km=5))).findings == ()
    assert finding(world, report(location=Location(lat=5.5, lon=5.5, radius_km=5))).outcome == "violation"
    assert finding(world, report(location=Location(lat=0.5, lon=0.4, radius_km=5))).outcome == "undetermined"


# --- which place is meant

TOWNS = (
    CompiledPlace("p1", "Old Town", 0.5, 0.5, 2.0, aliases=("البلدة القديمة",)),
    CompiledPlace("p2", "Twin", 0.5, 0.5, 2.0),
    CompiledPlace("p3", "Twin", 10.0, 10.0, 2.0),
    CompiledPlace("p4", "City Area", 50.0, 50.0, 2.0),
    CompiledPlace("p5", "Far Town", 50.0, 50.0, 2.0),
)
MAP = registry(places=TOWNS)


def test_the_point_decides_then_the_area_then_the_name() -> None:
    everything = Location(lat=0.5, lon=0.5, area="abroad", place="Far Town")
    assert assess(MAP, report(location=everything)).place.lat == 0.5
    assert assess(MAP, report(location=Location(area="abroad", place="Far Town"))).place.area == "abroad"
    assert assess(MAP, report(location=Location(place="Far Town"))).place.lat == 50.0


def test_a_place_name_is_found_whole_in_any_language() -> None:
    found = assess(MAP, report(location=Location(place="The old-town"))).place
    assert (found.name, found.lat, found.lon, found.radius_km, found.area) == ("The old-town", 0.5, 0.5, 2.0, None)
    assert assess(MAP, report(location=Location(place="بلدة قديمة"))).place.lat == 0.5
    assert assess(MAP, report(location=Location(place="Old"))).place.lat is None


def test_area_names_come_before_the_gazetteer() -> None:
    assert assess(MAP, report(location=Location(place="city area"))).place.area == "city"
    assert assess(MAP, report(location=Location(place="منطقة city"))).place.area == "city"


@pytest.mark.parametrize(
    ("location", "candidates"),
    [(Location(place="Nowhere Town"), []), (Location(place="Twin"), ["p2", "p3"]), (Location(area="unheard"), [])],
    ids=["unknown", "ambiguous", "unknown area"],
)
def test_an_unresolved_place_is_partly_inside_every_area(location: Location, candidates: list[str]) -> None:
    world = registry(truce(), truce("far", [[account("a", 0, 240, "abroad")]]), places=TOWNS)
    got = assess(world, report(location=location))
    assert {f.truce: (f.outcome, f.certainty) for f in got.findings} == {
        "calm": ("undetermined", "Unknown"), "far": ("undetermined", "Unknown"),
    }  # fmt: skip
    assert codes(got.findings[0]) == ["place_unresolved"]
    assert fact(got.findings[0], "place_unresolved")["candidates"] == candidates
    assert (got.place.lat, got.place.area, got.place.name) == (None, None, location.place or location.area)


def test_an_unresolved_place_does_not_save_what_fails_outright() -> None:
    nowhere = Location(place="Nowhere Town")
    assert finding(MAP, report(location=nowhere, act="protest")).outcome == "not_covered"
    assert finding(MAP, report(location=nowhere, at=250)).outcome == "not_covered"
    assert codes(assess(MAP, report(location=nowhere, at=2500))) == ["outside_every_window"]


def test_an_unknown_area_leaves_the_decision_to_the_name() -> None:
    assert assess(MAP, report(location=Location(area="unheard", place="Old Town"))).place.lat == 0.5


@pytest.mark.parametrize(
    ("location", "given"),
    [
        (Location(lat=0.5, lon=0.5, area="abroad"), ["point", "area"]),
        (Location(lat=0.5, lon=0.5, place="Far Town"), ["point", "place"]),
        (Location(area="city", place="Far Town"), ["area", "place"]),
        (Location(area="city", place="abroad area"), ["area", "place"]),
        (Location(lat=0.5, lon=0.5, area="city", place="Far Town"), ["point", "area", "place"]),
    ],
)
def test_shapes_that_do_not_touch_disagree(location: Location, given: list[str]) -> None:
    got = assess(MAP, report(location=location))
    assert fact(got, "place_disagreement") == {"by": given[0], "given": given}


@pytest.mark.parametrize(
    "location",
    [
        Location(lat=0.5, lon=0.5, area="city", place="Old Town"),
        Location(lat=0.53, lon=0.5, radius_km=2, place="Old Town"),
        Location(lat=0.5, lon=-0.05, radius_km=10, area="city"),
        Location(area="city", place="suburb area"),
        Location(lat=0.5, lon=0.5, place="Nowhere Town"),
        Location(lat=0.5, lon=0.5, place="Twin"),
        Location(lat=0.5, lon=0.5, area="unheard"),
    ],
)
def test_shapes_that_touch_or_are_unknown_do_not_disagree(location: Location) -> None:
    assert "place_disagreement" not in codes(assess(MAP, report(location=location)))


def test_the_areas_of_a_place_are_those_that_hold_any_of_it() -> None:
    judge = Judge(MAP)
    assert judge.areas_of(assess(MAP, report(location=BOTH)).place) == ("city", "suburb", "province")
    assert judge.areas_of(assess(MAP, report(location=CITY)).place) == ("city", "province")
    assert judge.areas_of(assess(MAP, report(location=Location(place="Nowhere Town"))).place) == ()


def test_names_that_normalise_to_nothing_match_nothing() -> None:
    assert normalise("The") == ""
    assert assess(MAP, report(location=Location(place="The"))).place.lat is None


# --- discs


@given(
    st.floats(-0.3, 1.3),
    st.floats(-0.3, 1.3),
    st.floats(0.2, 3),
    st.floats(1.0, 31.0),
    st.sampled_from(["convex", "hole"]),
)
def test_a_wider_disc_never_turns_outside_into_inside(
    lon: float, lat: float, radius: float, factor: float, kind: str
) -> None:
    """The part outside stays part of the wider disc. It is less than 0.1 % of one more than 31.6 times as wide: so
    wide a disc may well lie inside around a small hole, and the rule says so. Up to there it holds for every area."""
    shape = square(0, 0, 1)
    if kind == "hole":
        shape = shapely.difference(shape, shapely.box(0.49, 0.49, 0.51, 0.51))
    _check_widening(shape, lon, lat, radius, min(radius * factor, 900))


@given(st.floats(-0.3, 1.3), st.floats(-0.3, 1.3), st.floats(0.1, 5), st.floats(5, 900))
def test_around_a_convex_area_that_holds_for_any_width(lon: float, lat: float, radius: float, wider: float) -> None:
    _check_widening(square(0, 0, 1), lon, lat, radius, wider)


def _check_widening(shape: Any, lon: float, lat: float, radius: float, wider: float) -> None:
    judge = registry(areas=(area("city", shape), *AREAS[1:]))

    def outcome(radius_km: float) -> str | None:
        found = assess(judge, report(location=Location(lat=lat, lon=lon, radius_km=radius_km))).findings
        return found[0].outcome if found else None

    if outcome(radius) in (None, "not_covered"):
        assert outcome(wider) != "violation"


@pytest.mark.parametrize("lon", [179.97, -179.97, 180.0, -180.0])
def test_a_disc_across_the_date_line_is_whole(lon: float) -> None:
    both = shapely.union_all([shapely.box(179, -1, 180, 1), shapely.box(-180, -1, -179, 1)])
    world = registry(areas=(area("city", both), *AREAS[1:]))
    assert finding(world, report(location=Location(lat=0, lon=lon, radius_km=10))).outcome == "violation"
    half = registry(areas=(area("city", shapely.box(179, -1, 180, 1)), *AREAS[1:]))
    assert finding(half, report(location=Location(lat=0, lon=lon, radius_km=10))).outcome == "undetermined"


@pytest.mark.parametrize("lat", [89.99, -89.99, 88, 90])
def test_a_disc_over_a_pole_is_whole(lat: float) -> None:
    cap = shapely.box(-180, 80, 180, 90) if lat > 0 else shapely.box(-180, -90, 180, -80)
    world = registry(areas=(area("city", cap), *AREAS[1:]))
    assert finding(world, report(location=Location(lat=lat, lon=10, radius_km=300))).outcome == "violation"
    assert finding(world, report(location=Location(lat=lat, lon=10, radius_km=1000))).outcome in (
        "violation", "undetermined",
    )  # fmt: skip
