"""What an incident is called, and what two reports have in common."""

import string

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.report import Casualties, Location, Report, Source
from services.ingest.domain import Latest, identify, name_incident, next_retraction, next_revision, state_of
from tests.unit.ingest.desk import REPORT

NAMES = st.text(min_size=1, max_size=20)
BASE = msgspec.convert(REPORT, Report)


@given(partner=NAMES, external_id=NAMES, other=NAMES)
def test_an_id_is_a_function_of_both_names_and_fit_for_a_url(partner: str, external_id: str, other: str) -> None:
    name = name_incident(partner, external_id)
    assert name == name_incident(partner, external_id)
    assert set(name) <= set(string.hexdigits.lower())
    if other != external_id:
        assert name_incident(partner, other) != name
    if partner != external_id:
        assert name_incident(external_id, partner) != name


def test_names_that_run_together_are_told_apart() -> None:
    assert name_incident("ab", "c") != name_incident("a", "bc")


def test_every_field_of_a_report_counts_in_its_identity() -> None:
    changed = {
        "external_id": "other", "act": "rocket", "location": Location(place="x"), "source": Source("x"),
        "perpetrators": ("x",), "targets": ("x",), "casualties": Casualties(killed=9), "claims": ("accident",),
        "sites": ("camp",), "aggregate": True, "description": "x", "evidence": ("x",), "language": "ar",
    }  # fmt: skip
    assert {*changed, "occurred"} == set(Report.__struct_fields__)
    identities = {identify(msgspec.structs.replace(BASE, **{name: value}), 0, 1) for name, value in changed.items()}
    identities |= {identify(BASE, 0, 1), identify(BASE, 0, 2), identify(BASE, 1, 2)}
    assert len(identities) == len(changed) + 3


def test_the_next_revision_and_the_next_retraction() -> None:
    latest, retracted = Latest(4, b"a", None), Latest(5, b"a", "why")
    assert next_revision(None, b"a") == 1
    assert next_revision(latest, b"a") is None
    assert next_revision(latest, b"b") == 5
    assert next_revision(retracted, b"a") is None
    assert next_revision(retracted, b"b") == 6
    assert next_retraction(latest, "why") == 5
    assert next_retraction(retracted, "why") is None
    assert next_retraction(retracted, "another") == 6


def test_the_state_is_that_of_the_newest_revision() -> None:
    assert state_of(2, retracted=False, assessed=1, dead=1) == "accepted"
    assert state_of(2, retracted=False, assessed=1, dead=2) == "dead_lettered"
    assert state_of(2, retracted=False, assessed=2, dead=2) == "assessed"
    assert state_of(2, retracted=True, assessed=2, dead=2) == "retracted"
