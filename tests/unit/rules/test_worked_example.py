"""The worked example, from the project's own copy: verdict, certainty, severity, each truce's finding, the reason."""

import csv
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.assessments import Assessment
from schemas.instants import parse_instant, to_datetime
from schemas.report import Location, Report
from services.rules.judging.evaluate import Case, Judge
from services.rules.registry.file import load_registry_file

SCENARIO = Path(__file__).parents[3] / "deploy" / "scenarios" / "syria_2016"
START = parse_instant("2016-03-01T00:00:00Z")
TRUCES = ("cessation-of-hostilities", "eastern-ghouta-calm", "latakia-calm", "aleppo-calm")


def expected() -> list[dict[str, str]]:
    with (SCENARIO / "expected.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def judge() -> Judge:
    return Judge(load_registry_file(SCENARIO / "registry.yaml").registry)


def reports() -> list[Report]:
    lines = (SCENARIO / "reports.jsonl").read_bytes().splitlines()
    return [msgspec.json.decode(line, type=Report) for line in lines]


@cache
def assessments() -> dict[str, Assessment]:
    cases = [Case(report.external_id, 1, report) for report in reports()]
    return {a.incident_id: a for a in judge().assess(cases, now=0)}


def codes(assessment: Assessment) -> set[str]:
    return {r.code for r in assessment.reasons} | {r.code for f in assessment.findings for r in f.reasons}


@pytest.mark.parametrize("row", expected(), ids=lambda row: row["external_id"])
def test_agrees_with_the_table(row: dict[str, str]) -> None:
    got = assessments()[row["external_id"]]
    outcomes = {finding.truce: finding.outcome for finding in got.findings}
    assert got.verdict == row["verdict"]
    assert outcomes == {truce: row[truce] for truce in TRUCES if row[truce]}
    if row["certainty"]:
        assert got.certainty == row["certainty"]
    if row["severity"]:
        assert got.severity == row["severity"]
    assert row["must_state"] in codes(got)


def test_the_table_and_the_reports_are_all_there() -> None:
    assert [row["external_id"] for row in expected()] == [report.external_id for report in reports()]
    assert len(expected()) == 24


def finding(id: str, truce: str) -> Any:
    return next(f for f in assessments()[id].findings if f.truce == truce)


def test_the_window_of_a_finding_is_the_stretch_around_its_first_covered_moment() -> None:
    window = finding("midan-20160508", "aleppo-calm").window
    assert msgspec.to_builtins(window) == {
        "from": "2016-05-06T21:01:00Z", "to": "2016-05-09T21:01:00Z", "disputed": False, "area": "aleppo-city",
        "announcements": ("russia-20160506",),
    }  # fmt: skip


def test_abutting_windows_count_as_one() -> None:
    window = finding("ghouta-strike-20160503", "eastern-ghouta-calm").window
    assert (window.start, window.end) == ("2016-04-29T22:00:00Z", "2016-05-03T22:00:00Z")
    assert window.announcements == ("army-20160429", "army-20160501", "army-20160502")


def test_a_disputed_stretch_names_the_accounts_that_make_it_so() -> None:
    window = finding("aleppo-disputed-20160504", "aleppo-calm").window
    assert (window.start, window.end, window.disputed) == ("2016-05-03T21:01:00Z", "2016-05-04T22:00:00Z", True)
    assert (window.announcements, window.area) == (("us-20160504",), "aleppo-governorate")
    assert finding("aleppo-disputed-20160504", "aleppo-calm").certainty == "Possible"
    assert finding("aleppo-disputed-20160504", "cessation-of-hostilities").certainty == "Likely"


def test_with_no_covered_moment_the_window_is_the_nearest_one() -> None:
    window = finding("zahra-mortar-20160502", "aleppo-calm").window
    assert window.start == "2016-05-03T21:01:00Z"
    assert finding("khan-tuman-20160509", "aleppo-calm").reasons[0].code == "outside_area"
    assert finding("khan-tuman-20160509", "aleppo-calm").window.start == "2016-05-09T22:00:00Z"


def test_an_excluded_group_recorded_at_the_place_is_told_with_its_area() -> None:
    reasons = finding("midan-20160508", "aleppo-calm").reasons
    assert [(r.code, r.fact) for r in reasons if r.code == "excluded_group_present"] == [
        ("excluded_group_present", {"party": "nusra", "area": "aleppo-city"})
    ]
    assert assessments()["midan-20160508"].reasons == ()


def ways_of_typing(name: str) -> list[str]:
    """One name on other keyboards, in capitals, with tatweel, marks of direction and a country in brackets."""
    persian = name.replace("\u064a", "\u06cc").replace("\u0643", "\u06a9")
    return [name, name.upper(), name.casefold(), persian, f"\u2067{name}\u2069", f" {name} ", f"{name} (Syria)"]


def every_name() -> list[tuple[str, str, int]]:
    """Each name and alias of each party, in all languages, with a moment at which it was in use."""
    registry = judge().registry
    return [
        (party.id, name, moment)
        for party in registry.parties.values()
        for name, moment in (
            *((name, START) for name in party.names.values()),
            *((alias.name, alias.period.start or START) for alias in party.aliases),
        )
    ]


@pytest.mark.parametrize(("id", "name", "moment"), every_name())
def test_every_party_is_found_by_each_of_its_names_however_typed(id: str, name: str, moment: int) -> None:
    report = next(one for one in reports() if one.location.place == "Midan, Aleppo")
    at = msgspec.structs.replace(report, occurred=to_datetime(moment))
    for written in ways_of_typing(name):
        told = msgspec.structs.replace(at, perpetrators=(written,))
        (got,) = judge().assess([Case("named", 1, told)], now=0)
        assert [(one.reported, one.party) for one in got.perpetrators] == [(written, id)]


def test_a_point_at_0_0_leaves_the_place_to_its_name() -> None:
    template = reports()[0]

    def located(location: Location) -> Assessment:
        report = msgspec.structs.replace(template, location=location)
        return judge().assess([Case("zero", 1, report)], now=0)[0]

    named, zero = located(Location(place="Al-Hasakah")), located(Location(place="Al-Hasakah", lat=0, lon=0))
    assert zero.place == named.place
    assert zero.findings == named.findings
    assert zero.verdict != "not_covered"
    assert "point_placeholder" in codes(zero)
    unknown = located(Location(place="Midan, Aleppo", lat=0, lon=0))
    assert unknown.findings == located(Location(place="Midan, Aleppo")).findings


def test_a_syrian_point_with_its_coordinates_exchanged_says_so() -> None:
    report = msgspec.structs.replace(reports()[0], location=Location(lat=40.1, lon=35.3, radius_km=1.0))
    (got,) = judge().assess([Case("mirrored", 1, report)], now=0)
    assert "point_mirrored" in codes(got)
    assert got.verdict == "not_covered"
