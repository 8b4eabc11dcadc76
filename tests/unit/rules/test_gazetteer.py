"""The bundled gazetteer: what its names stand for, and that it disturbs no report of the worked example."""

from functools import cache

import msgspec

from schemas.report import Location, Report
from services.rules.judging.evaluate import Case, Judge
from services.rules.judging.model import CompiledRegistry
from services.rules.judging.names import normalise
from services.rules.registry.file import load_registry_file
from tests.scenario import SCENARIO, reports


@cache
def registry() -> CompiledRegistry:
    return load_registry_file(SCENARIO / "registry.yaml").registry


@cache
def judge() -> Judge:
    return Judge(registry())


def bearers(name: str) -> list[str]:
    """The places that bear a name, as names are compared."""
    wanted = normalise(name)
    return sorted(
        place.id
        for place in registry().places.values()
        if wanted in {normalise(one) for one in (place.name, *place.aliases)}
    )


def test_every_unit_of_the_country_is_there() -> None:
    assert len(registry().places) == 14 + 62 + 272


def test_a_name_is_found_in_arabic_and_in_other_spellings() -> None:
    assert bearers("حلب") == bearers("Aleppo") == ["sy-aleppo"]
    assert bearers("Arbin") == bearers("عربين") == ["sy-rif-dimashq-markaz-rif-dimashq-arbin"]


def test_a_name_alone_is_the_widest_unit_that_holds_its_namesakes() -> None:
    assert bearers("Idlib") == ["sy-idlib"]
    assert bearers("Idlib District") == ["sy-idlib-idlib"]


def test_namesakes_that_lie_apart_leave_the_name_ambiguous() -> None:
    assert bearers("Suran") == ["sy-aleppo-azaz-suran", "sy-hama-hama-suran"]
    assert bearers("Douma") == bearers("Duma") == ["sy-rif-dimashq-douma", "sy-rif-dimashq-douma-duma"]


def test_no_reported_place_of_the_worked_example_disagrees_with_its_name() -> None:
    posted = [msgspec.convert(report, Report) for report in reports()]
    assessed = judge().assess([Case(report.external_id, 1, report) for report in posted], now=0)
    assert [a.incident_id for a in assessed if any(r.code == "place_disagreement" for r in a.reasons)] == []


def test_an_ambiguous_name_alone_proves_nothing() -> None:
    report = msgspec.convert(reports()[0], Report)
    vague = msgspec.structs.replace(report, location=Location(place="Suran"))
    (assessed,) = judge().assess([Case("vague", 1, vague)], now=0)
    assert assessed.verdict == "undetermined"
    assert any(r.code == "place_unresolved" for finding in assessed.findings for r in finding.reasons)
