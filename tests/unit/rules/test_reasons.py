"""Every reason code: a report that gives it, where it stands, and its sentence in every language."""

import re
from typing import Any

import msgspec
import pytest

from schemas.assessments import Assessment, Link, Reason
from schemas.report import Location
from schemas.vocabulary import LANGUAGES, REASON_CODES, TOP_REASONS, Language
from schemas.wording.catalogue import read_catalogue
from schemas.wording.reasons import message_of, named
from schemas.wording.words import words
from services.rules.judging.evaluate import Judge
from services.rules.judging.model import CompiledDuty, CompiledPlace, CompiledRegistry
from services.rules.judging.reasons import render
from tests.unit.rules.build import (
    AREAS,
    account,
    area,
    assess,
    decision,
    interval,
    presence,
    registry,
    report,
    square,
    truce,
)

FLIGHT = frozenset({"airstrike"})
DISPUTED = registry(truce(windows=[[account("a", 30, 240), account("b", 0, 240)]]))
TWINS = tuple(CompiledPlace(f"p{n}", "Twin", n, n, 1.0) for n in range(3))

#: The suffix of a code names the variant of its sentence.
CASES: dict[str, tuple[CompiledRegistry, Any, Any]] = {
    "within_window": (registry(), report(), {}),
    "within_window open": (registry(truce(windows=[[account("a", 0, None)]])), report(), {}),
    "outside_window": (registry(), report(at=240), {}),
    "outside_area": (
        registry(truce(windows=[[account("a", 0, 10)], [account("b", 10, 20, "suburb")]])), report(at=15), {},
    ),
    "outside_every_area": (registry(), report(location=Location(lat=60, lon=60)), {}),
    "outside_every_window": (registry(), report(at=2_000), {}),
    "time_straddles_window": (registry(), report(at=interval(230, 250)), {}),
    "window_disputed": (DISPUTED, report(), {}),
    "place_too_coarse": (registry(), report(location=Location(area="province")), {}),
    "place_unresolved unknown": (registry(), report(location=Location(place="El Dorado")), {}),
    "place_unresolved ambiguous": (registry(places=TWINS), report(location=Location(place="Twin")), {}),
    "place_disagreement point": (registry(), report(location=Location(lat=0.5, lon=0.5, area="abroad")), {}),
    "place_disagreement area": (registry(), report(location=Location(area="city", place="abroad area")), {}),
    "point_placeholder": (registry(), report(location=Location(lat=0.0, lon=0.0, area="city")), {}),
    "point_mirrored": (
        registry(areas=(*AREAS, area("far", square(40, 60, 1)))), report(location=Location(lat=40.5, lon=60.5)), {},
    ),
    "aggregate marked": (registry(), report(aggregate=True), {}),
    "aggregate long": (registry(), report(at=interval(0, 100)), {}),
    "act_not_prohibited": (registry(), report(act="protest"), {}),
    "bound_perpetrator": (registry(), report(perpetrators=("Reds",)), {}),
    "umbrella_perpetrator known": (registry(), report(perpetrators=("grey",), targets=("red",)), {}),
    "umbrella_perpetrator unresolved": (registry(), report(perpetrators=("{braces}",)), {}),
    "unattributed": (registry(), report(perpetrators=()), {}),
    "umbrella_target known": (registry(), report(targets=("grey",)), {}),
    "umbrella_target unresolved": (registry(), report(targets=("%s {0}",)), {}),
    "unknown_target": (registry(), report(targets=()), {}),
    "unresolved_party perpetrator": (registry(), report(perpetrators=("X Brigade",)), {}),
    "unresolved_party target": (registry(), report(targets=("X Brigade",)), {}),
    "name_qualified": (registry(), report(perpetrators=("Reds (Syria)",)), {}),
    "name_out_of_period": (registry(), report(perpetrators=("New Black",)), {}),
    "excluded_perpetrator": (registry(), report(perpetrators=("black",)), {}),
    "excluded_target": (registry(), report(targets=("black",)), {}),
    "contested_attribution perpetrator": (registry(), report(perpetrators=("black", "red")), {}),
    "contested_attribution target": (registry(), report(targets=("black", "blue")), {}),
    "no_duty_between_parties": (registry(), report(perpetrators=("green",)), {}),
    "no_duty_between_parties unknown": (registry(), report(perpetrators=(), targets=("green",)), {}),
    "held_by_excluded_party": (registry(presence=(presence("black", "city", "held"),)), report(targets=()), {}),
    "excluded_group_present": (registry(presence=(presence("black", "city"),)), report(targets=()), {}),
    "implausible_perpetrator": (
        registry(truce(exclusions=(), duties=(CompiledDuty(None, None, FLIGHT),))),
        report(perpetrators=("black",), act="airstrike"),
        {},
    ),
    "self_defence_claimed": (registry(), report(claims=("self_defence",)), {}),
    "aimed_at_excluded_claimed": (registry(), report(claims=("aimed_at_excluded",)), {}),
    "accident_claimed": (registry(), report(claims=("accident",)), {}),
    "source_grade graded": (registry(), report(grade="D4"), {}),
    "source_grade ungraded": (registry(), report(grade=None), {}),
    "corroborated": (registry(), report(), {"corroborating": ("other",), "links": (Link("other", 0.9),)}),
    "corroborated thrice": (
        registry(), report(), {"corroborating": ("i0", "i1", "i2"), "links": (Link("i0", 0.9),)},
    ),
    "retracted given": (registry(), report(), {"retracted": "a film set"}),
    "retracted bare": (registry(), report(), {"retracted": ""}),
    "place_decided": (registry(), report(), {"decisions": (decision(1, place=Location(area="city")),)}),
    "party_decided": (
        registry(), report(perpetrators=("X",)), {"decisions": (decision(1, parties={"X": "red"}),)},
    ),
    "verdict_decided": (registry(), report(), {"decisions": (decision(1, verdict="excluded"),)}),
}  # fmt: skip
WITH_LANGUAGES = [(case, language) for case in CASES for language in LANGUAGES]


