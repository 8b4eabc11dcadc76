"""The facts that travel between the services, one frozen class each, named in the past tense.

Each is the ``data`` of a CloudEvent; :mod:`schemas.topics` says on which topic, under which key.
"""

from typing import Any, Literal

import msgspec

from schemas.assessments import Alert, Assessment, FoundWindow
from schemas.causes import Actor as Actor
from schemas.causes import Cause
from schemas.registry import Action
from schemas.report import Report
from schemas.vocabulary import Language, Role


class IncidentReported(msgspec.Struct, frozen=True, omit_defaults=True):
    """A new revision of an incident is durable. ``retracted`` is the reason of a retraction, else null.

    ``received_at`` is RFC 3339 UTC. Revisions of one incident count 1, 2, 3 without gaps.
    """

    incident_id: str
    revision: int
    partner: str
    received_at: str
    report: Report
    retracted: str | None = None


class IncidentAssessed(msgspec.Struct, frozen=True):
    """Rules judged a revision, for ``assessment.cause``. ``sequence`` rises with each assessment of the incident;
    ``areas`` are those that the place touches."""

    sequence: int
    assessment: Assessment
    areas: tuple[str, ...] = ()


class AlertDecided(msgspec.Struct, frozen=True):
    """An alert was raised, updated or cancelled: ``alert.status`` says which, ``alert.cause`` why."""

    alert: Alert


class ReassessmentEnded(msgspec.Struct, frozen=True):
    """All incidents that a change of the registry can touch were judged again. ``alerts``: how many events on the topic
    ``alerts`` have it as their cause."""

    id: str
    registry_version: int
    alerts: int
    ended_at: str


class RegistryChanged(msgspec.Struct, frozen=True):
    """One resource of the registry changed. ``body`` is its new form, null when it was deleted.

    All changes of one request carry the same ``version``, and ``by`` and ``reason``, their author's (null in events
    from before they were kept); ``last`` marks the last of them.
    """

    kind: Literal["settings", "parties", "presence", "areas", "places", "truces"]
    id: str
    version: int
    recorded_at: str
    body: Any
    last: bool
    by: Actor | None = None
    reason: str | None = None


class AnnouncementWords(msgspec.Struct, frozen=True):
    """An announcement as it was made. ``issuer_names`` by language; ``announced_at`` as the registry has it."""

    id: str
    action: Action
    issuer: str
    issuer_names: dict[Language, str]
    announced_at: str
    text: str


class TrucePeriod(msgspec.Struct, frozen=True):
    """A stretch of time through which windows of a truce hold without a gap.

    ``windows`` are the announcements that began these windows, by their start. ``begun_by`` and ``ended_by``: the
    announcements whose accounts give its start and its end. ``disputed``: from the first to the last moment at which
    accounts disagree, since the announcement ``disputed_by``; null where they agree.
    """

    window: FoundWindow
    windows: tuple[str, ...]
    begun_by: str
    ended_by: str
    disputed: FoundWindow | None = None
    disputed_by: str | None = None


class TruceScheduled(msgspec.Struct, frozen=True):
    """The periods of a truce are others than before, or its names or words are. No periods: it has no window, or the
    registry no longer has the truce.

    ``version`` is that of the registry. ``areas`` are those of its windows; ``announcements`` have the words of those
    that the periods rest on.
    """

    truce: str
    version: int
    recorded_at: str
    names: dict[Language, str]
    areas: tuple[str, ...]
    timezone: str
    periods: tuple[TrucePeriod, ...]
    announcements: tuple[AnnouncementWords, ...]
    cause: Cause = Cause("registry")


class KeyChanged(msgspec.Struct, frozen=True):
    """An API key was made or revoked. ``hash`` is hex SHA-256 of the secret; the secret itself is kept nowhere."""

    id: str
    name: str
    role: Role
    hash: str
    created_at: str
    expires_at: str | None = None
    revoked_at: str | None = None


class OperatorActed(msgspec.Struct, frozen=True):
    """An operator changed something: one line of the audit."""

    at: str
    actor: Actor
    action: str
    resource: str
    detail: dict[str, Any] = {}


class RecordReceived(msgspec.Struct, frozen=True):
    """A record of an adapter's source that an operator has read again; ``record`` holds what the adapter's tables map,
    and nothing personal."""

    adapter: str
    record: dict[str, Any]


class ServiceReported(msgspec.Struct, frozen=True):
    """The state of one process of one service; stale after three periods."""

    service: Literal["ingest", "rules", "notify"]
    instance: str
    at: str
    state: Literal["ok", "degraded", "down"]
    detail: dict[str, Any] = {}
