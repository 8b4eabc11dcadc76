"""What holds for every world and every report."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from schemas.assessments import Assessment, Finding
from schemas.report import Location, Report
from services.rules.domain import index
from services.rules.domain.evaluate import Case, Judge
from services.rules.domain.model import ALWAYS, Duty, Party, PartyRef, Period, Presence, Registry, Truce
from tests.unit.rules.build import AREAS, PARTIES, account, hour, interval, party, presence, registry, report, truce
from tests.unit.rules.naive import Slow

ACTS = ("shelling", "airstrike", "territorial_gain", "protest")
IDS = ("red", "blue", "navy", "black", "grey", "green", "people", "cell")
NAMES = (*IDS, "Some Brigade")
HERE = ("city", "suburb", "province")

times = st.integers(0, 12).map(lambda n: n * 10)
periods = st.one_of(
    st.just(ALWAYS), st.builds(lambda a, n: Period(hour(a), hour(a + 10 * n)), times, st.integers(1, 12))
)
references = st.builds(PartyRef, st.sampled_from(IDS), periods)
sides = st.one_of(st.none(), st.lists(references, min_size=1, max_size=4).map(tuple))
duties = st.builds(
    lambda bound, toward, acts: Duty(bound, toward, frozenset({"shelling", *acts})),
    sides,
    sides,
    st.sets(st.sampled_from(ACTS)),
)
accounts = st.builds(
    lambda start, lasts, where: (start, None if lasts is None else start + lasts, where),
    times,
    st.one_of(st.none(), times),
    st.sampled_from(HERE),
)


@st.composite
def truces(draw: st.DrawFn, id: str) -> Truce:
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


entries = st.builds(
    lambda who, where, control, when: presence(who, where, control, when),
    st.sampled_from(IDS),
    st.sampled_from(HERE),
    st.sampled_from(("present", "held")),
    periods,
)


@st.composite
def worlds(draw: st.DrawFn) -> Registry:
    cell = party("cell", member_of=tuple(draw(st.lists(references.filter(lambda r: r.party != "cell"), max_size=2))))
    told = [draw(truces(f"t{n}")) for n in range(draw(st.integers(1, 3)))]
    return registry(*told, parties=(*PARTIES, cell), presence=tuple(draw(st.lists(entries, max_size=3))))


#: Wholly inside, wholly outside or well across the edges: far from the thresholds that have tests of their own.
locations = st.one_of(
    st.builds(
        lambda lon, lat, radius: Location(lon=lon, lat=lat, radius_km=radius),
        st.sampled_from((0.5, 1.0, 1.5, 2.5, 7.0)),
        st.sampled_from((0.5, 1.0)),
        st.sampled_from((1.0, 20.0, 200.0)),
    ),
    st.sampled_from([Location(area=id) for id in (*HERE, "abroad")]),
    st.just(Location(place="unheard of")),
)
named = st.lists(st.sampled_from(NAMES), max_size=3, unique=True).map(tuple)
occasions = st.one_of(
    st.integers(0, 260).map(lambda n: n / 2),
    st.builds(lambda a, n: interval(a, a + n), times, st.sampled_from((0, 5, 10, 30, 72, 80))),
)
reports = st.builds(
    lambda at, where, act, doers, hit, grade, claims, many: report(
        at=at, location=where, act=act, perpetrators=doers, targets=hit, grade=grade, claims=claims, aggregate=many
    ),
    occasions,
    locations,
    st.sampled_from(("shelling", *ACTS)),
    named,
    named,
    st.sampled_from(("A1", "C3", "D4", "E5", None)),
    st.lists(st.sampled_from(("self_defence", "aimed_at_excluded", "accident")), max_size=2).map(tuple),
    st.sampled_from((False, False, False, True)),
)
thorough = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def judged(world: Registry, *all: Report, now: int = 0) -> list[Assessment]:
    return Judge(world).assess([Case(f"i{n}", 1, one) for n, one in enumerate(all)], now)


def told(found: Finding) -> Any:
    window = found.window
    codes = frozenset(reason.code for reason in found.reasons)
    return (
        found.outcome, found.certainty, window.start, window.end, window.disputed, window.area, window.announcements,
        codes,
    )  # fmt: skip


@thorough
@given(worlds(), st.lists(reports, min_size=1, max_size=5))
def test_the_index_and_the_batch_give_what_the_slow_way_gives(world: Registry, several: list[Report]) -> None:
    one_by_one = judged(world, *several)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "_FEW", -1)
        assert judged(world, *several) == one_by_one, "whether by arrays or without"
    for got, one in zip(one_by_one, several, strict=True):
        slow = Slow(world, one)
        expected = {id: slow.finding(truce) for id, truce in world.truces.items()}
        assert {f.truce: told(f) for f in got.findings} == {id: found for id, found in expected.items() if found}


@thorough
@given(worlds(), st.lists(reports, min_size=1, max_size=6), st.randoms())
def test_neither_order_nor_company_nor_the_hour_of_judging_counts(
    world: Registry, several: list[Report], random: Any
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


@thorough
@given(worlds(), reports)
def test_the_same_report_twice_changes_nothing(world: Registry, one: Report) -> None:
    first, second = judged(world, one, one)
    assert msgspec.structs.replace(second, incident_id="i0") == first


@thorough
@given(worlds(), reports, st.permutations(NAMES))
def test_renaming_all_parties_changes_nothing(world: Registry, one: Report, order: list[str]) -> None:
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


def renamed(world: Registry, fresh: dict[str, str]) -> Registry:
    """The same world with other ids and no names but the ids."""

    def each(refs: tuple[PartyRef, ...]) -> tuple[PartyRef, ...]:
        return tuple(replace(ref, party=fresh[ref.party]) for ref in refs)

    def side(refs: tuple[PartyRef, ...] | None) -> tuple[PartyRef, ...] | None:
        return None if refs is None else each(refs)

    def person(one: Party) -> Party:
        return replace(one, id=fresh[one.id], names={}, aliases=(), member_of=each(one.member_of))

    def pact(one: Truce) -> Truce:
        duties = tuple(Duty(side(d.bound), side(d.toward), d.acts) for d in one.duties)
        return replace(one, duties=duties, exclusions=each(one.exclusions))

    def entry(one: Presence) -> Presence:
        return replace(one, party=fresh[one.party])

    return replace(
        world,
        parties={fresh[id]: person(one) for id, one in world.parties.items()},
        truces={id: pact(one) for id, one in world.truces.items()},
        presence=tuple(map(entry, world.presence)),
    )


@thorough
@given(worlds(), reports)
def test_the_verdict_and_its_certainty_follow_from_the_findings(world: Registry, one: Report) -> None:
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
    seen: set[str] = set()

    @settings(max_examples=600, deadline=None, database=None, derandomize=True)
    @given(worlds(), reports)
    def look(world: Registry, one: Report) -> None:
        (got,) = judged(world, one)
        seen.update(f.outcome for f in got.findings)
        seen.update(r.code for f in got.findings for r in f.reasons)

    look()
    wanted = {
        "violation", "undetermined", "excluded", "not_covered", "within_window", "outside_window", "outside_area",
        "time_straddles_window", "window_disputed", "place_too_coarse", "place_unresolved", "aggregate",
        "act_not_prohibited", "bound_perpetrator", "umbrella_perpetrator", "unattributed", "umbrella_target",
        "unknown_target", "excluded_perpetrator", "excluded_target", "contested_attribution", "no_duty_between_parties",
    }  # fmt: skip
    assert wanted <= seen
