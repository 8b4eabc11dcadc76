"""The name of an incident, and the common ground of two reports."""

import string

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.instants import to_datetime
from schemas.report import Casualties, Location, Occurrence, Report, Source
from services.ingest.domain import identify, name_incident, next_retraction, next_revision, state_of
from tests.unit.ingest.samples import REPORT

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
    identities = {identify(msgspec.structs.replace(BASE, **{name: value})) for name, value in changed.items()}
    start, end = to_datetime(0), to_datetime(1)
    times = (Occurrence(start, start), Occurrence(start, end), Occurrence(end, end), Occurrence(date="1970-01-01"))
    identities |= {identify(msgspec.structs.replace(BASE, occurred=time)) for time in times}
    assert len(identities) == len(changed) + len(times)


def test_a_default_that_is_given_is_no_other_content() -> None:
    without = {name: value for name, value in REPORT.items() if name in ("external_id", "occurred", "act", "source")}
    given = {
        "perpetrators": [], "targets": [], "casualties": {}, "claims": [], "sites": [], "aggregate": False,
        "description": "", "evidence": [], "language": None,
    }  # fmt: skip
    place = {"lat": 36.2, "lon": 37.1}
    plain = msgspec.convert({**without, "location": place}, Report)
    full = {**without, **given, "location": {**place, "radius_km": 0.1, "place": None, "area": None}}
    assert identify(msgspec.convert(full, Report)) == identify(plain)


def test_the_next_revision_and_the_next_retraction() -> None:
    other = msgspec.structs.replace(BASE, act="rocket")
    assert next_revision(4, BASE, BASE) is None
    assert next_revision(4, BASE, other) == 5
    assert next_retraction(4, None, "why") == 5
    assert next_retraction(5, "why", "why") is None
    assert next_retraction(5, "why", "another") == 6


def test_the_state_is_that_of_the_newest_revision() -> None:
    assert state_of(2, retracted=False, assessed=1, dead=1) == "accepted"
    assert state_of(2, retracted=False, assessed=1, dead=2) == "dead_lettered"
    assert state_of(2, retracted=False, assessed=2, dead=2) == "assessed"
    assert state_of(2, retracted=True, assessed=2, dead=2) == "retracted"
