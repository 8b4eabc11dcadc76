"""Whether an assessment raises, updates or cancels an alert. Source: the contract, "Alerts and subscriptions".

Ids are functions of what they name: the same decision taken twice gives the same alert, revision and thread.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from schemas.assessments import Alert, AlertTexts, Assessment, Change, Finding, Reason
from schemas.causes import Cause

#: The fields whose change is material, in the order in which changes are listed.
MATERIAL: Final = (
    "verdict", "certainty", "severity", "truces", "perpetrators", "targets", "place", "occurred", "act", "casualties",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AlertState:
    """The last alert of an incident. ``episode`` counts its alerts: a violation again after a cancellation is a new
    alert in the same thread."""

    episode: int
    alert: Alert


@dataclass(frozen=True, slots=True)
class Surroundings:
    """An alert beyond its assessment: areas touched, sentences and names by language, local time."""

    areas: tuple[str, ...] = ()
    texts: dict[str, AlertTexts] = field(default_factory=dict)
    names: dict[str, dict[str, str]] = field(default_factory=dict)
    timezone: str = "UTC"


Surround = Callable[[Assessment], Surroundings]


def alert_id(incident_id: str, episode: int) -> str:
    """The id of an incident's n-th alert; 24 hex digits behind ``alr_``, no dot."""
    return "alr_" + hashlib.sha256(f"alert\n{incident_id}\n{episode}".encode()).hexdigest()[:24]


def thread_of(incident_id: str, linked: Sequence[str], alerts: Mapping[str, AlertState | None]) -> str:
    """The thread that an incident's first alert belongs into: that of the first of the ``linked`` incidents that has
    an alert in ``alerts``, else the one that the first of all these incidents opens (judgement.md 18)."""
    sent = (alerts.get(id) for id in sorted(linked))
    return next((state.alert.thread for state in sent if state), None) or thread_id(min((incident_id, *linked)))


def thread_id(incident_id: str) -> str:
    """The thread that an incident's alerts open."""
    return "thr_" + hashlib.sha256(f"thread\n{incident_id}".encode()).hexdigest()[:24]


def deserves_alert(assessment: Assessment) -> bool:
    """A violation does, and what is undetermined; an aggregate never."""
    return assessment.verdict in ("violation", "undetermined") and not assessment.aggregate


def decide_alert(last: AlertState | None, assessment: Assessment, surround: Surround, thread: str) -> AlertState | None:
    """The alert revision that this assessment calls for, or None where it calls for none.

    ``surround`` is called only where there is an alert revision. ``thread`` is that of an incident's first alert: a
    thread once sent never changes.
    """
    active = last is not None and last.alert.status != "cancelled"
    if not deserves_alert(assessment):
        if last is None or not active:
            return None
        return _next(last, assessment, surround(assessment), "cancelled")
    if last is None or not active:
        return _raised(last, assessment, surround(assessment), thread)
    if not changes_between(last.alert, _alert(last.alert, assessment, Surroundings())):
        return None
    return _next(last, assessment, surround(assessment), "updated")


def changes_between(before: Alert, after: Alert) -> tuple[Change, ...]:
    """The material changes, in the order of :data:`MATERIAL`."""
    return tuple(
        Change(name, getattr(before, name), getattr(after, name))
        for name in MATERIAL
        if getattr(before, name) != getattr(after, name)
    )


def without_words(alert: Alert) -> Alert:
    """As much of an alert as the next decision about its incident reads."""
    return msgspec.structs.replace(alert, changes=(), reasons=(), areas=(), texts={}, names={}, cause=Cause())


def _raised(last: AlertState | None, assessment: Assessment, around: Surroundings, thread: str) -> AlertState:
    episode = 1 if last is None else last.episode + 1
    thread = thread if last is None else last.alert.thread
    return AlertState(
        episode, _build(alert_id(assessment.incident_id, episode), 1, "raised", thread, assessment, around)
    )


def _next(last: AlertState, assessment: Assessment, around: Surroundings, status: Any) -> AlertState:
    old = last.alert
    alert = _build(old.id, old.revision + 1, status, old.thread, assessment, around)
    return AlertState(last.episode, msgspec.structs.replace(alert, changes=changes_between(old, alert)))


def _alert(old: Alert, assessment: Assessment, around: Surroundings) -> Alert:
    return _build(old.id, old.revision, old.status, old.thread, assessment, around)


def _build(id: str, revision: int, status: Any, thread: str, assessment: Assessment, around: Surroundings) -> Alert:
    return Alert(
        id=id,
        revision=revision,
        status=status,
        thread=thread,
        incident_id=assessment.incident_id,
        sent_at=assessment.assessed_at,
        changes=(),
        headline="",
        verdict=assessment.verdict,
        certainty=assessment.certainty,
        severity=assessment.severity,
        act=assessment.act,
        occurred=assessment.occurred,
        place=assessment.place,
        perpetrators=assessment.perpetrators,
        targets=assessment.targets,
        casualties=assessment.casualties,
        truces=truces_of(assessment),
        reasons=reasons_of(assessment),
        source=assessment.source,
        areas=around.areas,
        texts=around.texts,
        names=around.names,
        timezone=around.timezone,
        cause=assessment.cause,
    )


def truces_of(assessment: Assessment) -> tuple[str, ...]:
    """The truces that are breached, or may be: none where the verdict is neither."""
    if assessment.verdict not in ("violation", "undetermined"):
        return ()
    return tuple(finding.truce for finding in _deciding(assessment))


def reasons_of(assessment: Assessment) -> tuple[Reason, ...]:
    """The reasons behind the verdict: those at the top, then each of the deciding findings', said once."""
    deciding = [reason for finding in _deciding(assessment) for reason in finding.reasons]
    unique: list[Reason] = []
    for reason in (*assessment.reasons, *deciding):
        if reason not in unique:
            unique.append(reason)
    return tuple(unique)


def _deciding(assessment: Assessment) -> list[Finding]:
    """The findings that carry the verdict; where an operator decided one that none carries, those of the rules'."""
    carrying = [finding for finding in assessment.findings if finding.outcome == assessment.verdict]
    if carrying or assessment.rules is None:
        return carrying
    return [finding for finding in assessment.findings if finding.outcome == assessment.rules.verdict]
