"""The bodies of notify's API: structs that are validated, answered, and described in the OpenAPI file."""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from schemas.assessments import AlertLinks, Change, Interval, Reason, ResolvedParty, ResolvedPlace, SourceRef
from schemas.causes import Cause
from schemas.instants import format_instant
from schemas.report import Casualties, Moment
from schemas.vocabulary import Act, AlertStatus, Certainty, Language, Outcome, Severity
from services.notify.domain.own_headers import hide
from services.notify.domain.pipeline import TraceStep
from services.notify.domain.silence import Matcher, Silence
from services.notify.domain.subscription import (
    Channel,
    DigestMode,
    Email,
    EndsIn,
    Filter,
    Format,
    GroupBy,
    NoticeType,
    QuietHours,
    Subscription,
)
from services.notify.kinds.catalogue import message_types
from services.notify.use_cases.history import Attempted, Delivered

MessageType = Annotated[str, Meta(description=f"The kind of message: {', '.join(message_types())}.")]
#: Why a subscription by mail that was proved gets nothing.
CUT_OFF: Final = "no mail relay is set up (TRUCEWATCH_SMTP_URL); messages are tried again until there is one"
DRAFT_EXAMPLE: Final[dict[str, Any]] = {
    "name": "Aleppo desk",
    "channel": {"type": "webhook", "url": "https://example.org/hooks/truce"},
    "filter": {
        "truces": ["aleppo-calm"], "areas": [], "parties": [], "acts": [], "bbox": None,
        "min_severity": "Minor", "min_certainty": "Unlikely", "verdicts": ["violation"],
    },
    "contact": None, "mode": "immediate", "quiet_hours": None, "group_by": [], "heartbeat": None, "language": "en",
    "format": "json",
}  # fmt: skip


class Created(Struct, frozen=True, omit_defaults=True):
    """A new subscription. ``secret`` is shown here and never again; null for a channel that is not signed.
    ``status_reason`` says why it waits, where it waits for more than its proof."""

    id: str
    status: str
    secret: str | None
    status_reason: str = ""


class SubscriptionView(Struct, frozen=True, forbid_unknown_fields=True):
    """A subscription as its owner sees it, without its secrets; the values of its headers are hidden."""

    id: str
    status: str
    status_reason: str
    contact_status: str
    owner: str
    created_at: str
    proved_at: str | None
    failing_since: str | None
    channel: Channel
    name: str
    filter: Filter
    contact: str | None
    mode: Literal["immediate"] | DigestMode
    quiet_hours: QuietHours | None
    group_by: tuple[GroupBy, ...]
    group_wait: str
    group_interval: str
    heartbeat: str | None
    language: Language
    format: Format
    notices: tuple[NoticeType | EndsIn, ...]
    verified: bool


class AlertView(Struct, frozen=True, forbid_unknown_fields=True):
    """One revision of an alert, in the reader's language. ``omitted``, in messages alone: what did not fit."""

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
    cause: Cause
    links: AlertLinks
    omitted: dict[str, int] = {}


class Rotated(Struct, frozen=True):
    """A fresh secret, shown once; until ``overlap_until`` the one before signs as well."""

    id: str
    secret: str
    overlap_until: str


class RotateRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """How long both secrets sign; 24 hours if not said, 0 ends the old one at once."""

    overlap: str = "P1D"


class OwnerRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The id of the key that the subscription is given to: a monitor's or an operator's, and valid."""

    key: Annotated[str, Meta(min_length=1, max_length=200)]


class BlockView(Struct, frozen=True):
    """An address whose reader wants no mail from here."""

    id: str
    address: str
    blocked_at: str


class RecoverRequest(Struct, frozen=True, forbid_unknown_fields=True):
    since: Moment


class Recovered(Struct, frozen=True):
    """How many messages were queued again."""

    recovered: int


class Queued(Struct, frozen=True):
    """A message on its way; ``id`` is its webhook-id."""

    id: str
    status: str


class AttemptView(Struct, frozen=True):
    """One attempt; ``answer`` is the first kilobyte of what was answered."""

    number: int
    at: str
    status: int | None
    failure: str | None
    latency_ms: float
    reason: str
    answer: str


class DeliveryView(Struct, frozen=True):
    """One message and every attempt at it; ``id`` is its webhook-id."""

    id: str
    type: MessageType
    status: str
    alert_id: str | None
    revision: int | None
    created_at: str
    next_attempt_at: str | None
    finished_at: str | None
    attempts: list[AttemptView]


class SilenceRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """``starts_at`` is now if not said; ``author`` is the key's name if not said.

    ``is_regex`` takes RE2 syntax. Matchers that match every alert are refused unless ``everything`` is true.
    """

    matchers: Annotated[tuple[Matcher, ...], Meta(min_length=1, max_length=20)]
    ends_at: Moment
    reason: Annotated[str, Meta(max_length=1000)]
    starts_at: Moment | None = None
    everything: bool = False
    author: Annotated[str, Meta(max_length=300)] = ""


class SilenceView(Struct, frozen=True):
    """A silence; ``state`` is pending, active or expired. ``scope``: whose deliveries it holds back, or everybody's."""

    id: str
    state: str
    matchers: tuple[Matcher, ...]
    starts_at: str
    ends_at: str
    reason: str
    author: str
    scope: str
    created_at: str


