"""Assessments and alerts as the world sees them. Source: the public contract, "Assessments" and "Alerts"."""

from typing import Any, Literal

import msgspec

from schemas.causes import Cause
from schemas.decisions import RulesVerdict, StandingDecision
from schemas.report import Casualties
from schemas.vocabulary import Act, AlertStatus, Certainty, Outcome, ReasonCode, Severity


class Reason(msgspec.Struct, frozen=True):
    """One machine-readable reason: the code, the fact it rests on, and one sentence.

    ``text`` is rendered from ``code`` and ``fact`` when an assessment is read; stored, and on the log, it is empty.
    """

    code: ReasonCode
    fact: dict[str, Any] = {}
    text: str = ""


class ResolvedParty(msgspec.Struct, frozen=True):
    """The name as reported, the party it resolves to (null: nobody), and that party's coalitions, apart
    (judgement.md 22)."""

    reported: str
    party: str | None = None
    coalitions: tuple[str, ...] = ()


class ResolvedPlace(msgspec.Struct, frozen=True):
    """Where it happened, as judged; null coordinates and area mean a place that could not be resolved."""

    name: str | None = None
    lat: float | None = None
    lon: float | None = None
    radius_km: float | None = None
    area: str | None = None


class Link(msgspec.Struct, frozen=True, omit_defaults=True):
    """Another report of what may be the same event (judgement.md 18); score in 0..1, three digits. ``state`` is there
    where an operator confirmed the link; one that an operator cut is not listed. ``contested``: strong by
    its score alone, while one source tells of both, or one quotes the other; an operator is asked."""

    incident_id: str
    score: float
    state: Literal["confirmed"] | None = None
    contested: bool = False


class FoundWindow(msgspec.Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """The stretch of a truce that a finding rests on; RFC 3339 UTC, ``to`` null when open."""

    start: str
    end: str | None
    disputed: bool
    area: str
    announcements: tuple[str, ...]


class Finding(msgspec.Struct, frozen=True):
    """The finding of one truce on one incident."""

    truce: str
    outcome: Outcome
    certainty: Certainty | None
    window: FoundWindow
    reasons: tuple[Reason, ...]


class Interval(msgspec.Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """Half-open ``[from, to)``, RFC 3339 UTC."""

    start: str
    end: str


class SourceRef(msgspec.Struct, frozen=True):
    name: str
    grade: str | None = None


class Assessment(msgspec.Struct, frozen=True):
    """The judgement of one revision of one incident against one version of the registry."""

    incident_id: str
    revision: int
    assessed_at: str
    registry_version: int
    verdict: Outcome
    certainty: Certainty | None
    severity: Severity
    reasons: tuple[Reason, ...]
    perpetrators: tuple[ResolvedParty, ...]
    targets: tuple[ResolvedParty, ...]
    place: ResolvedPlace
    links: tuple[Link, ...]
    findings: tuple[Finding, ...]
    occurred: Interval
    act: Act
    casualties: Casualties
    source: SourceRef
    aggregate: bool = False
    #: Why it was made.
    cause: Cause = Cause()
    #: The decisions of operators that it was made with.
    decisions: tuple[StandingDecision, ...] = ()
    #: The rules' own verdict where an operator decided another; else null.
    rules: RulesVerdict | None = None


class Change(msgspec.Struct, frozen=True):
    """One material change between two revisions of an alert."""

    field: str
    before: Any
    after: Any


class AlertLinks(msgspec.Struct, frozen=True, rename={"self_": "self"}):
    self_: str
    incident: str


class AlertTexts(msgspec.Struct, frozen=True):
    """The sentences of an alert in one language; ``reasons`` are parallel to the alert's reasons."""

    headline: str = ""
    reasons: tuple[str, ...] = ()


class Alert(msgspec.Struct, frozen=True):
    """One revision of one alert, as notify received it from rules.

    ``sent_at``, ``headline`` in the subscriber's language and ``links`` are the messenger's: here ``headline`` and
    the reason texts are English, ``sent_at`` is when rules decided.
    """

    id: str
    revision: int
    status: AlertStatus
    thread: str
    incident_id: str
    sent_at: str
    changes: tuple[Change, ...]
    headline: str
    verdict: Outcome
    certainty: Certainty | None
    severity: Severity
    act: Act
    occurred: Interval
    place: ResolvedPlace
    perpetrators: tuple[ResolvedParty, ...]
    targets: tuple[ResolvedParty, ...]
    casualties: Casualties
    truces: tuple[str, ...]
    reasons: tuple[Reason, ...]
    source: SourceRef
    #: Areas that the place touches, for filters, groups and silences on an area.
    areas: tuple[str, ...] = ()
    links: AlertLinks | None = None
    #: By language; where one is absent, the English ``headline`` and reason texts are used.
    texts: dict[str, AlertTexts] = {}
    #: By language, then by id: display names of the parties, truces and areas that the alert mentions.
    names: dict[str, dict[str, str]] = {}
    #: IANA name of the registry's time zone, for times shown to people.
    timezone: str = "UTC"
    #: Why this revision was decided: the cause of the assessment behind it.
    cause: Cause = Cause()
