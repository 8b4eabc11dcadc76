"""Rule 20: a name that says that nobody is known counts as no name on its side; the reported words are kept."""

import pytest

from schemas.assessments import Assessment
from schemas.report import Report
from services.rules.judging.evaluate import Case
from services.rules.judging.names import names_nobody
from tests.unit.rules.test_worked_example import codes, judge, reports

NOBODY = [
    "Unknown", "UNIDENTIFIED", "not known", "Unattributed", "N/A", "n.a.", "None", "NULL", "nan", "-", " ", "\u200b",
    "Unidentified Armed Group (Syria)", "gunmen, unknown", "مجهول", "مسلحون مجهولون", "غير معروف", "неизвестные",
]  # fmt: skip


def assess(perpetrators: tuple[str, ...] = (), targets: tuple[str, ...] = ("civilians",)) -> Assessment:
    template = next(report for report in reports() if report.location.place == "Midan, Aleppo")
    report = Report(
        external_id="nobody",
        occurred=template.occurred,
        act="airstrike",
        location=template.location,
        source=template.source,
        perpetrators=perpetrators,
        targets=targets,
    )
    return judge().assess([Case("nobody", 1, report)], now=0)[0]


@pytest.mark.parametrize("name", NOBODY)
def test_a_placeholder_is_judged_like_an_empty_perpetrator(name: str) -> None:
    control, assessed = assess(), assess((name,))
    assert assessed.findings == control.findings
    assert (assessed.verdict, assessed.certainty) == (control.verdict, control.certainty)
    assert "unattributed" in codes(assessed)
    assert "unresolved_party" not in codes(assessed)
    assert [(one.reported, one.party) for one in assessed.perpetrators] == [(name, None)]


def test_a_placeholder_is_judged_like_an_empty_target() -> None:
    assert assess(("Syrian Army",), ("unknown",)).findings == assess(("Syrian Army",), ()).findings


def test_the_others_named_beside_a_placeholder_are_judged_without_it() -> None:
    assert assess(("unknown", "ISIS")).findings == assess(("ISIS",)).findings


@pytest.mark.parametrize("name", ["Unknownland Army", "Front of the unknown soldier", "Nantes Brigade", "The"])
def test_other_names_name_somebody(name: str) -> None:
    assert not names_nobody(name)