class SpanRequest(Struct, frozen=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}):
    start: Moment
    end: Moment


class Trace(Struct, frozen=True):
    """Whether an alert was delivered, the steps that decided it, and the messages that told of it."""

    delivered: bool
    steps: list[TraceStep]
    deliveries: list[DeliveryView]


class MessageView(Struct, frozen=True):
    """One message that would have gone out."""

    at: str
    type: MessageType
    alert_ids: list[str]


class Backtest(Struct, frozen=True):
    """How many alerts a subscription would have been told of, the first of them, how many messages tell of them, and
    the first of these."""

    count: int
    alerts: list[Any]
    message_count: int
    messages: list[MessageView]


class RevisionNames(Struct, frozen=True):
    """The names of one revision of an alert in every form in which it goes out."""

    revision: int
    status: str
    event_id: str
    cap_identifier: str
    atom_id: str


class DeliveryNames(Struct, frozen=True):
    """One message about an alert: its webhook-id, and its Message-ID where it is mail."""

    webhook_id: str
    subscription_id: str
    type: MessageType
    message_id: str | None


class AlertNames(Struct, frozen=True):
    id: str
    thread: str
    revisions: list[RevisionNames]
    deliveries: list[DeliveryNames]


class Found(Struct, frozen=True):
    """The kind of thing that an id names, and every other name of the same thing."""

    kind: str
    incident_id: str
    alerts: list[AlertNames]


class BounceReport(Struct, frozen=True, forbid_unknown_fields=True):
    """The report of a mail system on an address, or of a message by its Message-ID; one of the two.

    ``bounce`` and ``complaint`` turn the address off; a ``delay`` is only noted.
    """

    type: Literal["bounce", "complaint", "delay"]
    address: Annotated[str, Meta(max_length=254)] | None = None
    message_id: Annotated[str, Meta(max_length=300)] | None = None
    detail: Annotated[str, Meta(max_length=1000)] = ""


class Bounced(Struct, frozen=True):
    """The subscriptions that were turned off."""

    subscriptions: list[str]


class FeedTokenView(Struct, frozen=True):
    """A feed token, without the token itself."""

    id: str
    owner: str
    created_at: str


class FeedToken(Struct, frozen=True):
    """A token for feeds; shown here and never again."""

    id: str
    token: str


SILENCE_EXAMPLE: Final[dict[str, Any]] = {
    "matchers": [{"name": "truce", "value": "aleppo-calm", "is_regex": False, "is_equal": True}],
    "starts_at": "2016-05-08T00:00:00Z",
    "ends_at": "2016-05-09T00:00:00Z",
    "reason": "Exercise of the monitoring teams",
    "author": "duty officer",
}


def view_subscription(s: Subscription, relay: bool) -> dict[str, Any]:
    """A subscription as its owner sees it, without its secrets. Where mail cannot be sent, none by mail is active."""
    cut_off = isinstance(s.draft.channel, Email) and s.state == "active" and not relay
    return {
        "id": s.id,
        "status": "failing" if cut_off else s.state,
        "status_reason": CUT_OFF if cut_off else s.reason,
        "contact_status": s.contact_state,
        "owner": s.owner,
        "created_at": format_instant(s.created_at),
        "proved_at": shown(s.proved_at),
        "failing_since": shown(s.failing_since),
        **msgspec.to_builtins(s.draft),
        "channel": hide(s.draft.channel),
    }


def view_delivery(d: Delivered) -> DeliveryView:
    return DeliveryView(
        id=d.id,
        type=d.type,
        status=d.state,
        alert_id=d.alert,
        revision=d.revision if d.alert is not None else None,
        created_at=format_instant(d.created_at),
        next_attempt_at=shown(d.due_at) if d.state == "pending" else None,
        finished_at=shown(d.finished_at),
        attempts=[view_attempt(a) for a in d.attempts],
    )


def view_attempt(a: Attempted) -> AttemptView:
    answer = a.excerpt.decode("utf-8", "replace")
    return AttemptView(a.number, format_instant(a.at), a.status, a.failure, a.latency / 1000, a.reason, answer)


def view_silence(s: Silence, now: int) -> SilenceView:
    return SilenceView(
        id=s.id,
        state=s.state(now),
        matchers=s.matchers,
        starts_at=format_instant(s.starts_at),
        ends_at=format_instant(s.ends_at),
        reason=s.reason,
        author=s.author,
        scope=s.owner or "everybody",
        created_at=format_instant(s.created_at),
    )


def shown(instant: int | None) -> str | None:
    return None if instant is None else format_instant(instant)
