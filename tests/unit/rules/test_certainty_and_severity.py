"""Certainty, severity, the overall verdict, and what stands at the top of an assessment."""

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.assessments import Link
from schemas.report import Location
from schemas.vocabulary import CERTAINTIES
from services.rules.judging.certainty import LIKELY, OBSERVED, POSSIBLE, UNLIKELY, WORDS, level_of, level_of_grade
from services.rules.judging.model import CompiledDuty
from services.rules.judging.severity import severity_of
from tests.unit.rules.build import (
    account,
    assess,
    codes,
    fact,
    finding,
    interval,
    presence,
    refs,
    registry,
    report,
    truce,
)

GRADES = {
    "A1": OBSERVED, "A2": OBSERVED, "B1": OBSERVED, "B2": OBSERVED, "C1": LIKELY, "C2": LIKELY, "A3": LIKELY,
    "C3": LIKELY, "D1": POSSIBLE, "A4": POSSIBLE, "D4": POSSIBLE, "C4": POSSIBLE, "E1": UNLIKELY, "A5": UNLIKELY,
    "E5": UNLIKELY, "F1": POSSIBLE, "A6": POSSIBLE, "F6": POSSIBLE, "E6": UNLIKELY, "F5": UNLIKELY, "C6": POSSIBLE,
    None: LIKELY,
}  # fmt: skip


@pytest.mark.parametrize(("grade", "level"), GRADES.items())
def test_grades(grade: str | None, level: int) -> None:
    assert level_of_grade(grade) == level
    assert finding(registry(), report(grade=grade)).certainty == WORDS[level]


@pytest.mark.parametrize(
    ("source", "cap", "steps", "corroborated", "level"),
    [
        (OBSERVED, OBSERVED, 0, False, OBSERVED),
        (OBSERVED, LIKELY, 0, False, LIKELY),
        (LIKELY, POSSIBLE, 0, False, POSSIBLE),
        (OBSERVED, OBSERVED, 2, False, POSSIBLE),
        (POSSIBLE, OBSERVED, 3, False, UNLIKELY),
        (UNLIKELY, OBSERVED, 0, True, POSSIBLE),
        (LIKELY, LIKELY, 0, True, LIKELY),
        (LIKELY, LIKELY, 1, True, LIKELY),
        (OBSERVED, OBSERVED, 0, True, OBSERVED),
        (POSSIBLE, LIKELY, 5, True, POSSIBLE),
    ],
)
def test_level(source: int, cap: int, steps: int, corroborated: bool, level: int) -> None:
    assert level_of(source, cap, steps, corroborated) == level


@given(st.integers(0, 3), st.integers(1, 3), st.integers(0, 4), st.booleans())
def test_never_above_a_cap_nor_below_unlikely(source: int, cap: int, steps: int, corroborated: bool) -> None:
    assert UNLIKELY <= level_of(source, cap, steps, corroborated) <= cap


def test_each_distinct_claim_costs_one_step_and_is_shown() -> None:
    for claims, certainty in (
        (("self_defence",), "Likely"),
        (("self_defence", "self_defence"), "Likely"),
        (("self_defence", "accident"), "Possible"),
        (("self_defence", "accident", "aimed_at_excluded"), "Unlikely"),
    ):
        got = finding(registry(), report(claims=claims))
        assert (got.outcome, got.certainty) == ("violation", certainty)
        assert codes(got)[2:] == [f"{claim}_claimed" for claim in dict.fromkeys(claims)]


def test_aiming_at_the_excluded_counts_only_where_someone_is_and_whoever_is_hit() -> None:
    claimed = report(claims=("aimed_at_excluded",))
    assert finding(registry(), claimed).certainty == "Likely"
    assert finding(registry(), report(claims=("aimed_at_excluded",), targets=("people",))).certainty == "Likely"
    nobody = finding(registry(truce(exclusions=())), claimed)
    assert (nobody.certainty, codes(nobody)) == ("Observed", ["within_window", "bound_perpetrator"])


def test_an_implausible_perpetrator_costs_one_step() -> None:
    world = registry(truce(exclusions=()))
    got = finding(world, report(perpetrators=("black", "red"), act="airstrike"))
    assert (got.certainty, "implausible_perpetrator" in codes(got)) == ("Observed", False)
    bound = registry(truce(exclusions=(), duties=(CompiledDuty(None, None, frozenset({"airstrike"})),)))
    alone = finding(bound, report(perpetrators=("black",), act="airstrike"))
    assert alone.certainty == "Likely"
    assert fact(alone, "implausible_perpetrator") == {"parties": ["black"], "act": "airstrike"}
    doubted = finding(bound, report(perpetrators=("black", "who"), act="airstrike"))
    assert "implausible_perpetrator" not in codes(doubted)


def test_corroboration_adds_one_step_but_never_above_a_cap() -> None:
    links = (Link("other", 0.9), Link("weak", 0.3))
    got = assess(registry(), report(grade="C3"), corroborating=("other",), links=links)
    assert (got.certainty, got.links) == ("Observed", links)
    assert fact(got, "corroborated") == {"incidents": ["other"]}
    assert assess(registry(), report(grade="C3", targets=()), corroborating=("other",)).certainty == "Likely"
    assert "corroborated" not in codes(assess(registry(), report(), links=links))


