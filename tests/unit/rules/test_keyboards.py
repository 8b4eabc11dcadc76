"""Rule 20 on the worked example: a name typed on another keyboard is the same party and the same place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.assessments import Assessment
from schemas.report import Location, Report
from services.rules.judging.evaluate import Case
from services.rules.judging.names import normalise
from tests.unit.rules.test_worked_example import judge, reports

#: Each Arabic letter with the letters of other keyboards that stand for it.
VARIANTS = {
    "ا": "اأإآٱ",
    "ي": "يىیېۍ",
    "ك": "كکڪ",
    "ه": "هةۀەہھ",
    "4": "4٤۴",
}


def assess(perpetrator: str, place: Location | None = None) -> Assessment:
    template = next(report for report in reports() if report.location.place == "Midan, Aleppo")
    report = Report(
        external_id="keyboard",
        occurred=template.occurred,
        act="shelling",
        location=place or template.location,
        source=template.source,
        perpetrators=(perpetrator,),
        targets=("civilians",),
    )
    return judge().assess([Case("keyboard", 1, report)], now=0)[0]


@pytest.mark.parametrize(
    ("written", "party"),
    [
        ("تنظيم الدولة الإسلامية", "isis"),
        ("تنظیم الدولة الإسلامیة", "isis"),
        ("تنظيم الدولە الإسلاميە", "isis"),
        ("تنظيم الدولہ الإسلاميہ", "isis"),
    ],
)
def test_an_excluded_party_stays_excluded_on_every_keyboard(written: str, party: str) -> None:
    assessed = assess(written)
    assert [one.party for one in assessed.perpetrators] == [party]
    assert assessed.verdict == "excluded"


def test_a_party_is_the_same_with_the_yeh_of_a_persian_keyboard() -> None:
    arabic, persian = assess("الجيش السوري"), assess("الجیش السوری")
    assert [one.party for one in persian.perpetrators] == [one.party for one in arabic.perpetrators]
    assert persian.perpetrators[0].party is not None
    assert persian.verdict == arabic.verdict


@pytest.mark.parametrize("written", ["الحسکة", "الحسكە", "الحسکە"])
def test_a_place_is_the_same_with_the_kaf_and_heh_of_other_keyboards(written: str) -> None:
    known = assess("opposition fighters", Location(place="الحسكة"))
    assert known.place.area == "al-hasakah"
    assert assess("opposition fighters", Location(place=written)).place.area == known.place.area


@pytest.mark.parametrize("written", ["FIRAT KALKANI", "Firat Kalkani", "fırat kalkanı"])
def test_a_turkish_name_is_the_same_in_capitals_and_without_its_dotless_i(written: str) -> None:
    assert normalise(written) == normalise("Fırat Kalkanı")


@given(st.lists(st.sampled_from([*VARIANTS, "ب", "س", " "]), min_size=1, max_size=12), st.data())
def test_any_mixture_of_keyboards_comes_to_one_name(letters: list[str], data: st.DataObject) -> None:
    mixed = "".join(data.draw(st.sampled_from(VARIANTS.get(letter, letter))) for letter in letters)
    assert normalise(mixed) == normalise("".join(letters))
