"""Act and parties: exclusion both ways, umbrellas, civilians, duties with a direction, ground that others hold."""

from typing import Any

import pytest

from schemas.assessments import ResolvedParty
from schemas.report import Location
from services.rules.judging.model import CompiledDuty, CompiledRegistry, PartyRef, Period
from tests.unit.rules.build import (
    PARTIES,
    account,
    assess,
    codes,
    fact,
    finding,
    hour,
    interval,
    party,
    presence,
    refs,
    registry,
    report,
    truce,
)

ACTS = frozenset({"shelling", "airstrike", "territorial_gain", "overflight", "occupation"})
CITY = Location(area="city")


def outcome(world: CompiledRegistry, **fields: Any) -> tuple[str, list[str]]:
    got = finding(world, report(**fields))
    return got.outcome, codes(got)


def duty(bound: Any, toward: Any, acts: frozenset[str] = ACTS) -> CompiledDuty:
    return CompiledDuty(None if bound == "any" else refs(*bound), None if toward == "any" else refs(*toward), acts)


ONE_WAY_TRUCE = truce(duties=(duty(["red"], ["blue"]),))
EVERYONE_TRUCE = truce(duties=(duty("any", "any"),))
ONE_WAY = registry(ONE_WAY_TRUCE)
EVERYONE = registry(EVERYONE_TRUCE)


# --- the act


@pytest.mark.parametrize("act", ["protest", "prison_revolt", "crime", "accident", "other", "arrest"])
def test_an_act_that_no_duty_names_is_not_prohibited(act: str) -> None:
    assert outcome(registry(), act=act) == ("not_covered", ["act_not_prohibited"])


def test_the_act_is_judged_before_the_parties() -> None:
    assert outcome(registry(), act="protest", perpetrators=("black",)) == ("not_covered", ["act_not_prohibited"])


def test_what_fails_outright_beats_what_cannot_be_decided() -> None:
    late = interval(230, 250)
    assert outcome(registry(), at=late, act="protest") == ("not_covered", ["act_not_prohibited"])
    assert outcome(registry(), at=late, perpetrators=("black",)) == ("excluded", ["excluded_perpetrator"])
    assert outcome(registry(), at=late, targets=("green",)) == ("not_covered", ["no_duty_between_parties"])
    assert outcome(registry(), perpetrators=("red", "black"), targets=("black",)) == ("excluded", ["excluded_target"])
    both = ("green", "black")
    assert outcome(registry(), perpetrators=both) == ("not_covered", ["no_duty_between_parties"])


# --- exclusion


def test_exclusion_works_both_ways() -> None:
    assert outcome(registry(), perpetrators=("black",)) == ("excluded", ["excluded_perpetrator"])
    assert outcome(registry(), targets=("black",)) == ("excluded", ["excluded_target"])
    assert finding(registry(), report(targets=("black",))).certainty is None


def test_an_attack_on_an_excluded_group_is_excluded_whoever_attacks() -> None:
    for attacker in ((), ("green",), ("nobody known",), ("grey",)):
        assert outcome(registry(), perpetrators=attacker, targets=("black",))[0] == "excluded"


def test_an_excluded_group_that_hits_civilians_is_still_excluded() -> None:
    assert outcome(registry(), perpetrators=("black",), targets=("people",))[0] == "excluded"


@pytest.mark.parametrize("others", ["red", "grey", "nobody known"])
def test_some_but_not_all_excluded_is_contested(others: str) -> None:
    assert outcome(registry(), perpetrators=("black", others)) == ("undetermined", ["contested_attribution"])
    targets = ("black", "blue" if others == "red" else others)
    assert outcome(registry(), targets=targets) == ("undetermined", ["contested_attribution"])


def test_a_contested_side_is_told() -> None:
    got = finding(registry(), report(perpetrators=("red", "black")))
    assert fact(got, "contested_attribution") == {
        "side": "perpetrator", "excluded": ["black"], "others": ["red"], "truce": "calm",
    }  # fmt: skip


