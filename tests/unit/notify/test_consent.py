"""The consent of readers, as a table; and what a confirmation shows of a name that anybody may choose."""

import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.consent import CONTACT, ContactEvent
from services.notify.domain.subscription import ContactState
from services.notify.render.plain import NAME_LENGTH, plain_name


def test_a_contact_is_confirmed_only_after_it_was_set_and_never_once_it_is_blocked() -> None:
    assert {before for (before, event), _ in CONTACT.items() if event == "confirmed"} == {"waiting", "asked"}
    assert {after for (_, event), after in CONTACT.items() if event == "confirmed"} == {"confirmed"}
    assert {after for (_, event), after in CONTACT.items() if event == "blocked"} == {"blocked"}
    assert {after for (_, event), after in CONTACT.items() if event == "set"} == {"waiting"}


@pytest.mark.parametrize("event", ["set", "unset", "stalled", "blocked"])
def test_what_may_happen_in_any_state_is_in_the_table(event: ContactEvent) -> None:
    assert all((state, event) in CONTACT for state in get_args(ContactState))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Aleppo desk", "Aleppo desk"),
        ("Desk no. 4", "Desk no. 4"),
        ("مرصد حلب", "مرصد حلب"),
        ("Win at https://evil.example/x?y now", "Win at https evil example x?y now"),
        ("www.evil.example", "www evil example"),
        ("mail me@evil.example", "mail me evil example"),
        ("x" * 300, "x" * (NAME_LENGTH - 1) + "…"),
        ("two\r\nlines", "two lines"),
    ],
)
def test_a_confirmation_shows_a_name_without_links(name: str, shown: str) -> None:
    assert plain_name(name) == shown


@given(st.text(max_size=300))
def test_no_name_makes_a_link(name: str) -> None:
    shown = plain_name(name)
    assert len(shown) <= NAME_LENGTH
    assert not re.search(r"://|@|\w\.\w|\w/\w", shown)
