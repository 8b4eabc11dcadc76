"""Which language an Accept-Language header wants (RFC 9110, 12.5.4): by weight, then by order; nothing fails."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.vocabulary import LANGUAGES, Language
from services.platform.http.language import preferred_language

WEIGHTS = st.integers(0, 1000)
RANGES = st.lists(st.tuples(st.sampled_from([*LANGUAGES, "fr", "ar-SY", "ru-RU", "en-GB", "zh-Hans-CN", "*"]), WEIGHTS))


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", None),
        ("ar", "ar"),
        ("AR-sy", "ar"),
        ("fr", None),
        ("fr, ru;q=0.3", "ru"),
        ("en;q=0.5, ar;q=0.9, ru;q=0.7", "ar"),
        ("en;q=0.8,ru;q=0.8", "en"),
        ("ru;q=0.8,en;q=0.8", "ru"),
        ("ar-LB ; q=0.7 , en;q=0.5", "ar"),
        ("*", "en"),
        ("fr, *;q=0.1", "en"),
        ("en;q=0, *;q=0.5", "ar"),
        ("ru;q=0", None),
        ("ar;q=2, ru;q=0.1", "ru"),
        ("ar;q=high, ru;q=0.1", "ru"),
        ("ar;level=1, ru;q=0.1", "ru"),
        ("arabic", None),
        ("; , ;;=,, ru", "ru"),
    ],
)
def test_the_language_that_a_header_wants(header: str, wanted: Language | None) -> None:
    assert preferred_language(header) == wanted


@given(st.text() | st.text(alphabet="aren-ru*;q=01. ,\t"))
def test_any_header_wants_a_language_of_ours_or_none(header: str) -> None:
    assert preferred_language(header) in (*LANGUAGES, None)


@given(RANGES)
def test_no_other_language_has_a_greater_weight(ranges: list[tuple[str, int]]) -> None:
    header = ", ".join(f"{tag};q={weight / 1000:.3f}" for tag, weight in ranges)
    found = preferred_language(header)

    def weight_of(language: str) -> int:
        named = [weight for tag, weight in ranges if tag.split("-")[0] == language]
        return max(named or [weight for tag, weight in ranges if tag == "*"], default=0)

    heaviest = max(map(weight_of, LANGUAGES))
    assert (found is None) == (heaviest == 0)
    assert found is None or weight_of(found) == heaviest


@given(st.sampled_from(LANGUAGES), RANGES)
def test_a_language_without_a_weight_goes_before_all_others(language: Language, ranges: list[tuple[str, int]]) -> None:
    rest = "".join(f",{tag};q={min(weight, 999) / 1000:.3f}" for tag, weight in ranges)
    assert preferred_language(language + rest) == language


def test_a_long_header_is_cut() -> None:
    assert preferred_language("ru," * 1_000_000) == "ru"
    assert preferred_language("fr," * 1_000 + "ru") is None