def test_a_member_of_an_excluded_coalition_is_excluded_and_membership_is_transitive() -> None:
    world = registry(parties=(*PARTIES, party("cell", member_of=refs("wing")), party("wing", member_of=refs("black"))))
    assert outcome(world, perpetrators=("cell",)) == ("excluded", ["excluded_perpetrator"])
    assert assess(world, report(perpetrators=("cell",))).perpetrators == (
        ResolvedParty("cell", "cell", ("wing", "black")),
    )


def test_an_exclusion_has_its_time_half_open() -> None:
    world = registry(truce(exclusions=(PartyRef("blue", Period(hour(10), hour(20))),)))
    assert [outcome(world, at=at)[0] for at in (9.9, 10, 19.9, 20)] == [
        "violation",
        "excluded",
        "excluded",
        "violation",
    ]


# --- duties


def test_duties_have_a_direction() -> None:
    assert outcome(ONE_WAY)[0] == "violation"
    assert outcome(ONE_WAY, perpetrators=("blue",), targets=("red",)) == ("not_covered", ["no_duty_between_parties"])
    assert outcome(ONE_WAY, perpetrators=("red",), targets=("red",))[0] == "not_covered"


def test_infighting_is_covered_only_where_all_are_barred() -> None:
    assert outcome(ONE_WAY, perpetrators=("navy",), targets=("grey",))[0] == "not_covered"
    assert outcome(EVERYONE, perpetrators=("navy",), targets=("grey",))[0] == "violation"


def test_a_party_neither_bound_nor_excluded_is_not_covered() -> None:
    assert outcome(ONE_WAY, perpetrators=("green",)) == ("not_covered", ["no_duty_between_parties"])
    assert outcome(EVERYONE, perpetrators=("green",), targets=("green",))[0] == "violation"


def test_members_are_bound_and_protected_through_their_coalition() -> None:
    assert outcome(ONE_WAY, targets=("navy",))[0] == "violation"
    assert outcome(registry(), perpetrators=("navy",), targets=("red",))[0] == "violation"
    assert outcome(ONE_WAY, targets=("grey",))[0] == "violation"
    assert outcome(registry(parties=(*PARTIES, party("blank", umbrella=True))), targets=("blank",))[0] == "not_covered"


def test_membership_and_bindings_are_read_at_the_incidents_start() -> None:
    member = party("marines", member_of=(PartyRef("blue", Period(hour(10), hour(20))),))
    world = registry(parties=(*PARTIES, member))
    assert [outcome(world, targets=("marines",), at=at)[0] for at in (9, 10, 19.99, 20)] == [
        "not_covered", "violation", "violation", "not_covered",
    ]  # fmt: skip
    assert outcome(world, targets=("marines",), at=interval(19, 30))[0] == "violation"
    bound = registry(truce(duties=(duty([PartyRef("red", Period(hour(10), hour(20)))], ["blue"]),)))
    assert [outcome(bound, at=at)[0] for at in (9, 10, 20)] == ["not_covered", "violation", "not_covered"]
    assert outcome(bound, at=interval(15, 30))[0] == "violation"


def test_one_pair_suffices() -> None:
    assert outcome(ONE_WAY, perpetrators=("green", "red"), targets=("green", "blue"))[0] == "violation"


def test_duties_are_met_one_at_a_time() -> None:
    world = registry(truce(duties=(duty(["red"], ["blue"]), duty(["blue"], ["red"]))))
    assert outcome(world, perpetrators=("red",), targets=("red",))[0] == "not_covered"


def test_only_duties_that_name_the_act_count() -> None:
    world = registry(truce(duties=(duty(["red"], ["green"]), duty(["red"], ["blue"], frozenset({"arrest"})))))
    assert outcome(world)[0] == "not_covered"
    assert outcome(world, act="arrest")[0] == "violation"


# --- civilians


def test_civilians_are_protected_in_every_duty_named_or_not() -> None:
    assert outcome(ONE_WAY, targets=("people",))[0] == "violation"
    assert outcome(ONE_WAY, perpetrators=("green",), targets=("people",))[0] == "not_covered"


