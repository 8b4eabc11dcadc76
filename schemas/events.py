"""The facts that travel between the services, one frozen class each, named in the past tense.

Each is the ``data`` of a CloudEvent; :mod:`schemas.topics` says on which topic, under which key.
"""

from typing import Any, Literal

import msgspec

from schemas.assessments import Alert, Assessment
from schemas.report import Report
from schemas.vocabulary import Role


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
    """Rules judged a revision. ``sequence`` rises with each assessment of the same incident."""

    sequence: int
    assessment: Assessment


class AlertDecided(msgspec.Struct, frozen=True):
    """An alert was raised, updated or cancelled: ``alert.status`` says which."""

    alert: Alert


class RegistryChanged(msgspec.Struct, frozen=True):
    """One resource of the registry changed. ``body`` is its new form, null when it was deleted.

    All changes of one request carry the same ``version``; ``last`` marks the last of them.
    """

    kind: Literal["settings", "parties", "presence", "areas", "places", "truces"]
    id: str
    version: int
    recorded_at: str
    body: Any
    last: bool


class KeyChanged(msgspec.Struct, frozen=True):
    """An API key was made or revoked. ``hash`` is hex SHA-256 of the secret; the secret itself is kept nowhere."""

    id: str
    name: str
    role: Role
    hash: str
    created_at: str
    expires_at: str | None = None
    revoked_at: str | None = None


class Actor(msgspec.Struct, frozen=True):
    """The author of an act: id and name of the key. Null for the system itself, which is named by its part."""

    key: str | None
    name: str


class OperatorActed(msgspec.Struct, frozen=True):
    """An operator changed something: one line of the audit."""

    at: str
    actor: Actor
    action: str
    resource: str
    detail: dict[str, Any] = {}


class ServiceReported(msgspec.Struct, frozen=True):
    """One process of one service tells how it fares; stale after three periods."""

    service: Literal["ingest", "rules", "notify"]
    instance: str
    at: str
    state: Literal["ok", "degraded", "down"]
    detail: dict[str, Any] = {}
