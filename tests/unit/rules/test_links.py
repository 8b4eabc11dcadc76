"""Links between reports of what may be one event. Source: docs/judgement.md, rule 18."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.report import Location, Report, Source
from services.rules.judging.evaluate import Case, Judge, ResolvedReport
from services.rules.judging.geometry import Disc, cut, measure, outline
from services.rules.judging.overlap import share_of_discs
from services.rules.linking.domain.cells import kept_in, looked_into
from services.rules.linking.domain.linking import FoundPairs, KnownProfile, PairLink, decide_links
from services.rules.linking.domain.profile import ReportProfile, profile_of
from services.rules.linking.domain.score import SUGGESTED, are_alike, can_be_linked, score_of
from tests.unit.rules.build import interval, registry, report

JUDGE = Judge(registry())


def resolve(one: Report) -> ResolvedReport:
    return JUDGE.resolve(Case("i1", 1, one))


def profile(one: Report, *, retracted: bool = False) -> ReportProfile:
    return profile_of(one, resolve(one), retracted=retracted)


def score(one: Report, other: Report) -> float:
    return score_of(profile(one), profile(other), JUDGE.overlap)


def linkable(**other: Any) -> bool:
    return can_be_linked(profile(report()), profile(report(**other)))


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("shelling", "shelling", True),
        ("shelling", "mortar", True),  # heavy_weapons
        ("shelling", "small_arms", False),  # all_weapons alone
        ("territorial_gain", "occupation", True),  # territory
        ("overflight", "troop_movement", True),  # presence
        ("protest", "protest", True),
        ("protest", "crime", False),
    ],
)
def test_acts_are_alike_that_are_the_same_or_share_a_group_other_than_all_weapons(
    one: str, other: str, alike: bool
) -> None:
    assert are_alike(one, other) is are_alike(other, one) is alike


@pytest.mark.parametrize(
    ("perpetrators", "may"),
    [
        (("red",), True),
        (("blue",), False),
        ((), True),  # nobody is named
        (("unknown",), True),  # nobody is known
        (("people of whom nothing is known",), True),  # unresolved
        (("grey",), True),  # an umbrella
        (("blue", "grey"), True),
        (("blue", "red"), True),
    ],
)
def test_a_side_may_be_the_same_people_where_one_is_unclear_or_they_share_a_party(
    perpetrators: tuple[str, ...], may: bool
) -> None:
    assert linkable(perpetrators=perpetrators) is may


def test_parties_of_one_coalition_may_be_the_same_people() -> None:
    assert linkable(targets=("navy",))
    assert not linkable(targets=("people",))


@pytest.mark.parametrize("changes", [{"aggregate": True}, {"at": interval(0, 73)}])
def test_an_aggregate_is_never_linked(changes: dict[str, Any]) -> None:
    assert not linkable(**changes)


def test_a_retracted_report_is_never_linked() -> None:
    assert not can_be_linked(profile(report()), profile(report(), retracted=True))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({}, {}, 1.0),
        # Instants half an hour apart, each an hour wide: half of 1.5 hours.
        ({}, {"at": 24.5}, math.sqrt(0.5 / 1.5)),
        ({}, {"at": 25}, 0.0),
        ({"at": interval(0, 24)}, {"at": interval(12, 24)}, math.sqrt(0.5)),
        ({}, {"location": Location(lat=0.5, lon=0.5, radius_km=1.25)}, math.sqrt(0.64)),
        ({}, {"location": Location(lat=0.5, lon=0.6, radius_km=1.0)}, 0.0),
        ({}, {"location": Location(area="city")}, 0.0159),
        ({"location": Location(area="city")}, {"location": Location(area="city")}, 1.0),
        ({"location": Location(area="city")}, {"location": Location(area="suburb")}, 0.0),
        ({"location": Location(area="city")}, {"location": Location(lat=0.5, lon=0.5, radius_km=60)}, 0.914),
        ({"location": Location(place="nowhere")}, {"location": Location(place="nowhere")}, 0.0),
    ],
)
def test_score(one: dict[str, Any], other: dict[str, Any], expected: float) -> None:
    assert score(report(**one), report(**other)) == pytest.approx(expected, abs=0.01)
    assert score(report(**one), report(**other)) == score(report(**other), report(**one))


RADII = st.floats(-4, 2.9).map(lambda power: 10**power)


@st.composite
def near_discs(draw: st.DrawFn) -> tuple[Disc, Disc]:
    """Two discs of like size, the second within about a radius of the first."""
    one = draw(st.builds(Disc, st.floats(-90, 90), st.floats(-180, 180), RADII))
    radius = one.radius_km * draw(st.floats(0.4, 2.5))
    apart = math.degrees(max(one.radius_km, radius) / 6371.0) * 1.2
    lat = max(-90.0, min(90.0, one.lat + draw(st.floats(-1, 1)) * apart))
    wide = apart / max(0.01, math.cos(math.radians(lat)))
    lon = (one.lon + draw(st.floats(-1, 1)) * wide + 180) % 360 - 180
    return one, Disc(lat, lon, min(1000.0, radius))


@given(near_discs())
def test_the_overlap_of_two_discs_is_that_of_their_outlines(discs: tuple[Disc, Disc]) -> None:
    one, other = discs
    if min(one.radius_km, other.radius_km) < 0.01 or max(abs(d.lat) + math.degrees(d.arc) for d in discs) > 80:
        return
    if max(abs(d.lon) + 2 * math.degrees(d.arc) / math.cos(math.radians(80)) for d in discs) > 170:
        return
    shapes = [outline(disc) for disc in discs]
    both = measure(cut(*shapes))
    expected = both / (measure(shapes[0]) + measure(shapes[1]) - both)
    assert share_of_discs(one, other) == pytest.approx(expected, abs=0.005)
    assert share_of_discs(one, other) == pytest.approx(share_of_discs(other, one), abs=1e-6)


HOURS = st.one_of(
    st.integers(0, 96),
    st.tuples(st.integers(0, 48), st.integers(1, 60)).map(lambda t: interval(t[0], t[0] + t[1])),
)


@given(near_discs(), HOURS, HOURS)
def test_every_report_that_scores_enough_is_found_by_its_cells(discs: tuple[Disc, Disc], at: Any, its: Any) -> None:
    one, other = (
        report(at=when, location=Location(lat=disc.lat, lon=disc.lon, radius_km=disc.radius_km))
        for disc, when in zip(discs, (at, its), strict=True)
    )
    assert_found(one, other)


LAND = st.one_of(
    st.sampled_from(["city", "suburb", "province", "abroad"]).map(lambda id: Location(area=id)),
    st.tuples(st.floats(-2, 4), st.floats(-2, 4), st.floats(20, 400)).map(
        lambda t: Location(lat=t[0], lon=t[1], radius_km=t[2])
    ),
)


@given(LAND, LAND)
def test_areas_and_discs_of_like_ground_find_each_other(one: Location, other: Location) -> None:
    assert_found(report(location=one), report(location=other))


def assert_found(one: Report, other: Report) -> None:
    if score(one, other) < SUGGESTED:
        return
    for asking, asked in ((one, other), (other, one)):
        looks = looked_into(profile(asking), resolve(asking).similar)
        kept = kept_in(profile(asked), resolve(asked).similar)
        assert not set(looks).isdisjoint(kept)


def linked_by(*reports: Report, decisions: Any = None) -> dict[Any, PairLink]:
    known = {f"i{n}": KnownProfile(1, profile(one)) for n, one in enumerate(reports)}
    found = FoundPairs(known, {id: set(known) - {id} for id in known}, {}, decisions or {})
    return dict(decide_links(found, JUDGE.overlap).linked)


def test_a_weak_link_is_not_kept_unless_it_was_decided() -> None:
    later = report(at=24.9)
    assert linked_by(report(), later) == {}
    confirmed = linked_by(report(), later, decisions={("i1", "i0"): "confirmed"})
    assert [(link.state, link.is_strong) for link in confirmed.values()] == [("confirmed", True)]


def test_a_cut_link_is_not_strong_whatever_its_score() -> None:
    (link,) = linked_by(report(), report(), decisions={("i0", "i1"): "cut"}).values()
    assert (link.score, link.is_strong) == (1.0, False)


@pytest.mark.parametrize(
    ("source", "independent"),
    [
        (Source("another monitor", "A1"), True),
        (Source("A  Monitor", "A1"), False),  # the same, written in another way
        (Source("another monitor", "A1", quotes=("a monitor",)), False),
        (Source("another monitor", "A1", quotes=("somebody else",)), True),
    ],
)
def test_a_report_corroborates_that_is_of_another_source_and_quotes_nobody_of_theirs(
    source: Source, independent: bool
) -> None:
    (link,) = linked_by(report(), report(source=source)).values()
    assert link.independent is independent