def test_where_civilians_are_hit_only_they_are_judged() -> None:
    assert outcome(registry(), targets=("black", "residents")) == ("violation", ["within_window", "bound_perpetrator"])
    mixed = finding(registry(), report(targets=("grey", "residents", "somebody")))
    assert (mixed.certainty, codes(mixed)) == ("Observed", ["within_window", "bound_perpetrator"])


def test_who_belongs_to_civilians_is_civilian_through_others_too() -> None:
    convoy = party("convoy", member_of=refs("relief"))
    relief = party("relief", member_of=refs(PartyRef("people", Period(None, hour(100)))))
    world = registry(ONE_WAY_TRUCE, parties=(*PARTIES, convoy, relief))
    assert outcome(world, targets=("convoy",))[0] == "violation"
    assert outcome(world, targets=("convoy", "black"))[0] == "violation"
    assert outcome(world, targets=("convoy",), at=100)[0] == "not_covered"


# --- the unknown


def test_an_unknown_perpetrator_is_a_violation_unattributed() -> None:
    got = finding(ONE_WAY, report(perpetrators=()))
    assert (got.outcome, got.certainty, codes(got)) == ("violation", "Likely", ["within_window", "unattributed"])


def test_a_target_that_nobody_names_counts_as_protected() -> None:
    got = finding(ONE_WAY, report(targets=()))
    assert (got.outcome, got.certainty) == ("violation", "Likely")
    assert codes(got) == ["within_window", "bound_perpetrator", "unknown_target"]


def test_a_name_that_resolves_to_nobody_is_judged_like_an_umbrella() -> None:
    got = assess(ONE_WAY, report(perpetrators=("Some Brigade",), targets=("Other Brigade",)))
    assert (got.verdict, got.certainty) == ("violation", "Likely")
    assert codes(got) == ["unresolved_party", "unresolved_party"]
    assert codes(got.findings[0]) == ["within_window", "umbrella_perpetrator", "umbrella_target"]
    assert got.perpetrators == (ResolvedParty("Some Brigade", None, ()),)


def test_someone_unbound_is_not_saved_by_an_unknown_target() -> None:
    assert outcome(ONE_WAY, perpetrators=("green",), targets=())[0] == "not_covered"
    assert outcome(ONE_WAY, perpetrators=(), targets=("green",))[0] == "not_covered"


@pytest.mark.parametrize("act", ["territorial_gain", "overflight", "occupation"])
def test_acts_of_presence_need_no_target(act: str) -> None:
    held = presence("black", "province", "held")
    world = registry(truce(duties=(duty(["red"], ["blue"]),)), presence=(held,))
    got = finding(world, report(act=act, targets=()))
    assert (got.outcome, got.certainty, codes(got)) == ("violation", "Observed", ["within_window", "bound_perpetrator"])
    assert outcome(world, act=act, targets=("green",))[0] == "not_covered"


# --- umbrellas


def test_an_act_by_an_umbrella_or_against_one_is_a_violation() -> None:
    by = finding(registry(), report(perpetrators=("grey",), targets=("red",)))
    assert (by.outcome, by.certainty, codes(by)) == ("violation", "Likely", ["within_window", "umbrella_perpetrator"])
    against = finding(registry(), report(targets=("grey",)))
    assert (against.outcome, against.certainty) == ("violation", "Likely")
    assert codes(against) == ["within_window", "bound_perpetrator", "umbrella_target"]


def test_a_clearly_named_party_that_suffices_lifts_the_cap_of_its_side() -> None:
    both = finding(registry(), report(perpetrators=("grey", "navy"), targets=("red",)))
    assert (both.certainty, codes(both)) == ("Observed", ["within_window", "bound_perpetrator"])
    useless = finding(registry(), report(perpetrators=("grey", "green"), targets=("red",)))
    assert (useless.certainty, codes(useless)) == ("Likely", ["within_window", "umbrella_perpetrator"])
    one_side = finding(registry(), report(perpetrators=("navy",), targets=("red", "grey")))
    assert one_side.certainty == "Observed"


