"""The request of a monitor: which alerts, where to, in which form. Source: the contract, "Alerts and subscriptions"."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final, Literal, get_args

from msgspec import Meta, Struct

from schemas.boxes import faults_of
from schemas.instants import DAY, HOUR, SECOND
from schemas.report import MAX_LIST, Name
from schemas.vocabulary import Act, ActGroup, Certainty, Language, Severity
from schemas.zones import find_zone
from services.notify.domain.durations import parse_duration
from services.notify.domain.lifecycle import MATCHED, EndpointState

Values = Annotated[tuple[Name, ...], Meta(max_length=MAX_LIST)]
ClockTime = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", max_length=5)]
EndTime = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$", max_length=5)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
#: Whether the reader of the contact address has agreed. ``waiting``: not asked yet. ``none``: no address of its own.
ContactState = Literal["none", "waiting", "asked", "confirmed", "blocked"]
#: ``slack``: the JSON of incoming webhooks of Slack, Mattermost, Rocket.Chat and Discord.
Format = Literal["json", "cap", "slack"]
GroupBy = Literal["truce", "thread", "area", "perpetrator"]

_EMAIL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@[A-Za-z0-9.-]{1,253}")
MAX_EMAIL: Final = 254


class Filter(Struct, frozen=True, forbid_unknown_fields=True):
    """Fields are joined by and, the values of one by or; empty means all.

    ``bbox`` is west, south, east, north in degrees; west beyond east crosses the antimeridian. ``min_certainty``
    applies to violations.
    """

    truces: Values = ()
    areas: Values = ()
    parties: Values = ()
    acts: Annotated[tuple[Act | ActGroup, ...], Meta(max_length=MAX_LIST)] = ()
    bbox: Annotated[tuple[float, ...], Meta(min_length=4, max_length=4)] | None = None
    min_severity: Severity = "Minor"
    min_certainty: Certainty = "Unlikely"
    verdicts: Annotated[tuple[Literal["violation", "undetermined"], ...], Meta(max_length=2)] = ("violation",)


class Webhook(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="type", tag="webhook"):
    """``url`` may name a user, sent as Basic authentication. ``headers``, at most 10, go with each message.

    Neither the user nor the values are shown again: they read ``***``, which sent back means as before.
    ``format``, where it is given, stands above the subscription's.
    """

    url: Annotated[str, Meta(min_length=1, max_length=2000)]
    headers: dict[str, str] = {}
    format: Format | None = None


class Email(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="email"):
    to: Annotated[str, Meta(min_length=3, max_length=MAX_EMAIL)]


Channel = Webhook | Email


class DigestMode(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A digest each period (``digest``, a duration), or daily at a local time (``daily`` in ``timezone``)."""

    digest: str | None = None
    daily: ClockTime | None = None
    timezone: Name | None = None


class QuietHours(Struct, frozen=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}):
    """Local times of day between which messages are held; an end before the start is the next day's.

    ``to`` may be ``24:00``, the end of the day, so that whole days can be quiet, but not every day. ``days`` are those
    on which a quiet stretch begins; empty means every day. ``except_min_severity``: an alert as grave as that, or
    graver, is sent all the same.
    """

    start: ClockTime
    end: EndTime
    timezone: Name
    days: Annotated[tuple[Day, ...], Meta(max_length=7)] = ()
    except_min_severity: Severity | None = None


class EndsIn(Struct, frozen=True, forbid_unknown_fields=True, rename={"before": "truce.ends_in"}):
    """So long before the end of a truce's window, as an ISO 8601 duration."""

    before: str


NoticeType = Literal["truce.begins", "truce.ends_in", "truce.extended", "truce.lapsed", "truce.disputed"]


