"""The visible part of a text: one notion for parties, areas, places and ids."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.text import is_invisible, says_something, visible
from services.rules.judging.names import normalise

HIDDEN = [
    "\u200b", "\u200e", "\u200f", "\u202e", "\u2066", "\u2069", "\ufeff", "\u00ad", "\u2060", "\u034f", "\ufe0f",
    "\u3164", "\U000e0041",
]  # fmt: skip


@pytest.mark.parametrize("letter", HIDDEN)
def test_what_nobody_sees_changes_no_name(letter: str) -> None:
    assert is_invisible(letter)
    assert visible(f"{letter}Iron{letter} State{letter}") == "Iron State"
    assert normalise(f"{letter}Iron{letter} State{letter}") == normalise("Iron State")
    assert not says_something(letter * 3)


@pytest.mark.parametrize("text", ["-", " ", "…", "()", "?!", "'", "ـ", "ʻ", "\u200b", "\u064b", "🚩", "\u3164"])
def test_without_a_letter_or_digit_nothing_is_said(text: str) -> None:
    assert not says_something(text)
    assert normalise(text) == ""


@pytest.mark.parametrize("text", ["a", "7", "٧", "م", "Я", "-1-", "Ⅳ", "字"])
def test_one_letter_or_digit_says_something(text: str) -> None:
    assert says_something(text)


@given(st.text())
def test_the_visible_is_composed_and_stays_as_it_is(text: str) -> None:
    seen = visible(text)
    assert visible(seen) == seen
    assert seen.isascii() or unicodedata.is_normalized("NFKC", seen)
    assert normalise(seen) == normalise(text)


@given(st.text())
@example("\N{CEDILLA}")
def test_only_a_text_that_says_something_has_a_normalised_name(text: str) -> None:
    assert not normalise(text) or says_something(visible(text))
