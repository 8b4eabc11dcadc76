"""Faults of rows in the words of a data officer."""

import re
from typing import Any, get_args

import pytest

from schemas.vocabulary import ACTS, LANGUAGES, Language
from schemas.wording.words import words
from services.connectors.fault_sentences import nearest, share_faults, tell_fault, tell_shared
from services.connectors.model import FaultCode, RefusedRow, RowFault

CODES: tuple[FaultCode, ...] = get_args(FaultCode)
COUNT = RowFault("not_a_count", "casualties.killed", "1,234", "/casualties/killed", example="1234")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", CODES)
def test_every_fault_has_a_sentence_in_every_language(code: FaultCode, language: Language) -> None:
    told = tell_fault(RowFault(code, "a column", "a cell", detail="more"), language)
    assert "a column" in told
    assert "a cell" in told
    assert "{" not in told


@pytest.mark.parametrize("code", CODES)
def test_no_sentence_shows_an_expression_or_a_codec(code: FaultCode) -> None:
    assert not re.search(r"[\^$\\]|utf-8-sig|codec|regex", words("en").say(f"fault.{code}", detail=""))


def test_the_cell_stands_as_it_is_with_what_is_wanted_and_an_example() -> None:
    assert tell_fault(COUNT, "en") == (
        "column casualties.killed, “1,234”: A whole number is wanted, without a separator of thousands. "
        "For example: 1234."
    )


def test_the_same_fault_in_many_rows_is_told_once_with_the_count() -> None:
    other = RowFault("not_allowed", "act", "Shelling", "/act", nearest="shelling", allowed=("shelling", "mortar"))
    refused = [(2, RefusedRow((COUNT, other), "a")), (3, RefusedRow((COUNT,), "b")), (9, RefusedRow((COUNT,), "c"))]
    shared = share_faults(refused)
    assert [(s.fault, len(s.rows)) for s in shared] == [(COUNT, 3), (other, 1)]
    assert tell_shared(shared[0], "en").startswith("line 2, and 2 more rows, column casualties.killed, “1,234”: ")
    assert tell_shared(shared[1], "en") == (
        "line 2, a, column act, “Shelling”: This value is not allowed here. The nearest allowed value is shelling."
    )


def test_it_is_told_in_the_language_of_the_reader() -> None:
    assert tell_fault(COUNT, "ru").startswith("столбец casualties.killed, «1,234»: Нужно целое число")
    assert "المطلوب عدد صحيح" in tell_fault(COUNT, "ar")


@pytest.mark.parametrize(
    ("cell", "value"),
    [("Shelling", "shelling"), ("air strike", "airstrike"), ("Small Arms", "small_arms"), ("mortor", "mortar"),
     ("Autre chose", ""), ("", ""), ("x" * 100_000, "")],
)  # fmt: skip
def test_the_nearest_allowed_value_is_found_past_case_and_blanks(cell: str, value: str) -> None:
    assert nearest(cell, ACTS) == value


def test_a_long_or_hostile_cell_stays_one_short_line() -> None:
    told: Any = tell_fault(RowFault("not_a_number", "c", "9" * 500 + "\n\u202ex"), "en")
    assert "\n" not in told
    assert "\u202e" not in told
    assert len(told) < 200