class Draft(Struct, frozen=True, forbid_unknown_fields=True):
    """A subscription as its owner writes it.

    ``notices``: what is told of the truces of the filter, whatever the alerts; ``truce.ends_in`` alone means 6 hours.
    """

    channel: Channel
    name: Annotated[str, Meta(max_length=300)] = ""
    filter: Filter = Filter()
    contact: Annotated[str, Meta(max_length=MAX_EMAIL)] | None = None
    mode: Literal["immediate"] | DigestMode = "immediate"
    quiet_hours: QuietHours | None = None
    group_by: Annotated[tuple[GroupBy, ...], Meta(max_length=4)] = ()
    group_wait: str = "PT30S"
    group_interval: str = "PT5M"
    heartbeat: str | None = None
    language: Language = "en"
    format: Format = "json"
    notices: Annotated[tuple[NoticeType | EndsIn, ...], Meta(max_length=len(get_args(NoticeType)))] = ()
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription and the state of its endpoint. Instants in microseconds UTC.

    ``owner`` is the name of the key that it belongs to, which survives the rotation of keys. ``version`` rises with
    every change of any subscription.
    ``secrets`` are ``whsec_…``, newest first, each with the instant at which it ceases to sign (None: never).
    ``nonce`` is what proves the channel: the challenge of a webhook, an email's confirmation token.
    ``token`` ends the subscription, by the link that every mail carries; ``reason`` says why it is in its state.
    ``contact_nonce`` is the confirmation token of the contact address.
    """

    id: str
    owner: str
    draft: Draft
    state: EndpointState
    created_at: int
    version: int = 0
    proved_at: int | None = None
    secrets: tuple[tuple[str, int | None], ...] = ()
    nonce: str | None = None
    nonce_until: int | None = None
    failing_since: int | None = None
    reason: str = ""
    token: str = ""
    contact_state: ContactState = "none"
    contact_nonce: str | None = None
    contact_until: int | None = None

    @property
    def is_matched(self) -> bool:
        """Whether alerts are decided for it: one that was never proved gets none, also while it is held."""
        return self.state in MATCHED and (self.state != "held" or self.proved_at is not None)

    @property
    def target(self) -> str:
        """The URL or the address."""
        channel = self.draft.channel
        return channel.url if isinstance(channel, Webhook) else channel.to


def format_of(draft: Draft) -> Format:
    """The format of its webhook's bodies."""
    return (draft.channel.format if isinstance(draft.channel, Webhook) else None) or draft.format


def signing_secrets(subscription: Subscription, now: int) -> tuple[str, ...]:
    """The secrets that sign at ``now``, newest first: two of them while a rotation overlaps."""
    return tuple([secret for secret, until in subscription.secrets if until is None or now < until])


def rotate_secrets(subscription: Subscription, fresh: str, overlap_until: int) -> tuple[tuple[str, int | None], ...]:
    """``fresh`` first, and the one that it replaces until ``overlap_until``; older ones end at once."""
    return ((fresh, None), *((secret, overlap_until) for secret, until in subscription.secrets if until is None))


#: How long before the end of a window ``truce.ends_in`` tells of it, where nothing else is said.
ENDS_IN: Final = 6 * HOUR


def notices_of(draft: Draft) -> frozenset[NoticeType]:
    """The types of notices that are asked for."""
    return frozenset("truce.ends_in" if isinstance(one, EndsIn) else one for one in draft.notices)


def told_before_end(draft: Draft) -> int | None:
    """How long before the end of a window its end is told, microseconds; None where that is not asked for."""
    for one in draft.notices:
        if isinstance(one, EndsIn):
            return parse_duration(one.before)
    return ENDS_IN if "truce.ends_in" in draft.notices else None


#: Shortest and longest of each duration, microseconds.
_SPANS: Final[dict[str, tuple[int, int]]] = {
    "digest": (SECOND, 7 * DAY),
    "heartbeat": (SECOND, 31 * DAY),
    "group_wait": (0, HOUR),
    "group_interval": (0, DAY),
    "truce.ends_in": (SECOND, 31 * DAY),
}


