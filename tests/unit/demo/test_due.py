"""The alerts that are due are worked out from the public assessments alone."""

from typing import Any

import pytest

from services.demo.due import Desk, find_missing, is_due, why

ALL = Desk("all", ("violation", "undetermined"))
CALM = Desk("calm", ("violation",), ("aleppo-calm",))


def assessment(verdict: str = "violation", *, aggregate: bool = False, **findings: str) -> dict[str, Any]:
    told = [
        {"truce": truce.replace("_", "-"), "outcome": outcome, "reasons": []} for truce, outcome in findings.items()
    ]
    return {"incident_id": "i1", "verdict": verdict, "aggregate": aggregate, "findings": told, "reasons": []}


@pytest.mark.parametrize(
    ("judged", "all_of_it", "calm_only"),
    [
        (assessment(aleppo_calm="violation"), True, True),
        (assessment(cessation="violation", aleppo_calm="undetermined"), True, False),
        (assessment("undetermined", aleppo_calm="undetermined"), True, False),
        (assessment("undetermined", aggregate=True, aleppo_calm="undetermined"), False, False),
        (assessment("excluded", aleppo_calm="excluded"), False, False),
        (assessment("not_covered"), False, False),
    ],
)
def test_a_truce_counts_where_its_finding_carries_the_verdict(
    judged: dict[str, Any], all_of_it: bool, calm_only: bool
) -> None:
    assert (is_due(judged, ALL), is_due(judged, CALM)) == (all_of_it, calm_only)


def test_what_is_due_and_has_not_come_is_missing() -> None:
    judged = [("report-1", assessment(aleppo_calm="violation"))]
    missing = find_missing(judged, [ALL, CALM], {"all": {"i1"}})
    assert [(one.desk, one.report, one.incident_id) for one in missing] == [("calm", "report-1", "i1")]
    assert find_missing(judged, [ALL, CALM], {"all": {"i1"}, "calm": {"i1"}}) == []


def test_the_reason_told_is_the_one_that_says_most() -> None:
    judged = assessment(aleppo_calm="violation", cessation="not_covered")
    judged["findings"][0]["reasons"] = [
        {"code": "within_window", "text": "plain"},
        {"code": "umbrella_perpetrator", "text": "telling"},
    ]
    judged["findings"][1]["reasons"] = [{"code": "outside_area", "text": "of another verdict"}]
    assert why(judged) == "telling"
    judged["findings"][0]["reasons"].pop()
    assert why(judged) == "plain"
    assert why(assessment("not_covered")) == ""
