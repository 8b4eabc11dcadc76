"""Decisions of operators on a report: what they change in its judgement, and what they leave."""

from schemas.decisions import RulesVerdict
from schemas.report import Location
from services.rules.assessing.domain.alerting import reasons_of, truces_of
from services.rules.judging.evaluate import Case, Judge
from services.rules.judging.keys import name_key, party_key
from services.rules.judging.model import CompiledPlace
from tests.unit.rules.build import AREAS, area, assess, codes, decision, interval, registry, report, square

COARSE = report(location=Location(place="Somewhere near the city"))


def test_a_decided_place_is_judged_in_place_of_the_reported_one() -> None:
    got = assess(registry(), COARSE, decisions=(decision(1, place=Location(lat=0.5, lon=0.5, radius_km=2)),))
    assert assess(registry(), COARSE).verdict == "undetermined"
    assert (got.verdict, got.place.lat, got.place.radius_km) == ("violation", 0.5, 2)
    assert got.place.name == "Somewhere near the city"
    assert (got.rules, [one.kind for one in got.decisions]) == (None, ["place"])


def test_a_decided_place_settles_a_disagreement_and_a_point_that_looks_exchanged() -> None:
    world = registry(areas=(*AREAS, area("far", square(40, 60, 1))))
    for location in (Location(lat=0.5, lon=0.5, area="abroad"), Location(lat=40.5, lon=60.5)):
        decided = decision(1, place=Location(lat=40.5, lon=60.5))
        doubtful = {"place_disagreement", "point_mirrored"}
        assert doubtful & set(codes(assess(world, report(location=location))))
        assert not doubtful & set(codes(assess(world, report(location=location), decisions=(decided,))))


def test_a_name_that_was_decided_to_mean_a_party_keeps_its_words() -> None:
    decided = decision(1, parties={"The Tuesday Brigade": "black"})
    for reported in ("The Tuesday Brigade", "tuesday brigade"):
        got = assess(registry(), report(perpetrators=(reported,)), decisions=(decided,))
        (actor,) = got.perpetrators
        assert (actor.reported, actor.party, got.verdict) == (reported, "black", "excluded")
        assert "unresolved_party" not in codes(got)


def test_a_decision_on_a_party_that_the_registry_does_not_have_changes_nothing() -> None:
    plain, decided = report(perpetrators=("X",)), decision(1, parties={"X": "gone"})
    assert assess(registry(), plain, decisions=(decided,)).perpetrators == assess(registry(), plain).perpetrators
    (keys,) = Judge(registry()).keys_of([Case("i1", 1, plain, decisions=(decided,))])
    assert party_key("gone") in keys.names


def test_a_decided_verdict_leaves_findings_and_severity_and_stands_beside_that_of_the_rules() -> None:
    doubtful = report(at=interval(230, 250), killed=3)
    judged = assess(registry(), doubtful)
    got = assess(registry(), doubtful, decisions=(decision(1, verdict="violation"),))
    assert (got.verdict, got.certainty) == ("violation", "Likely")
    assert got.rules == RulesVerdict("undetermined", "Unknown")
    assert (got.findings, got.severity) == (judged.findings, judged.severity)
    # The alert names the truces, and tells the reasons, of the findings that the rules' verdict rests on.
    assert truces_of(got) == truces_of(judged) == ("calm",)
    assert {"time_straddles_window", "verdict_decided"} <= {reason.code for reason in reasons_of(got)}


def test_the_certainty_of_a_decided_verdict() -> None:
    for verdict, certainty, told in (
        ("violation", "Observed", "Observed"),
        ("undetermined", None, "Unknown"),
        ("excluded", None, None),
        ("not_covered", None, None),
    ):
        decided = decision(1, verdict=verdict, certainty=certainty)
        got = assess(registry(), report(), decisions=(decided,))
        assert (got.verdict, got.certainty) == (verdict, told)


def test_the_last_decision_of_a_kind_counts() -> None:
    first, last = decision(1, verdict="excluded"), decision(2, verdict="not_covered")
    assert assess(registry(), report(), decisions=(last, first)).verdict == "not_covered"
    names = report(perpetrators=("X",), targets=("Y",))
    several = (decision(1, parties={"X": "black", "Y": "blue"}), decision(2, parties={"X": "red"}))
    got = assess(registry(), names, decisions=several)
    assert [actor.party for actor in (*got.perpetrators, *got.targets)] == ["red", "blue"]


def test_nothing_is_decided_about_a_report_while_it_is_retracted() -> None:
    got = assess(registry(), report(), retracted="a film set", decisions=(decision(1, verdict="violation"),))
    assert (got.verdict, codes(got), got.rules) == ("not_covered", ["retracted"], None)
    assert len(got.decisions) == 1


def test_a_change_of_the_registry_finds_an_incident_by_its_decided_place_and_parties() -> None:
    world = registry(places=(CompiledPlace("p1", "Midan", 0.5, 0.5, 1.0),))
    decided = (decision(1, place=Location(place="Midan")), decision(2, parties={"X": "navy"}))
    (keys,) = Judge(world).keys_of([Case("i1", 1, report(perpetrators=("X",)), decisions=decided)])
    assert {name_key("midan"), party_key("navy"), party_key("blue")} <= keys.names
    assert keys.boxes
