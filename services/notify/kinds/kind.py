"""A kind of message: how it is written for each channel, where it goes, what it waits for; and one message of it.

The functions of a kind are pure: they make the same bytes of a message at each attempt.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from schemas.assessments import Alert
from schemas.vocabulary import AlertStatus, Language
from schemas.wording.lines import clean
from schemas.zones import find_zone
from services.notify.domain.alert_link import make_token
from services.notify.domain.delivery import AttemptAnswer, Judgement
from services.notify.domain.identity import message_id
from services.notify.domain.subscription import Subscription
from services.notify.render.cap import RingsOf, no_rings
from services.notify.render.page import MessagePage

#: An alert that a message is about: its id, revision, and the status that the recipient is told.
Member = tuple[str, int, AlertStatus]

_encode: Final = msgspec.json.Encoder().encode
_Content = TypeVar("_Content")


@dataclass(frozen=True, slots=True)
class ConsentRequest:
    """The consent that a mail asks for: the address, the token of its link, and a pointer to the address's field."""

    address: Callable[[Subscription], str]
    token: Callable[[Subscription], str | None]
    pointer: str


def _never(_job: "Job", _subscription: Subscription, _now: int) -> bool:
    return False


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """The properties of a kind of message that sending, storing and showing depend on. Every webhook is signed.

    - ``name``: kept with each delivery, and the type in the body; ``has_status`` adds the alert's status to the type.
    - ``bodies``: writes the body of a webhook, by format; JSON where the kind has neither a body in the
      subscription's format nor, for ``slack``, a page.
    - ``page``: what people read, of which the mail and the Slack message are made.
    - ``alerts``: the alerts that a message is about. A message about one alert (``Job.alert``) is written once for all
      recipients of one form and language, and its mails are threaded by the alert.
    - ``needs_proof``: sent only to a proved endpoint that is on; its outcome changes the endpoint's state. A kind
      without it is about the endpoint itself: its mails have no unsubscribe link, and it is neither resent nor
      recovered.
    - ``mailed_to``: an address to mail whatever the channel; such messages have a queue of their own.
    - ``valid_for``: how long its challenge or link is good, microseconds.
    - ``is_void``: whether the message is obsolete at an instant.
    - ``judge``: what an answer means, where its body decides; it has to come within ``answer_within_s`` seconds.
    - ``proves``: whether a successful delivery proves the endpoint.
    - ``asks``: the consent that the mail asks for. Such mails are counted against the limits and recorded.
    - ``carries_heartbeat``: whether the message counts as a heartbeat.
    """

    name: str
    bodies: Mapping[str, Callable[["Material"], bytes]] = field(default_factory=dict)
    page: Callable[["Material"], MessagePage] | None = None
    has_status: bool = False
    alerts: Callable[["Job"], Sequence[Member]] | None = None
    needs_proof: bool = True
    mailed_to: Callable[[Subscription], str | None] | None = None
    valid_for: int = 0
    is_void: Callable[["Job", Subscription, int], bool] = _never
    judge: Callable[[AttemptAnswer, Subscription], Judgement] | None = None
    answer_within_s: float | None = None
    proves: Callable[["Job", Subscription], bool] | None = None
    asks: ConsentRequest | None = None
    carries_heartbeat: Callable[["Job"], bool] | None = None

    def type(self, status: AlertStatus) -> str:
        """The type of a message, as its body says it."""
        return f"{self.name}.{status}" if self.has_status else self.name

    def make(self, subscription: str, now: int, *parts: str | int, content: object = None) -> "Job":
        """A message of this kind, due at once. ``parts`` tell it from the subscription's others of this kind."""
        id = message_id(subscription, self.name, *parts)
        kept = None if content is None else _encode(content)
        return Job(id=id, subscription=subscription, kind=self, created_at=now, content=kept)


class Job(msgspec.Struct, frozen=True):
    """A message to be sent once. ``id`` is the webhook-id.

    ``attempts``: those made before; ``failures``: failed ones since it was last queued. ``alert``, ``revision`` and
    ``status``: the alert that it is about, with the status that the recipient is told. ``content``: what else it is
    written from, as JSON. ``mail_id``: the Message-ID of an alert's mail, kept for look-ups.
    """

    id: str
    subscription: str
    kind: Kind
    created_at: int
    alert: str | None = None
    revision: int = 0
    status: AlertStatus = "raised"
    content: bytes | None = None
    attempts: int = 0
    failures: int = 0
    mail_id: str | None = None

    @property
    def lane(self) -> str:
        """The queue it waits in. Mail to the contact address does not wait behind messages to the endpoint."""
        return self.subscription if self.kind.mailed_to is None else f"{self.subscription}!"

    def read(self, type: type[_Content]) -> _Content:
        """Its content."""
        return msgspec.json.decode(self.content or b"{}", type=type)

    def proves(self, subscription: Subscription) -> bool:
        """Whether its delivery proves the subscription's endpoint."""
        return self.kind.proves is not None and self.kind.proves(self, subscription)

    @property
    def tells_heartbeat(self) -> bool:
        """Whether it counts as a heartbeat: it is one, or a digest that carries one."""
        return self.kind.carries_heartbeat is not None and self.kind.carries_heartbeat(self)


@dataclass(frozen=True, slots=True)
class ToldAlert:
    """An alert in a message, with the status that the recipient is told."""

    alert: Alert
    status: AlertStatus
    recorded_at: int


@dataclass(frozen=True, slots=True)
class Material:
    """The material that one message is written from. ``alerts``: those of ``Kind.alerts``. ``revisions``: all of the
    alert, for CAP updates and cancellations; ``rings_of``: the shape of an area. ``public_url`` has no
    trailing slash."""

    job: Job
    subscription: Subscription
    public_url: str
    alerts: Sequence[ToldAlert] = ()
    revisions: Sequence[Alert] = ()
    rings_of: RingsOf = no_rings

    @property
    def language(self) -> Language:
        return self.subscription.draft.language

    @property
    def name(self) -> str:
        return clean(self.subscription.draft.name)

    def link_to(self, alert: str, revision: int) -> str:
        """The recipient's own link to an alert."""
        return link_to_alert(self.job, self.subscription, self.public_url, alert, revision)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone to show times in: the subscription's, else UTC."""
        draft = self.subscription.draft
        if draft.mode != "immediate" and draft.mode.timezone:
            return find_zone(draft.mode.timezone)
        return find_zone(draft.quiet_hours.timezone if draft.quiet_hours else "UTC")


def link_to_alert(job: Job, subscription: Subscription, public_url: str, alert: str, revision: int) -> str:
    """The link of a message to one of its alerts, its recipient's own."""
    return f"{public_url}/a/{make_token(subscription, alert, revision, job.created_at)}"
