"""Raises, updates and cancellations of alerts. Source: the contract, "Alerts and subscriptions"."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from schemas.assessments import Assessment, Interval, ResolvedParty, ResolvedPlace
from schemas.report import Casualties, Location
from services.rules.assessing.domain.alerting import MATERIAL, AlertState, Surroundings, decide_alert, thread_id
from tests.unit.rules.build import assess, interval, registry, report

WORLD = registry()
VIOLATION = assess(WORLD, report())
STRADDLES = assess(WORLD, report(at=interval(230, 250)))
EXCLUDED = assess(WORLD, report(targets=("black",)))
ELSEWHERE = assess(WORLD, report(location=Location(lat=20.5, lon=20.5)))
AGGREGATE = assess(WORLD, report(aggregate=True))
RETRACTED = assess(WORLD, report(), retracted="we were wrong")


def decide(last: AlertState | None, assessment: Assessment) -> AlertState | None:
    return decide_alert(last, assessment, lambda _: Surroundings(), thread_id(assessment.incident_id))


def course(*assessments: Assessment) -> list[tuple[str, int, int] | None]:
    """The result of each assessment of one incident in turn: status, episode, revision; None where nothing is told."""
    last: AlertState | None = None
    told: list[tuple[str, int, int] | None] = []
    for one in assessments:
        decided = decide(last, one)
        told.append(None if decided is None else (decided.alert.status, decided.episode, decided.alert.revision))
        last = decided or last
    return told


@pytest.mark.parametrize(
    ("assessments", "told"),
    [
        ([VIOLATION], [("raised", 1, 1)]),
        ([STRADDLES], [("raised", 1, 1)]),
        ([EXCLUDED, ELSEWHERE, AGGREGATE, RETRACTED], [None, None, None, None]),
        ([EXCLUDED, VIOLATION], [None, ("raised", 1, 1)]),
        # From one verdict that alerts to the other it is the same alert.
        ([VIOLATION, STRADDLES, VIOLATION], [("raised", 1, 1), ("updated", 1, 2), ("updated", 1, 3)]),
        ([VIOLATION, VIOLATION], [("raised", 1, 1), None]),
        ([VIOLATION, EXCLUDED, ELSEWHERE], [("raised", 1, 1), ("cancelled", 1, 2), None]),
        ([STRADDLES, ELSEWHERE], [("raised", 1, 1), ("cancelled", 1, 2)]),
        # An aggregate is undetermined, and is no alert all the same.
        ([STRADDLES, AGGREGATE, AGGREGATE], [("raised", 1, 1), ("cancelled", 1, 2), None]),
        ([VIOLATION, RETRACTED, VIOLATION], [("raised", 1, 1), ("cancelled", 1, 2), ("raised", 2, 1)]),
        (
            [VIOLATION, EXCLUDED, STRADDLES, VIOLATION, RETRACTED],
            [("raised", 1, 1), ("cancelled", 1, 2), ("raised", 2, 1), ("updated", 2, 2), ("cancelled", 2, 3)],
        ),
    ],
)
def test_the_course_of_an_alert(assessments: Sequence[Assessment], told: Sequence[tuple[str, int, int] | None]) -> None:
    assert course(*assessments) == list(told)


def test_a_violation_again_is_a_new_alert_in_the_same_thread() -> None:
    first = decide(None, VIOLATION)
    assert first is not None
    gone = decide(first, RETRACTED)
    again = decide(gone, VIOLATION)
    assert again is not None
    assert again.alert.id != first.alert.id
    assert again.alert.thread == first.alert.thread
    assert again.alert.changes == ()


CHANGED: dict[str, Any] = {
    "verdict": "undetermined",
    "certainty": "Possible",
    "severity": "Extreme",
    "truces": (*VIOLATION.findings, msgspec.structs.replace(VIOLATION.findings[0], truce="other")),
    "perpetrators": (ResolvedParty("Reds", "red"),),
    "targets": (),
    "place": ResolvedPlace(name="the old bridge", lat=0.5, lon=0.5, radius_km=1.0),
    "occurred": Interval("2030-03-02T00:00:00Z", "2030-03-02T00:00:01Z"),
    "act": "mortar",
    "casualties": Casualties(killed=0),
}


def test_every_material_field_has_a_case() -> None:
    assert set(CHANGED) == set(MATERIAL)


@pytest.mark.parametrize("name", [name for name in MATERIAL if name != "verdict"])
def test_a_material_change_is_told_alone_with_what_was_before(name: str) -> None:
    raised = decide(None, VIOLATION)
    assert raised is not None
    field = "findings" if name == "truces" else name
    updated = decide(raised, msgspec.structs.replace(VIOLATION, **{field: CHANGED[name]}))
    assert updated is not None
    assert updated.alert.status == "updated"
    assert [(c.field, c.before) for c in updated.alert.changes] == [(name, getattr(raised.alert, name))]


def test_an_update_tells_all_that_changed_in_one_order() -> None:
    raised = decide(None, VIOLATION)
    updated = decide(raised, STRADDLES)
    assert updated is not None
    assert [c.field for c in updated.alert.changes] == ["verdict", "certainty", "occurred"]


@pytest.mark.parametrize(
    "immaterial",
    [{"reasons": ()}, {"revision": 7}, {"registry_version": 9}, {"assessed_at": "2031-01-01T00:00:00Z"}],
)
def test_other_changes_are_not_told(immaterial: dict[str, Any]) -> None:
    assert decide(decide(None, VIOLATION), msgspec.structs.replace(VIOLATION, **immaterial)) is None


def test_a_cancelled_alert_names_no_truce() -> None:
    gone = decide(decide(None, VIOLATION), RETRACTED)
    assert gone is not None
    assert gone.alert.truces == ()
    assert ("verdict", "violation", "not_covered") in [(c.field, c.before, c.after) for c in gone.alert.changes]
    assert [reason.code for reason in gone.alert.reasons] == ["retracted"]