def test_only_a_violation_is_more_or_less_certain() -> None:
    undetermined = assess(registry(), report(at=interval(230, 250), grade="D4"), corroborating=("other",))
    assert (undetermined.certainty, undetermined.findings[0].certainty) == ("Unknown", "Unknown")
    assert codes(undetermined) == []
    assert assess(registry(), report(act="protest")).certainty is None
    assert assess(registry(), report(targets=("black",))).certainty is None


def test_the_grade_is_told_where_the_certainty_rests_on_it() -> None:
    assert fact(assess(registry(), report(grade="D4")), "source_grade") == {"grade": "D4", "certainty": "Possible"}
    assert fact(assess(registry(), report(grade=None)), "source_grade") == {"grade": None, "certainty": "Likely"}
    present = registry(presence=(presence("black", "city"),))
    assert codes(assess(present, report(grade="C3", targets=()))) == []


# --- overall


def test_the_strongest_finding_is_the_verdict_and_the_highest_certainty_its_own() -> None:
    calm = truce(windows=[[account("army", 30, 240), account("guarantor", 0, 240)]])
    wide = truce("wide", [[account("a", 0, 240, "province")]])
    got = assess(registry(calm, wide), report())
    assert {f.truce: f.certainty for f in got.findings} == {"calm": "Possible", "wide": "Observed"}
    assert (got.verdict, got.certainty) == ("violation", "Observed")


STRENGTH = ("violation", "undetermined", "excluded", "not_covered")
SAYING = {
    "violation": truce("violation"),
    "undetermined": truce("undetermined", [[account("a", 0, 24.5)]]),
    "excluded": truce("excluded", exclusions=refs("blue")),
    "not_covered": truce("not_covered", duties=()),
}


@pytest.mark.parametrize("outcomes", [set for n in (1, 2, 3, 4) for set in permutations(STRENGTH, n)])
def test_the_verdict_is_the_strongest_finding_in_any_order(outcomes: tuple[str, ...]) -> None:
    got = assess(registry(*(SAYING[outcome] for outcome in outcomes)), report(at=interval(24, 25)))
    assert [f.outcome for f in got.findings] == list(outcomes)
    assert got.verdict == min(outcomes, key=STRENGTH.index)
    assert got.certainty == {"violation": "Observed", "undetermined": "Unknown"}.get(got.verdict)


def test_a_retracted_report_is_not_covered_and_has_no_findings() -> None:
    got = assess(registry(), report(killed=1, perpetrators=("who",)), retracted="it was a film")
    assert (got.verdict, got.certainty, got.findings, codes(got)) == ("not_covered", None, (), ["retracted"])
    assert fact(got, "retracted") == {"reason": "it was a film"}
    assert got.severity == "Severe"
    assert assess(registry(), report(), retracted="").verdict == "not_covered"


def test_the_assessment_keeps_what_was_reported() -> None:
    got = assess(registry(version=7), report(killed=2, grade="B2", at=interval(1, 2)))
    assert (got.incident_id, got.revision, got.registry_version) == ("i1", 1, 7)
    assert (got.occurred.start, got.occurred.end) == ("2030-03-01T01:00:00Z", "2030-03-01T02:00:00Z")
    assert (got.act, got.casualties.killed, got.source.name, got.source.grade) == ("shelling", 2, "a monitor", "B2")
    assert got.assessed_at == "2031-04-21T16:00:00Z"


def test_certainty_words_are_the_published_ones() -> None:
    assert tuple(reversed(WORDS)) == CERTAINTIES[:4]


# --- severity


@pytest.mark.parametrize(
    ("fields", "severity"),
    [
        ({"killed": 10}, "Extreme"),
        ({"killed": 9}, "Severe"),
        ({"killed": 1, "sites": ("school",)}, "Extreme"),
        ({"killed": 1, "targets": ("the hospital of Midan",)}, "Extreme"),
        ({"act": "chemical"}, "Extreme"),
        ({"killed": 1, "act": "attack_on_aid"}, "Extreme"),
        ({"injured": 10, "act": "arrest"}, "Severe"),
        ({"sites": ("camp",), "act": "arrest"}, "Severe"),
        ({"act": "attack_on_aid"}, "Severe"),
        ({"targets": ("Aid Convoy",), "act": "arrest"}, "Severe"),
        ({"targets": ("two schools",), "act": "arrest"}, "Severe"),
        ({"targets": ("a campaign", "schoolchildren", "Clinical staff"), "act": "arrest"}, "Minor"),
        ({"perpetrators": ("Camp guards",), "act": "arrest"}, "Minor"),
        ({"injured": 9, "act": "arrest"}, "Moderate"),
        ({"act": "mortar"}, "Moderate"),
        ({"act": "small_arms"}, "Minor"),
        ({"killed": 0, "injured": 0, "act": "protest"}, "Minor"),
    ],
)
def test_severity(fields: dict[str, Any], severity: str) -> None:
    one = report(**fields)
    assert severity_of(one) == severity
    assert assess(registry(), report(**fields, location=Location(lat=60, lon=60))).severity == severity
