"""``GET /v1/incidents/{id}/explain``: the whole way to an assessment, in the reader's language."""

from collections.abc import Mapping
from typing import Any

import msgspec

from schemas.assessments import FoundWindow, Interval, Reason, ResolvedPlace
from schemas.registry import Action, Announcement
from schemas.vocabulary import Certainty, Language, Outcome, Severity
from schemas.wording.reasons import named
from schemas.wording.words import words
from services.rules.judging.evaluate import Judge
from services.rules.judging.explanation import (
    CheckName,
    CheckResult,
    CheckStep,
    ExplainedActor,
    ExplainedDuty,
    ExplainedTruce,
    Explanation,
)
from services.rules.registry.answers import WindowView, windows_of
from services.rules.registry.use_cases import Snapshot


class AnnouncementView(msgspec.Struct, frozen=True):
    """An announcement in its own words."""

    id: str
    action: Action
    issuer: str
    issuer_name: str
    announced_at: str
    text: str


class ShareView(msgspec.Struct, frozen=True):
    """The part of the place that lies in an area, 0 to 1."""

    area: str
    name: str
    share: float


class ActorView(msgspec.Struct, frozen=True):
    """A reported name. ``excluded``: by this truce. ``judged`` false: it is passed over, since of targets only the
    civilians are judged where there are any."""

    reported: str
    party: str | None
    name: str | None
    coalitions: tuple[str, ...]
    excluded: bool
    judged: bool


class DutyView(msgspec.Struct, frozen=True):
    """A duty held against the report; null for a side is everyone. ``forbids``: it names the act. ``binds`` and
    ``protects``: the reported names that it binds and protects; of a side that nobody names it binds, or protects,
    whoever it was."""

    bound: tuple[str, ...] | None
    toward: tuple[str, ...] | None
    acts: tuple[str, ...]
    forbids: bool
    binds: tuple[str, ...]
    protects: tuple[str, ...]


class CheckView(msgspec.Struct, frozen=True):
    """One check, in the order in which they are made."""

    check: CheckName
    title: str
    result: CheckResult
    reasons: tuple[Reason, ...]


class TruceExplanation(msgspec.Struct, frozen=True):
    """A truce with some of the place in its area. ``outcome`` null: none of its windows is near in time, so there is no
    finding and nothing was checked. ``decided_by``: the check that decided; of a violation, ``duties``."""

    truce: str
    name: str
    outcome: Outcome | None
    certainty: Certainty | None
    window: FoundWindow | None
    decided_by: CheckName | None
    checks: tuple[CheckView, ...]
    windows: tuple[WindowView, ...]
    announcements: tuple[AnnouncementView, ...]
    areas: tuple[ShareView, ...]
    perpetrators: tuple[ActorView, ...]
    targets: tuple[ActorView, ...]
    duties: tuple[DutyView, ...]


class IncidentExplanation(msgspec.Struct, frozen=True):
    """An incident as it is judged by the registry as it stands, and why."""

    incident_id: str
    revision: int
    registry_version: int
    verdict: Outcome
    certainty: Certainty | None
    severity: Severity
    occurred: Interval
    place: ResolvedPlace
    reasons: tuple[Reason, ...]
    truces: tuple[TruceExplanation, ...]


def tell_explanation(
    explained: Explanation, judge: Judge, snapshot: Snapshot, language: Language
) -> IncidentExplanation:
    """The explanation in a language; ``snapshot`` has the words of the announcements."""
    one, teller = explained.assessment, _Teller(judge, snapshot, language)
    return IncidentExplanation(
        one.incident_id,
        one.revision,
        one.registry_version,
        one.verdict,
        one.certainty,
        one.severity,
        one.occurred,
        one.place,
        teller.reasons(one.reasons),
        tuple(map(teller.truce, explained.truces)),
    )


class _Teller:
    def __init__(self, judge: Judge, snapshot: Snapshot, language: Language) -> None:
        self._judge, self._registry, self._language = judge, judge.registry, language
        self._announced = {truce.id: truce.announcements for truce in snapshot.document.truces}

    def reasons(self, reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
        told = (self._judge.render(one, self._language) for one in reasons)
        return tuple(msgspec.structs.replace(one, text=text) for one, text in zip(reasons, told, strict=True))

    def truce(self, one: ExplainedTruce) -> TruceExplanation:
        truce, finding = self._registry.truces[one.truce], one.finding
        return TruceExplanation(
            truce=one.truce,
            name=self._name({one.truce: truce}, one.truce),
            outcome=None if finding is None else finding.outcome,
            certainty=None if finding is None else finding.certainty,
            window=None if finding is None else finding.window,
            decided_by=one.decided_by,
            checks=tuple(map(self._check, one.checks)),
            windows=windows_of(truce, self._registry),
            announcements=tuple(map(self._announcement, self._announced.get(one.truce, ()))),
            areas=tuple(ShareView(id, self._name(self._registry.areas, id), n) for id, n in one.shares.items()),
            perpetrators=tuple(map(self._actor, one.perpetrators)),
            targets=tuple(map(self._actor, one.targets)),
            duties=tuple(map(_duty, one.duties)),
        )

    def _check(self, step: CheckStep) -> CheckView:
        title = words(self._language).say(f"check.{step.check}")
        return CheckView(step.check, title, step.result, self.reasons(step.reasons))

    def _announcement(self, said: Announcement) -> AnnouncementView:
        issuer = self._name(self._registry.parties, said.issuer)
        return AnnouncementView(said.id, said.action, said.issuer, issuer, said.announced_at, said.text)

    def _actor(self, actor: ExplainedActor) -> ActorView:
        name = None if actor.party is None else self._name(self._registry.parties, actor.party)
        return ActorView(actor.reported, actor.party, name, actor.coalitions, actor.is_excluded, actor.is_judged)

    def _name(self, things: Mapping[str, Any], id: str) -> str:
        return named(things[id].names, id, self._language) if id in things else id


def _duty(duty: ExplainedDuty) -> DutyView:
    return DutyView(duty.bound, duty.toward, duty.acts, duty.forbids, duty.binds, duty.protects)