# --- excluded groups at the place

THERE = registry(presence=(presence("black", "city"),))


@pytest.mark.parametrize(
    ("fields", "certainty"),
    [
        ({}, "Observed"),
        ({"perpetrators": ()}, "Possible"),
        ({"perpetrators": ("grey",), "targets": ("red",)}, "Possible"),
        ({"perpetrators": ("who",)}, "Possible"),
        ({"targets": ()}, "Possible"),
        ({"targets": ("grey",)}, "Possible"),
        ({"targets": ("who",)}, "Possible"),
        ({"targets": ("people",)}, "Observed"),
        ({"perpetrators": (), "act": "airstrike"}, "Likely"),
        ({"perpetrators": ("who",), "act": "airstrike"}, "Possible"),
        ({"perpetrators": (), "targets": (), "act": "airstrike"}, "Possible"),
    ],
)
def test_an_excluded_group_present_makes_an_unclear_side_possible_at_most(fields: Any, certainty: str) -> None:
    got = finding(THERE, report(**fields))
    assert (got.outcome, got.certainty) == ("violation", certainty)
    assert ("excluded_group_present" in codes(got)) == (certainty == "Possible")


def test_presence_counts_where_it_holds_more_than_a_thousandth_of_the_place_at_any_moment() -> None:
    near = registry(presence=(presence("black", "suburb", period=Period(hour(10), hour(20))),))
    # Discs of 11.12 km (0.1 degrees) that reach over the border by less, and by more, than a cap of 0.1 % is high.
    for lon, certainty in ((0.9008, "Likely"), (0.9025, "Possible")):
        edge = Location(lat=0.5, lon=lon, radius_km=11.1195)
        over = registry(truce(windows=[[account("a", 0, 100, "province")]]), presence=near.presence)
        assert finding(over, report(targets=(), location=edge, at=12)).certainty == certainty
    inside = Location(lat=0.5, lon=0.98, radius_km=1.0)
    assert finding(near, report(targets=(), location=inside, at=12)).certainty == "Likely"
    world = registry(presence=(presence("black", "city", period=Period(hour(10), hour(20))),))
    times = [(9.99, "Likely"), (10, "Possible"), (19.99, "Possible"), (20, "Likely")]
    for at, certainty in times:
        assert finding(world, report(targets=(), at=at)).certainty == certainty
    assert finding(world, report(targets=(), at=interval(5, 11))).certainty == "Possible"
    assert finding(world, report(targets=(), at=interval(5, 10))).certainty == "Likely"


def test_a_group_is_excluded_here_only_if_this_truce_then_excludes_it() -> None:
    here = (presence("green", "city"), presence("black", "city"))
    open_truce = registry(truce(exclusions=()), presence=here)
    assert finding(open_truce, report(targets=())).certainty == "Likely"
    later = registry(truce(exclusions=(PartyRef("black", Period(hour(30), None)),)), presence=here)
    assert finding(later, report(targets=())).certainty == "Likely"
    assert finding(later, report(targets=(), at=30)).certainty == "Possible"


def test_what_coalitions_cannot_do_their_members_cannot() -> None:
    wing = party("wing", member_of=refs("black"))
    world = registry(parties=(*PARTIES, wing), presence=(presence("wing", "city"),))
    assert finding(world, report(perpetrators=(), act="airstrike")).certainty == "Likely"
    assert finding(world, report(perpetrators=())).certainty == "Possible"


def test_the_group_and_its_area_are_told_once() -> None:
    got = finding(THERE, report(perpetrators=(), targets=()))
    assert codes(got) == ["within_window", "unattributed", "excluded_group_present", "unknown_target"]
    assert fact(got, "excluded_group_present") == {"party": "black", "area": "city"}


