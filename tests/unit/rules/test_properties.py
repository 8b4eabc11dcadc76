"""Properties of every world and every report."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import assume, given, seed, settings
from hypothesis import strategies as st

from schemas.assessments import Assessment, Finding
from schemas.report import Location, Report
from services.rules.judging import index
from services.rules.judging.evaluate import Case, Judge
from services.rules.judging.model import (
    ALWAYS,
    CompiledDuty,
    CompiledParty,
    CompiledPresence,
    CompiledRegistry,
    CompiledTruce,
    PartyRef,
    Period,
)
from tests.examples import examples
from tests.unit.rules.build import AREAS, PARTIES, account, hour, interval, party, presence, registry, report, truce
from tests.unit.rules.naive import Slow

ACTS = ("shelling", "airstrike", "territorial_gain", "protest")
IDS = ("red", "blue", "navy", "black", "grey", "green", "people", "cell")
NAMES = (*IDS, "Some Brigade")
HERE = ("city", "suburb", "province")

Made = TypeVar("Made")
#: One draw for what is chosen of several lists: of fewer draws an example is made many times as fast.
LARGEST = 2**24


def chosen(make: Callable[..., Made], *lists: Sequence[Any]) -> st.SearchStrategy[Made]:
    """``make`` of one element of each list, every choice as likely as the others."""
    total = math.prod(map(len, lists))
    assert total < LARGEST, "larger numbers are not drawn evenly"

    def pick(number: int) -> Made:
        picked = []
        for one in lists:
            number, place = divmod(number, len(one))
            picked.append(one[place])
        return make(*picked)

    return st.integers(0, total - 1).map(pick)


def evenly(*lists: Sequence[Any]) -> list[Any]:
    """All of them in one list, each with about the same weight."""
    longest = max(map(len, lists))
    return [one for some in lists for one in list(some) * (longest // len(some))]


TIMES = range(0, 130, 10)
PERIODS = evenly([ALWAYS], [Period(hour(a), hour(a + n)) for a in TIMES for n in TIMES[1:]])
periods = st.sampled_from(PERIODS)
references = chosen(PartyRef, IDS, PERIODS)
sides = st.one_of(st.none(), st.lists(references, min_size=1, max_size=4).map(tuple))
SETS_OF_ACTS = [frozenset({"shelling", *some}) for n in range(5) for some in itertools.combinations(ACTS, n)]
duties = st.builds(CompiledDuty, sides, sides, st.sampled_from(SETS_OF_ACTS))
accounts = chosen(
    lambda start, lasts, where: (start, None if lasts is None else start + lasts, where),
    TIMES,
    evenly([None], TIMES),
    HERE,
)


@st.composite
def truces(draw: st.DrawFn, id: str) -> CompiledTruce:
    windows = draw(st.lists(st.lists(accounts, min_size=1, max_size=3), min_size=1, max_size=3))
    told = [
        [account(f"w{n}a{m}", start, end, where) for m, (start, end, where) in enumerate(window)]
        for n, window in enumerate(windows)
    ]
    return truce(
        id,
        told,
        duties=tuple(draw(st.lists(duties, min_size=1, max_size=3))),
        exclusions=tuple(draw(st.lists(references, max_size=2))),
    )


entries = chosen(presence, IDS, HERE, ("present", "held"), PERIODS)


@st.composite
def worlds(draw: st.DrawFn) -> CompiledRegistry:
    cell = party("cell", member_of=tuple(draw(st.lists(references.filter(lambda r: r.party != "cell"), max_size=2))))
    told = [draw(truces(f"t{n}")) for n in range(draw(st.integers(1, 3)))]
    return registry(*told, parties=(*PARTIES, cell), presence=tuple(draw(st.lists(entries, max_size=3))))


#: Wholly inside, wholly outside or well across the edges: far from the thresholds that have tests of their own.
LOCATIONS = evenly(
    [
        Location(lon=lon, lat=lat, radius_km=radius)
        for lon in (0.5, 1.0, 1.5, 2.5, 7.0)
        for lat in (0.5, 1.0)
        for radius in (1.0, 20.0, 200.0)
    ],
    [Location(area=id) for id in (*HERE, "abroad")],
    [Location(place="unheard of")],
)
NOBODY, ONE, TWO, THREE = (list(itertools.permutations(NAMES, n)) for n in range(4))
named = st.sampled_from(evenly(NOBODY, ONE, TWO, THREE))
OCCASIONS = evenly([n / 2 for n in range(261)], [interval(a, a + n) for a in TIMES for n in (0, 5, 10, 30, 72, 80)])
CLAIMS = [
    some for n in range(3) for some in itertools.product(("self_defence", "aimed_at_excluded", "accident"), repeat=n)
]
accused = chosen(
    lambda act, grade, claims, many: {"act": act, "grade": grade, "claims": claims, "aggregate": many},
    ("shelling", *ACTS),
    ("A1", "C3", "D4", "E5", None),
    CLAIMS,
    (False, False, False, True),
)
reports = st.builds(
    lambda when, doers, hit, more: report(**when, perpetrators=doers, targets=hit, **more),
    chosen(lambda at, where: {"at": at, "location": where}, OCCASIONS, LOCATIONS),
    named,
    named,
    accused,
)
many = examples(120)


def judged(world: CompiledRegistry, *all: Report, now: int = 0) -> list[Assessment]:
    return Judge(world).assess([Case(f"i{n}", 1, one) for n, one in enumerate(all)], now)


def told(found: Finding) -> Any:
    window = found.window
    codes = frozenset(reason.code for reason in found.reasons)
    return (
        found.outcome, found.certainty, window.start, window.end, window.disputed, window.area, window.announcements,
        codes,
    )  # fmt: skip


@many
@given(worlds(), st.lists(reports, min_size=1, max_size=5))
def test_the_index_and_the_batch_give_what_the_slow_way_gives(world: CompiledRegistry, several: list[Report]) -> None:
    one_by_one = judged(world, *several)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "_FEW", -1)
        assert judged(world, *several) == one_by_one, "whether by arrays or without"
    for got, one in zip(one_by_one, several, strict=True):
        slow = Slow(world, one)
        expected = {id: slow.finding(truce) for id, truce in world.truces.items()}
        assert {f.truce: told(f) for f in got.findings} == {id: found for id, found in expected.items() if found}


@many
@given(worlds(), st.lists(reports, min_size=1, max_size=6), st.randoms())
def test_neither_order_nor_company_nor_the_hour_of_judging_counts(
    world: CompiledRegistry, several: list[Report], random: Any
) -> None:
    alone = [judged(world, one)[0] for one in several]
    order = list(range(len(several)))
    random.shuffle(order)
    judge = Judge(world)
    cases = [Case(f"i{n}", 1, several[n]) for n in order]
    together = judge.assess(cases, now=hour(5_000))
    again = judge.assess(cases, now=hour(5_000))
    assert together == again
    for n, got in zip(order, together, strict=True):
        plain = msgspec.structs.replace(got, incident_id="i0", assessed_at="1970-01-01T00:00:00Z")
        assert plain == alone[n]


@many
@given(worlds(), reports)
def test_the_same_report_twice_changes_nothing(world: CompiledRegistry, one: Report) -> None:
    first, second = judged(world, one, one)
    assert msgspec.structs.replace(second, incident_id="i0") == first


@many
@given(worlds(), reports, st.permutations(NAMES))
def test_renaming_all_parties_changes_nothing(world: CompiledRegistry, one: Report, order: list[str]) -> None:
    fresh = {id: f"party-{order.index(id)}" for id in IDS}
    other = renamed(world, fresh)
    same = msgspec.structs.replace(
        one,
        perpetrators=tuple(fresh.get(name, name) for name in one.perpetrators),
        targets=tuple(fresh.get(name, name) for name in one.targets),
    )
    (before,), (after,) = judged(world, one), judged(other, same)
    assert (before.verdict, before.certainty, before.severity) == (after.verdict, after.certainty, after.severity)
    assert [told(f) for f in before.findings] == [told(f) for f in after.findings]


def renamed(world: CompiledRegistry, fresh: dict[str, str]) -> CompiledRegistry:
    """The same world with other ids and no names but the ids."""

    def each(refs: tuple[PartyRef, ...]) -> tuple[PartyRef, ...]:
        return tuple(replace(ref, party=fresh[ref.party]) for ref in refs)

    def side(refs: tuple[PartyRef, ...] | None) -> tuple[PartyRef, ...] | None:
        return None if refs is None else each(refs)

    def person(one: CompiledParty) -> CompiledParty:
        return replace(one, id=fresh[one.id], names={}, aliases=(), member_of=each(one.member_of))

    def pact(one: CompiledTruce) -> CompiledTruce:
        duties = tuple(CompiledDuty(side(d.bound), side(d.toward), d.acts) for d in one.duties)
        return replace(one, duties=duties, exclusions=each(one.exclusions))

    def entry(one: CompiledPresence) -> CompiledPresence:
        return replace(one, party=fresh[one.party])

    return replace(
        world,
        parties={fresh[id]: person(one) for id, one in world.parties.items()},
        truces={id: pact(one) for id, one in world.truces.items()},
        presence=tuple(map(entry, world.presence)),
    )


@many
@given(worlds(), reports)
def test_the_verdict_and_its_certainty_follow_from_the_findings(world: CompiledRegistry, one: Report) -> None:
    (got,) = judged(world, one)
    order = ["violation", "undetermined", "excluded", "not_covered"]
    assert got.verdict == min((f.outcome for f in got.findings), key=order.index, default="not_covered")
    for found in got.findings:
        assert found.reasons
        assert (found.certainty is None) == (found.outcome in ("excluded", "not_covered"))
        assert (found.certainty == "Unknown") == (found.outcome == "undetermined")
    if not got.findings:
        assert {r.code for r in got.reasons} & {"outside_every_area", "outside_every_window"}


@given(st.sampled_from(AREAS), st.floats(-3, 3), st.floats(-3, 3), st.floats(0.1, 300))
def test_an_area_touches_a_place_or_does_not_whichever_way_it_is_asked(
    one: Any, lon: float, lat: float, radius: float
) -> None:
    assume(max(abs(lat), abs(lon)) > 0.01)  # a point at 0, 0 is no place (judgement.md 16)
    world = registry(truce(windows=[[account("a", 0, None, one.id)]]))
    judge = Judge(world)
    got = judge.assess([Case("i", 1, report(location=Location(lat=lat, lon=lon, radius_km=radius)))], 0)[0]
    fresh = Judge(world).areas_of(got.place)
    assert judge.areas_of(got.place) == fresh
    assert bool(got.findings) == (one.id in fresh)


def test_the_worlds_differ_enough() -> None:
    """Every outcome and most reasons must come up, or the comparison above proves little."""
    wanted = {
        "violation", "undetermined", "excluded", "not_covered", "within_window", "outside_window", "outside_area",
        "time_straddles_window", "window_disputed", "place_too_coarse", "place_unresolved", "aggregate",
        "act_not_prohibited", "bound_perpetrator", "umbrella_perpetrator", "unattributed", "umbrella_target",
        "unknown_target", "excluded_perpetrator", "excluded_target", "contested_attribution", "no_duty_between_parties",
    }  # fmt: skip
    seen: set[str] = set()

    @settings(max_examples=20, database=None)
    @given(worlds(), st.lists(reports, min_size=10, max_size=10))
    def look(world: CompiledRegistry, several: list[Report]) -> None:
        for got in judged(world, *several):
            seen.update(f.outcome for f in got.findings)
            seen.update(r.code for f in got.findings for r in f.reasons)

    for number in range(100):
        if not wanted <= seen:
            seed(number)(look)()
    assert wanted <= seen
