"""Rule 20: whole names after normalising, never substrings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.rules.judging.model import CompiledAlias, Period
from services.rules.judging.names import Match, NameIndex, find_party, index_parties, normalise
from tests.unit.rules.build import party


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("إدلب", "ادلب"),
        ("مسؤول", "مسؤول"),
        ("ISIS", "isis"),
        ("Ḥizbullāh", "hizbullah"),
        ("Hay’at Tahrir al-Sham", "hayat tahrir sham"),
        ("Hayʾat Taḥrīr aš-Šām", "hayat tahrir sam"),
        ("Jabhat an-Nusra", "jabhat nusra"),
        ("Ash-Shaʿb", "shab"),
        ("ar-Rahman, as-Sham; at-Tall: ad-Dumayr / az-Zahra", "rahman sham tall dumayr zahra"),
        ("an Nusra", "an nusra"),
        ("The El Dorado", "dorado"),
        ("S.A.A.", "s a a"),
        ("Assad's forces", "assads forces"),
        ("  many   spaces\tand\nlines ", "many spaces and lines"),
        ("جَيْشُ الإسلام", "جيش اسلام"),
        ("أحرار الشـــام", "احرار شام"),
        ("آل ٱلنصرة", "ال نصره"),
        ("مدى", "مدي"),
        ("ال", "ال"),
        ("الم", "الم"),
        ("المر", "مر"),
        ("вооружённая оппозиция", "вооруженная оппозиция"),
        ("تنظیم الدولة الإسلامیة", "تنظيم دوله اسلاميه"),
        ("\u0627\u0644\u062d\u0633\u06a9\u0629", "\u062d\u0633\u0643\u0647"),
        ("\u062d\u0633\u0643\u06d5", "\u062d\u0633\u0643\u0647"),
        ("Fırat Kalkanı", "firat kalkani"),
        ("FIRAT KALKANI", "firat kalkani"),
        ("FİRAT", "firat"),
        ("اللواء ٤٧", "لواء 47"),
        ("Brigade ۴۷", "brigade 47"),
        ("Йод", "йод"),
        ("the", ""),
        ("—", ""),
    ],
)
def test_normalising(written: str, plain: str) -> None:
    assert normalise(written) == plain


@given(st.text(st.characters(codec="ascii"), max_size=40))
def test_the_short_way_of_plain_ascii_comes_to_the_same(name: str) -> None:
    assert normalise(name) == normalise(f"{name}\u200d")


@given(st.text(max_size=40))
def test_normalising_twice_changes_nothing(name: str) -> None:
    assert normalise(normalise(name)) == normalise(name)


_PIECES = st.sampled_from(
    [
        "al",
        "the",
        "an-",
        "ash-",
        "ال",
        "لا",
        "الا",
        "é",
        "ـ",
        "ّ",
        "’",
        "-",
        " ",
        "x",
        "sham",
        "أ",
        "İ",
        "ſ",
        "\u0301",
        "\u0654",
        "\u06cc",
        "\u0649",
        "\u06d5",
        "\u06c0",
        "\u06c1",
        "\u06a9",
        "\u0451",
        "\u0435",
        "\u0300",
        "\u0308",
        "\u0664",
        "\u0131",
    ]
)


@given(st.lists(_PIECES, max_size=12).map("".join))
def test_normalising_twice_changes_nothing_where_articles_and_marks_pile_up(name: str) -> None:
    assert normalise(normalise(name)) == normalise(name)


_WORD = st.text(alphabet="bcdfgmnrt", min_size=2, max_size=6)


@given(st.lists(_WORD, min_size=1, max_size=4), st.lists(_WORD, min_size=1, max_size=2), st.integers(0, 4))
def test_a_name_with_more_words_never_matches(known: list[str], more: list[str], at: int) -> None:
    index = NameIndex.of([(" ".join(known), "it")])
    assert index.find(" ".join(known[:at] + more + known[at:])) == ()


@given(_WORD, _WORD)
def test_a_longer_word_never_matches(known: str, more: str) -> None:
    index = NameIndex.of([(known, "it")])
    assert index.find(known + more) == ()
    assert index.find(more + known) == ()


def test_one_army_is_not_another() -> None:
    index = NameIndex.of([("Hayat Tahrir al-Sham", "one"), ("Tahrir al-Sham Army", "other")])
    assert index.find("Tahrir al-Sham") == ()
    assert index.find("TAHRIR ash-Shām army") == ("other",)


PARTIES = {
    p.id: p
    for p in (
        party("one", names={"en": "The Front", "ar": "الجبهة"}, aliases=(CompiledAlias("Shared", Period(None, 10)),)),
        party(
            "two",
            names={"en": "two"},
            aliases=(CompiledAlias("Shared", Period(10, None)), CompiledAlias("Later", Period(20, 30))),
        ),
        party("three", names={"en": "three"}, aliases=(CompiledAlias("Twin"),)),
        party("four", names={"en": "four"}, aliases=(CompiledAlias("Twin"),)),
    )
}
INDEX = index_parties(PARTIES.values())


@pytest.mark.parametrize(
    ("reported", "at", "match"),
    [
        ("one", 0, Match("one")),
        ("front", 0, Match("one")),
        ("جبهة", 0, Match("one")),
        ("Shared", 9, Match("one")),
        ("Shared", 10, Match("two")),
        ("Later", 19, Match("two", in_period=False)),
        ("Later", 20, Match("two")),
        ("Later", 30, Match("two", in_period=False)),
        ("Twin", 0, Match(None)),
        ("Front Page", 0, Match(None)),
        ("The", 0, Match(None)),
    ],
)
def test_finding_a_party(reported: str, at: int, match: Match) -> None:
    assert find_party(reported, at, PARTIES, INDEX) == match