def test_an_umbrella_is_bound_and_protected_only_where_it_or_its_coalition_is_listed() -> None:
    """Unlike a name that resolves to nobody: grey is in blue, and so is bound and protected with it."""
    loose = party("loose", umbrella=True)
    world = registry(parties=(*PARTIES, loose))
    assert outcome(world, perpetrators=("loose",), targets=("red",)) == ("not_covered", ["no_duty_between_parties"])
    assert outcome(world, targets=("loose",)) == ("not_covered", ["no_duty_between_parties"])
    assert outcome(world, perpetrators=("grey",), targets=("red",))[0] == "violation"


def test_presence_counts_at_any_moment_of_the_incident_and_memberships_only_at_its_start() -> None:
    later = presence("black", "city", period=Period(hour(30), hour(40)))
    long = interval(24, 35)
    assert finding(registry(presence=(later,)), report(targets=(), at=long)).certainty == "Possible"
    assert finding(registry(presence=(later,)), report(targets=(), at=interval(24, 30))).certainty == "Likely"
    joined = party("new", member_of=refs(PartyRef("black", Period(hour(30), None))))
    world = registry(EVERYONE_TRUCE, parties=(*PARTIES, joined))
    assert outcome(world, perpetrators=("new",), at=long)[0] == "violation"
    assert outcome(world, perpetrators=("new",), at=interval(30, 35))[0] == "excluded"


# --- ground held by an excluded group

HELD = registry(presence=(presence("black", "city", "held"),))


@pytest.mark.parametrize("targets", [(), ("grey",), ("who",), ("grey", "green")])
def test_an_unclear_target_on_held_ground_is_undetermined(targets: tuple[str, ...]) -> None:
    assert outcome(HELD, targets=targets) == ("undetermined", ["held_by_excluded_party"])


@pytest.mark.parametrize("targets", [("blue",), ("people",), ("grey", "navy")])
def test_a_clear_target_on_held_ground_is_not(targets: tuple[str, ...]) -> None:
    assert outcome(HELD, targets=targets) == ("violation", ["within_window", "bound_perpetrator"])


def test_held_ground_never_makes_it_excluded_and_spares_no_perpetrator() -> None:
    assert finding(HELD, report(perpetrators=("grey",), targets=("red",))).certainty == "Possible"
    assert outcome(HELD, targets=("grey",), perpetrators=("green",))[0] == "not_covered"


def test_a_place_partly_on_held_ground_is_only_capped() -> None:
    wide = truce(windows=[[account("a", 0, 240, "province")]])
    world = registry(wide, presence=(presence("black", "city", "held"),))
    got = finding(world, report(targets=("grey",), location=Location(lat=0.5, lon=1.0, radius_km=5)))
    assert (got.outcome, got.certainty) == ("violation", "Possible")


def test_a_place_across_two_held_areas_lies_wholly_on_held_ground() -> None:
    wide = truce(windows=[[account("a", 0, 240, "province")]])
    held = (presence("black", "city", "held"), presence("black", "suburb", "held"))
    world = registry(wide, presence=held)
    across = Location(lat=0.5, lon=1.0, radius_km=5)
    assert finding(world, report(targets=("grey",), location=across)).outcome == "undetermined"


def test_held_ground_beside_a_time_that_straddles_gives_both_doubts() -> None:
    got = outcome(HELD, targets=("grey",), at=interval(230, 250))
    assert got == ("undetermined", ["time_straddles_window", "held_by_excluded_party"])


# --- names


def test_a_name_from_another_time_resolves_with_a_reason() -> None:
    early = assess(registry(), report(perpetrators=("New Black",)))
    assert (early.verdict, codes(early)) == ("excluded", ["name_out_of_period"])
    assert fact(early, "name_out_of_period") == {"reported": "New Black", "party": "black"}
    world = registry(truce(windows=[[account("a", 0, None)]]))
    assert codes(assess(world, report(perpetrators=("New Black",), at=1000))) == []


def test_reported_name_party_and_coalition_are_kept_apart() -> None:
    got = assess(registry(), report(perpetrators=("Reds",), targets=("NAVY forces",)))
    assert got.perpetrators == (ResolvedParty("Reds", "red", ()),)
    assert got.targets == (ResolvedParty("NAVY forces", "navy", ("blue",)),)