def reasons_of(case: str) -> tuple[Assessment, list[Reason]]:
    world, one, more = CASES[case]
    got = assess(world, one, **more)
    everywhere = [*got.reasons, *(reason for finding in got.findings for reason in finding.reasons)]
    return got, [reason for reason in everywhere if reason.code == case.split()[0]]


def test_every_code_has_a_case() -> None:
    assert {case.split()[0] for case in CASES} == set(REASON_CODES)


@pytest.mark.parametrize("case", CASES)
def test_a_code_is_given_where_it_belongs(case: str) -> None:
    got, found = reasons_of(case)
    at_top = [reason for reason in got.reasons if reason.code == case.split()[0]]
    assert len(found) == 1
    assert bool(at_top) == (found[0].code in TOP_REASONS)


@pytest.mark.parametrize(("case", "language"), WITH_LANGUAGES)
def test_a_code_is_one_sentence_in_every_language(case: str, language: Language) -> None:
    _, (reason,) = reasons_of(case)
    sentence = render(reason, language, CASES[case][0])
    assert sentence[-1] == "."
    assert not re.search(r"\{(?!braces\}|0\})", sentence), sentence
    assert "None" not in sentence
    script = {"en": r"[a-z]", "ar": r"[\u0621-\u064a]", "ru": r"[а-яё]"}[language]
    assert re.search(script, sentence)


@pytest.mark.parametrize("case", CASES)
def test_the_stored_sentence_is_the_english_one_and_follows_from_code_and_fact(case: str) -> None:
    _, (reason,) = reasons_of(case)
    stored = msgspec.json.decode(msgspec.json.encode(reason), type=Reason)
    assert stored == reason
    for language in LANGUAGES:
        assert render(stored, language, CASES[case][0]) == Judge(CASES[case][0]).render(reason, language)
    assert render(stored, "en", CASES[case][0]) == reason.text


def test_parties_areas_and_truces_go_by_their_names() -> None:
    _, (reason,) = reasons_of("held_by_excluded_party")
    assert render(reason, "en", registry()) == (
        "The place lies wholly on ground held by “black forces” (city area), which “calm truce” excludes:"
        " the target may be excluded."
    )
    russian = render(reason, "ru", registry())
    assert all(name in russian for name in ("силы black", "район city", "перемирие calm"))
    arabic = render(reason, "ar", registry())
    assert all(name in arabic for name in ("قوات black", "منطقة city", "هدنة calm"))


def test_what_the_registry_no_longer_knows_goes_by_its_id() -> None:
    reason = Reason("held_by_excluded_party", {"party": "gone", "area": "lost", "truce": "over"})
    assert all(id in render(reason, "en", registry()) for id in ("gone", "lost", "over"))


def test_times_are_told_in_the_registrys_zone() -> None:
    world = registry(truce(windows=[[account("a", 0, 24 * 60)]]), timezone="Asia/Beirut")
    reason = next(r for f in assess(world, report()).findings for r in f.reasons if r.code == "within_window")
    assert "1 March 2030, 02:00 (GMT+02:00)" in reason.text
    assert "30 April 2030, 03:00 (GMT+03:00)" in reason.text
    assert "1 марта 2030" in render(reason, "ru", world)
    assert "1 آذار 2030" in render(reason, "ar", world)


def test_what_is_put_into_arabic_keeps_its_own_direction() -> None:
    reason = Reason("unresolved_party", {"reported": "X Brigade", "side": "target"})
    assert "\u2068X Brigade\u2069" in render(reason, "ar", registry())
    assert "\u2068" not in render(reason, "ru", registry())


@pytest.mark.parametrize(
    ("count", "language", "told"),
    [
        (1, "en", "1 report of"), (2, "en", "2 reports of"), (1, "ru", "1 сообщением другого"),
        (2, "ru", "2 сообщениями"), (21, "ru", "21 сообщением другого"), (2, "ar", "بلاغان"), (3, "ar", "بلاغات"),
        (11, "ar", "بلاغًا"),
    ],
)  # fmt: skip
def test_plurals_follow_the_language(count: int, language: Language, told: str) -> None:
    reason = Reason("corroborated", {"incidents": [f"i{n}" for n in range(count)]})
    assert told in render(reason, language, registry()).replace("\u2068", "").replace("\u2069", "")


def test_shares_and_lists_follow_the_language() -> None:
    assert [words("en").percent(0.534), words("en").percent(0.53), words("ru").percent(0.534)] == [
        "53.4%",
        "53%",
        "53,4\xa0%",
    ]
    reason = Reason("outside_area", {"truce": "calm", "areas": ["city", "suburb", "abroad"]})
    assert "city area, suburb area, and abroad area" in render(reason, "en", registry())
    assert "район city, район suburb и район abroad" in render(reason, "ru", registry())


# --- the catalogue


def test_every_sentence_of_a_reason_has_a_case() -> None:
    used = set()
    for case in CASES:
        _, (reason,) = reasons_of(case)
        used.add(message_of(reason.code, reason.fact))
    english = read_catalogue("en")
    assert used == {key for key in (*english.phrases, *english.counted) if key.startswith("reason.")}


def test_a_name_that_a_language_lacks_is_lent_by_english_then_by_any_other() -> None:
    assert named({"en": "Reds", "ar": "الحمر"}, "red", "ru") == "Reds"
    assert named({"ar": "الحمر"}, "red", "ru") == "الحمر"
    assert named({}, "red", "ru") == "red"
