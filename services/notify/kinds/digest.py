"""The alerts of a group, a period or a day in one message, each with its net status."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from schemas.assessments import Alert
from schemas.causes import Cause
from schemas.instants import format_instant
from schemas.vocabulary import AlertStatus, Language
from schemas.wording.lines import clean
from schemas.wording.words import Words, words
from services.notify.domain.heartbeat import Heartbeat
from services.notify.kinds.kind import Kind, Material, Member
from services.notify.render import wording
from services.notify.render.json import MAX_BODY, MAX_DATA, Data, alert_data, cut_cause, fit, write_body
from services.notify.render.mime import NAME_SLOT
from services.notify.render.page import DigestRow, MessagePage

#: Alerts shown in one letter; the rest is counted.
MAX_ROWS: Final = 100
#: The alerts of a body may each take the whole of it, a fifth, a tenth, a twentieth.
_SHARES: Final = (1, 5, 10, 20)
#: More alerts than this never fit one body, however short.
_MOST_ALERTS: Final = 60


class DigestContent(msgspec.Struct, frozen=True):
    """The period ``[start, end)``, what the alerts have in common, the net status of each, and the heartbeat that the
    digest carries, if any. ``cause``: the change of the registry that caused all of them; ``omitted``: how many more
    there are than ``members``."""

    start: int
    end: int
    group: dict[str, str]
    members: tuple[Member, ...]
    heartbeat: Heartbeat | None = None
    cause: Cause | None = None
    omitted: int = 0


def digest_body(
    alerts: Sequence[Data],
    *,
    start: int,
    end: int,
    group: Mapping[str, str] | None,
    sent_at: int,
    cause: Cause | None = None,
    omitted: int = 0,
) -> bytes:
    """The body of a ``digest`` of ``[start, end)``: alerts in the order given, as many as fit, the rest counted.

    ``alerts`` are from :func:`alert_data`; those that do not fit are shortened to equal shares of the body. ``group``:
    what they have in common; ``cause``: the change of the registry that caused them all; ``omitted``: more alerts.
    """
    head: Data = {"from": format_instant(start), "to": format_instant(end), "group": dict(group) if group else None}
    if cause is not None:
        head["cause"] = cut_cause(msgspec.to_builtins(cause))

    def write(shown: Sequence[Data]) -> bytes:
        data = head | {"alerts": shown, "omitted": len(alerts) - len(shown) + omitted}
        return write_body(DIGEST.name, sent_at, data)

    shown: list[Data] = []
    payload = b""
    for share in _SHARES:
        shown = [fit(data, MAX_DATA // share) for data in alerts[:_MOST_ALERTS]]
        payload = write(shown)
        if len(payload) <= MAX_BODY:
            return payload
    while len(payload) > MAX_BODY:
        shown = shown[:-1]
        payload = write(shown)
    return payload


def digest_page(
    alerts: Sequence[tuple[Alert, AlertStatus]],
    *,
    start: int,
    end: int,
    zone: ZoneInfo,
    group: str | None,
    language: Language,
    link_to: Callable[[str, int], str],
    daily: bool = False,
    heartbeat: Heartbeat | None = None,
    cause: Cause | None = None,
    omitted: int = 0,
) -> MessagePage:
    """The text for people of a digest of ``[start, end)``, each alert with its net status; ``daily``: of one day;
    ``cause``: by one change of the registry; ``omitted``: with more alerts; ``link_to``: the link to a revision of an
    alert.

    A heartbeat, where given, is one line of it.
    """
    say = words(language)
    count = len(alerts) + omitted
    counted = say.count("alerts", count)
    period = say_period(start, end, zone, say)
    day = say.day(start, zone)
    title = "change" if cause is not None else "daily" if daily else "digest"
    rows = tuple(_row(alert, status, language, link_to) for alert, status in alerts[:MAX_ROWS])
    told = "mail.change_lead" if cause is not None else "mail.digest_lead"
    lead = say.say(told if alerts else "mail.quiet", span=period)
    notes = [say.count("omitted", count - MAX_ROWS)] if count > MAX_ROWS else []
    if heartbeat is not None:
        notes.append(_heartbeat_line(heartbeat, zone, say))
    if alerts:
        notes += [say.say("mail.link_note"), say.say("mail.own_link")]
    return MessagePage(
        subject=say.say(f"mail.{title}_subject", alerts=counted, span=period, day=day),
        title=say.say(f"mail.{title}_title", alerts=counted, day=day),
        preview=lead,
        lead=(lead,),
        facts=(
            *(((say.say("mail.group"), clean(group)),) if group else ()),
            *(() if cause is None else wording.change_facts(cause, say)),
        ),
        rows=rows,
        notes=tuple(notes),
        footer=say.say("mail.footer", name=NAME_SLOT),
    )


def _row(alert: Alert, status: AlertStatus, language: Language, link_to: Callable[[str, int], str]) -> DigestRow:
    say = words(language)
    details = [say.name("status", status), say.name("severity", alert.severity)]
    if alert.certainty:
        details.append(say.name("certainty", alert.certainty))
    details.append(wording.truces(alert, alert.truces, say))
    return DigestRow(wording.headline(alert, language), " · ".join(details), link_to(alert.id, alert.revision))


def _heartbeat_line(beat: Heartbeat, zone: ZoneInfo, say: Words) -> str:
    return say.say(
        "mail.heartbeat_line",
        sequence=beat.sequence,
        span=say_period(beat.start, beat.end, zone, say),
        reports=say.count("reports", beat.reports),
        violations=say.count("violations", beat.violations),
        delivered=say.count("delivered", beat.delivered),
        last=say_last_alert(beat, zone, say),
    )


def say_period(start: int, end: int, zone: ZoneInfo, say: Words) -> str:
    return say.say("day.span", first=say.moment(start, zone), last=say.moment(end, zone))


def say_last_alert(beat: Heartbeat, zone: ZoneInfo, say: Words) -> str:
    return say.say("none") if beat.last_alert is None else say.moment(beat.last_alert, zone)


def _body(made: Material) -> bytes:
    content = made.job.read(DigestContent)
    alerts = [
        alert_data(
            told.alert,
            status=told.status,
            language=made.language,
            sent_at=told.recorded_at,
            public_url=made.public_url,
        )
        for told in made.alerts
    ]
    return digest_body(
        alerts,
        start=content.start,
        end=content.end,
        group=content.group,
        sent_at=made.job.created_at,
        cause=content.cause,
        omitted=content.omitted,
    )


def _page(made: Material) -> MessagePage:
    content, mode = made.job.read(DigestContent), made.subscription.draft.mode
    return digest_page(
        [(told.alert, told.status) for told in made.alerts],
        start=content.start,
        end=content.end,
        zone=made.zone,
        group=", ".join(f"{k}: {v}" for k, v in content.group.items()) or None,
        language=made.language,
        link_to=made.link_to,
        daily=mode != "immediate" and mode.daily is not None,
        heartbeat=content.heartbeat,
        cause=content.cause,
        omitted=content.omitted,
    )


DIGEST: Final = Kind(
    "digest",
    bodies={"json": _body},
    page=_page,
    alerts=lambda job: job.read(DigestContent).members,
    carries_heartbeat=lambda job: job.read(DigestContent).heartbeat is not None,
)
