"""Alerts and subscriptions, as the API shows them. The other types are generated, in ``wire``."""

from typing import Any, Literal, NotRequired, TypedDict

from .wire import (
    Casualties,
    Cause,
    Draft,
    Interval,
    Reason,
    ResolvedParty,
    ResolvedPlace,
    SourceRef,
)


class AlertLinks(TypedDict):
    """Where an alert and its incident are read."""

    self: str
    incident: str


class AlertChange(TypedDict):
    """The differences from the message before."""

    field: str
    before: NotRequired[Any]
    after: NotRequired[Any]


class Alert(TypedDict):
    """One revision of an alert."""

    id: str
    revision: int
    status: Literal["raised", "updated", "cancelled"]
    thread: str
    incident_id: str
    sent_at: str
    changes: list[AlertChange]
    headline: str
    verdict: str
    certainty: str | None
    severity: str
    act: str
    occurred: Interval
    place: ResolvedPlace
    perpetrators: list[ResolvedParty]
    targets: list[ResolvedParty]
    casualties: Casualties
    truces: list[str]
    reasons: list[Reason]
    source: SourceRef
    cause: Cause
    links: AlertLinks


class Subscription(Draft):
    """A subscription with the state of its endpoint."""

    id: str
    status: Literal["pending", "active", "disabled", "held", "ended"]
    status_reason: str
    contact_status: str
    owner: str
    created_at: str
    proved_at: str | None
    failing_since: str | None
