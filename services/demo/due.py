"""Which alerts are due to whom, as a subscriber would work it out from the public assessments alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Desk:
    """One subscription of the demo. ``truces`` empty: all of them."""

    name: str
    verdicts: tuple[str, ...]
    truces: tuple[str, ...] = ()

    def draft(self, channel: Mapping[str, str]) -> dict[str, Any]:
        """The body that is posted to subscribe."""
        wanted = {"verdicts": list(self.verdicts), "truces": list(self.truces)}
        return {"name": self.name, "channel": dict(channel), "filter": wanted}


@dataclass(frozen=True, slots=True)
class Missing:
    """An alert that should have come and did not."""

    desk: str
    report: str
    incident_id: str


def is_due(assessment: Mapping[str, Any], desk: Desk) -> bool:
    """Whether an assessment of a first revision owes the desk an alert. An aggregate never alerts; a truce counts
    where its finding carries the verdict."""
    verdict = assessment["verdict"]
    if verdict not in desk.verdicts or assessment["aggregate"]:
        return False
    carrying = {finding["truce"] for finding in assessment["findings"] if finding["outcome"] == verdict}
    return not desk.truces or not carrying.isdisjoint(desk.truces)


def find_missing(
    judged: Iterable[tuple[str, Mapping[str, Any]]], desks: Sequence[Desk], arrived: Mapping[str, set[str]]
) -> list[Missing]:
    """The alerts that are due and have not arrived. ``judged``: reports by name with their assessments; ``arrived``:
    incidents by desk."""
    return [
        Missing(desk.name, report, assessment["incident_id"])
        for report, assessment in judged
        for desk in desks
        if is_due(assessment, desk) and assessment["incident_id"] not in arrived.get(desk.name, set())
    ]


def why(assessment: Mapping[str, Any]) -> str:
    """The reason that says most, in its own words: what makes the verdict less than plain, else what makes it."""
    findings = [f for f in assessment["findings"] if f["outcome"] == assessment["verdict"]]
    reasons = [*(r for f in findings for r in f["reasons"]), *assessment["reasons"]]
    telling = [reason for reason in reasons if reason["code"] not in _PLAIN]
    return str((telling or reasons or [{"text": ""}])[0]["text"])


#: True of most reports, and so least worth the one line that there is.
_PLAIN = frozenset({"within_window", "bound_perpetrator", "source_grade", "outside_window"})
