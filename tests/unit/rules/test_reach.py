"""A change of the registry touches every incident that it makes judged otherwise, and few beside."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.assessments import Assessment
from schemas.causes import Cause
from schemas.report import Location, Occurrence, Report
from services.rules.assessing.domain.reach import reach_of
from services.rules.judging.evaluate import Case, Judge
from services.rules.judging.model import Area, CompiledAlias, CompiledParty, CompiledPlace, CompiledRegistry, Names
from tests.unit.rules.build import account, registry, report, square, truce
from tests.unit.rules.test_properties import (
    HERE,
    IDS,
    entries,
    judged,
    many,
    periods,
    references,
    reports,
    truces,
    worlds,
)

ELSEWHERE = (
    "midan",
    "old town",
    "some brigade",
    "red/blue",
    "Reds (city area)",
    "Reds (Midan)",
    "cell (navy)",
    "newcomer",
)


def plain(one: Assessment) -> Any:
    """Without what differs by version, and without words: they follow from the codes and facts."""

    def wordless(reasons: Any) -> Any:
        return [(reason.code, reason.fact) for reason in reasons]

    findings = [(f.truce, f.outcome, f.certainty, f.window, wordless(f.reasons)) for f in one.findings]
    same = msgspec.structs.replace(one, registry_version=0, cause=Cause(), reasons=(), findings=())
    return same, wordless(one.reasons), findings


PLACE_NAMES = ("unheard of", "Midan", "Old Town", "city area")


@st.composite
def changed_truces(draw: st.DrawFn, world: CompiledRegistry) -> CompiledRegistry:
    """A truce declared, replaced, or taken away."""
    id = draw(st.sampled_from(("t0", "t1", "t9")))
    told = {other: one for other, one in world.truces.items() if other != id}
    if draw(st.booleans()) or not told:
        told[id] = draw(truces(id))
    return replace(world, truces=told)


@st.composite
def changed_windows(draw: st.DrawFn, world: CompiledRegistry) -> CompiledRegistry:
    id = draw(st.sampled_from(sorted(world.truces)))
    kept = draw(st.lists(st.sampled_from(world.truces[id].windows), max_size=2, unique=True))
    other = draw(truces(id)).windows[:1]
    return replace(world, truces={**world.truces, id: replace(world.truces[id], windows=(*kept, *other))})


@st.composite
def changed_parties(draw: st.DrawFn, world: CompiledRegistry) -> CompiledRegistry:
    was = world.parties[draw(st.sampled_from(sorted(world.parties)))]
    now = draw(
        st.one_of(
            st.lists(references.filter(lambda r: r.party != was.id), max_size=2).map(
                lambda refs: replace(was, member_of=tuple(refs))
            ),
            st.builds(
                lambda name, when: replace(was, aliases=(CompiledAlias(name, when),)),
                st.sampled_from(ELSEWHERE),
                periods,
            ),
            st.just(replace(was, umbrella=not was.umbrella)),
            st.just(replace(was, kind="civilians")),
            st.just(replace(was, cannot=frozenset({"shelling"}))),
            st.just(CompiledParty("newcomer", "armed_group", {"en": "Some Brigade"})),
            st.just(CompiledParty("newcomer", "armed_group", {"en": "Midan"})),
        )
    )
    return replace(world, parties={**world.parties, now.id: now})


@st.composite
def changed_areas(draw: st.DrawFn, world: CompiledRegistry) -> CompiledRegistry:
    id = draw(st.sampled_from((*HERE, "abroad", "midan")))
    west, south = draw(st.tuples(st.sampled_from((-1, 0, 1, 6)), st.sampled_from((0, 1))))
    names: Names = {"en": draw(st.sampled_from((f"{id} area", *PLACE_NAMES)))}
    one = Area(id, names, square(west, south, draw(st.sampled_from((0.5, 1, 2)))))
    return replace(world, areas={**world.areas, id: one})


@st.composite
def changed_places(draw: st.DrawFn, world: CompiledRegistry) -> CompiledRegistry:
    names = draw(st.lists(st.sampled_from(PLACE_NAMES), max_size=2, unique=True))
    places = [CompiledPlace(f"p{n}", name, 0.5, 0.5 + 6 * n, 2.0) for n, name in enumerate(names)]
    return replace(world, places={one.id: one for one in places})


def changed(world: CompiledRegistry) -> st.SearchStrategy[CompiledRegistry]:
    """The world after one change, as an operator makes it."""
    return st.one_of(
        changed_truces(world),
        changed_windows(world),
        changed_parties(world),
        changed_areas(world),
        changed_places(world),
        st.lists(entries, max_size=3).map(lambda found: replace(world, presence=tuple(found))),
        st.sampled_from(("UTC", "Asia/Damascus")).map(lambda zone: replace(world, timezone=zone)),
    )


where = st.one_of(
    st.builds(
        lambda lon, lat, radius, area, place: Location(lon=lon, lat=lat, radius_km=radius, area=area, place=place),
        st.sampled_from((0.5, 1.0, 2.5, 6.5)),
        st.sampled_from((0.5, 1.0)),
        st.sampled_from((1.0, 20.0, 200.0)),
        st.sampled_from((None, "city", "midan")),
        st.sampled_from((None, "Midan", "Old Town")),
    ),
    st.builds(lambda place: Location(place=place), st.sampled_from(("unheard of", "Midan", "city area", "Old Town"))),
    st.sampled_from([Location(area=id) for id in (*HERE, "abroad", "midan")]),
)
names = st.lists(st.sampled_from((*IDS, *ELSEWHERE)), max_size=3, unique=True).map(tuple)


@st.composite
def cases(draw: st.DrawFn) -> Report:
    one = draw(reports)
    one = msgspec.structs.replace(one, location=draw(where), perpetrators=draw(names), targets=draw(names))
    if draw(st.booleans()) and draw(st.booleans()):
        one = msgspec.structs.replace(one, occurred=Occurrence(date="2030-03-02"))
    return one


@many
@given(st.data(), worlds(), st.lists(cases(), min_size=1, max_size=6))
def test_what_is_judged_otherwise_after_a_change_was_touched_by_it(
    data: Any, world: CompiledRegistry, several: list[Report]
) -> None:
    other = replace(data.draw(changed(world)), version=world.version + 1)
    reach, judge = reach_of(world, other), Judge(world)
    for one, was, now in zip(several, judged(world, *several), judged(other, *several), strict=True):
        if plain(was) != plain(now):
            assert reach.touches(judge.keys_of([Case("i", 1, one)])[0])


def test_no_change_touches_nothing() -> None:
    assert reach_of(registry(), replace(registry(), version=2)).is_empty


@pytest.mark.parametrize("hours", [1.0, -10.0])
def test_a_window_that_goes_on_from_another_changes_it_for_the_incidents_of_its_first_day(hours: float) -> None:
    """However long ago that was: the stretch that the finding names ends later."""
    first, then = account("a", 0, 240, "city"), account("b", 240, 480, "city")
    world = registry(truce("t0", [[first]]))
    other = registry(truce("t0", [[first], [then]]), version=2)
    one = report(at=hours, location=Location(lon=0.5, lat=0.5, radius_km=1.0))
    (was,), (now,) = judged(world, one), judged(other, one)
    assert (was.verdict, was.findings[0].window) != (now.verdict, now.findings[0].window)
    assert reach_of(world, other).touches(Judge(world).keys_of([Case("i", 1, one)])[0])


def test_a_window_apart_from_another_leaves_the_incidents_of_that_alone() -> None:
    first, then = account("a", 0, 240, "city"), account("b", 480, 720, "city")
    world = registry(truce("t0", [[first]]))
    other = registry(truce("t0", [[first], [then]]), version=2)
    one = report(at=1.0, location=Location(lon=0.5, lat=0.5, radius_km=1.0))
    assert not reach_of(world, other).touches(Judge(world).keys_of([Case("i", 1, one)])[0])