def find_faults(draft: Draft) -> list[tuple[str, str]]:
    """Faults that types cannot find, as (JSON pointer, detail) pairs; webhook addresses are the guard's to judge."""
    return [*_channel_faults(draft), *_time_faults(draft), *_filter_faults(draft.filter)]


def _channel_faults(draft: Draft) -> Iterator[tuple[str, str]]:
    if isinstance(draft.channel, Email) and not is_address(draft.channel.to):
        yield "/channel/to", "not an email address"
    if draft.contact is not None and not is_address(draft.contact):
        yield "/contact", "not an email address"
    if draft.format == "slack" and isinstance(draft.channel, Email):
        yield "/format", "slack goes with a webhook"
    if format_of(draft) == "cap" and (draft.mode != "immediate" or draft.group_by):
        yield (
            "/format" if draft.format == "cap" else "/channel/format",
            "cap goes with immediate, ungrouped messages: a CAP document holds one alert",
        )


def is_address(text: str) -> bool:
    """Whether ``text`` is an email address of the usual kind, in ASCII, unquoted."""
    return len(text) <= MAX_EMAIL and _EMAIL.fullmatch(text) is not None


def _time_faults(draft: Draft) -> Iterator[tuple[str, str]]:
    if isinstance(draft.mode, DigestMode):
        yield from _mode_faults(draft.mode)
    if draft.heartbeat is not None:
        yield from _span_faults("/heartbeat", "heartbeat", draft.heartbeat)
    yield from _span_faults("/group_wait", "group_wait", draft.group_wait)
    yield from _span_faults("/group_interval", "group_interval", draft.group_interval)
    for number, one in enumerate(draft.notices):
        if isinstance(one, EndsIn):
            yield from _span_faults(f"/notices/{number}/truce.ends_in", "truce.ends_in", one.before)
    if len(notices_of(draft)) < len(draft.notices):
        yield "/notices", "names a notice twice"
    if draft.quiet_hours is not None:
        yield from _quiet_faults(draft.quiet_hours)


def _quiet_faults(quiet: QuietHours) -> Iterator[tuple[str, str]]:
    yield from _zone_faults("/quiet_hours/timezone", quiet.timezone)
    if quiet.start == quiet.end:
        yield "/quiet_hours/to", "must differ from the start; a whole day is from 00:00 to 24:00"
    whole_days = (quiet.start, quiet.end) == ("00:00", "24:00")
    if whole_days and (not quiet.days or set(quiet.days) == set(get_args(Day))):
        yield "/quiet_hours/days", "must leave a day that is not quiet, or nothing would ever be sent"


def _mode_faults(mode: DigestMode) -> Iterator[tuple[str, str]]:
    if (mode.digest is None) == (mode.daily is None):
        yield "/mode", 'either "immediate", {"digest": duration} or {"daily": "HH:MM", "timezone": name}'
    if mode.digest is not None:
        yield from _span_faults("/mode/digest", "digest", mode.digest)
    if mode.daily is not None and mode.timezone is None:
        yield "/mode/timezone", "is required"
    if mode.timezone is not None:
        yield from _zone_faults("/mode/timezone", mode.timezone)


def _span_faults(pointer: str, kind: str, text: str) -> Iterator[tuple[str, str]]:
    shortest, longest = _SPANS[kind]
    try:
        if not shortest <= parse_duration(text) <= longest:
            yield pointer, f"must last from {shortest // SECOND} to {longest // SECOND} seconds"
    except ValueError as error:
        yield pointer, str(error)


def _zone_faults(pointer: str, name: str) -> Iterator[tuple[str, str]]:
    try:
        find_zone(name)
    except ValueError as error:
        yield pointer, str(error)


def _filter_faults(wanted: Filter) -> Iterator[tuple[str, str]]:
    if wanted.bbox is not None:
        yield from (("/filter/bbox", fault) for fault in faults_of(wanted.bbox))
