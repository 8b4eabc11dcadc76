"""Rule 20: what sources add to a name (brackets, a second name after a slash) is taken off where it says nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.report import Location
from schemas.vocabulary import LANGUAGES
from services.rules.judging.evaluate import Judge
from services.rules.judging.model import CompiledAlias, CompiledPlace
from tests.unit.rules.build import PARTIES, assess, codes, fact, party, registry, report
from tests.unit.rules.test_nobody_named import assess as assess_in_syria

GATES = CompiledPlace("gates", "Gates of Iron", 0.5, 0.5, 1.0, ("Железные Ворота",))
IRON = party(
    "iron",
    names={"en": "Iron State", "ar": "دولة الحديد"},
    aliases=(CompiledAlias("IS"), CompiledAlias("ISIL"), CompiledAlias("Front")),
)
STONE = party("stone", names={"en": "Stone State"}, aliases=(CompiledAlias("Stones"), CompiledAlias("Front")))
WORLD = registry(parties=(*PARTIES, IRON, STONE), places=(GATES,))


def party_of(name: str) -> str | None:
    return assess(WORLD, report(perpetrators=(name,))).perpetrators[0].party


QUALIFIED = [
    "Iron State (IS)", "Iron State [IS]", "Iron State(IS)", "Iron State (iron)", "Iron State (1989-)",
    "Iron State (2000-2024)", "Iron State (2016)", "Iron State (١٩٨٩-)", "Iron State (Syria)", "Iron State (Сирия)",
    "Iron State (سوريا)", "Iron State (Turkey)", "Iron State (US)", "Iron State (city area)",
    "Iron State (Gates of Iron)", "Iron State (Железные Ворота)", "Iron State （IS）", "دولة الحديد (سوريا)\u200f",
    "\u2068Iron State (IS)\u2069", "IS/ISIL", "IS / Iron State", "IS/ISIL/Iron State", "IS/ISIL (Syria)",
    "IS/ISIL (Iron State)", "Iron State (2000–2024)",
]  # fmt: skip


@pytest.mark.parametrize("name", QUALIFIED)
def test_a_qualified_name_is_the_party_that_it_qualifies(name: str) -> None:
    told = assess(WORLD, report(perpetrators=(name,)))
    assert [(one.reported, one.party) for one in told.perpetrators] == [(name, "iron")]
    assert codes(told).count("name_qualified") == 1
    assert fact(told, "name_qualified")["party"] == "iron"
    assert "unresolved_party" not in codes(told)


UNRESOLVED = [
    "Iron State (Northern Command)", "Iron State (Stones)", "Iron State (Syria) (2014-)", "Iron State (Syria, 2014-)",
    "Iron State (Syria", "Iron State (Syria]", "(Syria) Iron State",
    "Iron State (X (Syria))",
    "IS/Stones", "IS/nobody in particular", "Front (Syria)", "Front/Front", "Copper State (Syria)",
    "Iron State (European Union)",
]  # fmt: skip


@pytest.mark.parametrize("name", UNRESOLVED)
def test_anything_else_leaves_a_name_unresolved(name: str) -> None:
    told = assess(WORLD, report(perpetrators=(name,)))
    assert told.perpetrators[0].party is None
    assert "unresolved_party" in codes(told)
    assert "name_qualified" not in codes(told)


def test_a_whole_name_with_brackets_or_slashes_is_taken_as_it_stands() -> None:
    wing = party("wing", names={"en": "Iron State (Syria)"}, aliases=(CompiledAlias("IS/ISIL"),))
    world = registry(parties=(*PARTIES, IRON, wing))
    for name in ("Iron State (Syria)", "IS/ISIL"):
        told = assess(world, report(perpetrators=(name,)))
        assert told.perpetrators[0].party == "wing"
        assert "name_qualified" not in codes(told)


def test_words_for_nobody_are_looked_for_in_what_brackets_and_slashes_leave() -> None:
    for name in ("Unidentified Armed Group (Syria)", "Armed group unknown (2011-)", "Unknown (city area)"):
        assert "unattributed" in [
            r.code for f in assess(WORLD, report(perpetrators=(name,))).findings for r in f.reasons
        ]


def test_targets_are_qualified_as_perpetrators_are() -> None:
    told = assess(registry(), report(targets=("black forces (Syria)",)))
    assert told.verdict == "excluded"
    assert fact(told, "name_qualified") == {
        "reported": "black forces (Syria)", "read_as": "black forces", "party": "black",
    }  # fmt: skip


def test_a_name_from_another_time_stays_one_when_it_is_qualified() -> None:
    assert {"name_qualified", "name_out_of_period"} <= set(
        codes(assess(WORLD, report(perpetrators=("New Black (Syria)",))))
    )


def test_places_are_not_qualified() -> None:
    told = assess(WORLD, report(location=Location(place="Gates of Iron (Syria)")))
    assert told.place.lat is None
    assert told.verdict == "undetermined"


@pytest.mark.parametrize("name", ["Islamic State (IS)", "Islamic State (Syria)", "ISIS/ISIL"])
def test_the_names_of_a_published_data_set_mean_the_excluded_party(name: str) -> None:
    told = assess_in_syria((name,))
    assert [one.party for one in told.perpetrators] == [assess_in_syria(("Islamic State",)).perpetrators[0].party]
    assert told.verdict == "excluded"


def test_a_name_with_years_that_no_party_bears_stays_unresolved() -> None:
    assert "unresolved_party" in codes(assess_in_syria(("Military Forces of Syria (2000-2024)",)))


PIECES = st.sampled_from(
    ["Iron State", "IS", "Stones", "(", ")", "[", "]", "/", " ", "2014", "Syria", "unknown", "-", "\u200f"]
)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_any_name_is_read_and_its_reason_told_in_every_language(name: str) -> None:
    world = WORLD
    told = assess(world, report(perpetrators=(name,)))
    assert told.perpetrators[0].reported == name
    assert told.perpetrators[0].party in (None, "iron", "stone")
    for reason in told.reasons:
        for language in LANGUAGES:
            assert Judge(world).render(reason, language)
