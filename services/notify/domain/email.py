"""The letters that are sent by mail: what each says, in three languages. How a letter becomes bytes: :mod:`mime`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal
from zoneinfo import ZoneInfo

from schemas.assessments import Alert
from schemas.vocabulary import AlertStatus, Language
from services.notify.domain import wording
from services.notify.domain.message import Heartbeat, links
from services.notify.domain.mime import NAME_SLOT, Letter, mail_id
from services.notify.domain.page import Page, Row, render
from services.notify.domain.words import Words, clean, words

NoticeKind = Literal["failing", "disabled", "gone", "bounced", "silence_expired"]
#: Alerts shown in one digest; the rest is counted.
MAX_ROWS: Final = 100
#: References of a mail: the thread's, and of the alert's revisions before it these many.
MAX_REFERENCES: Final = 9
#: Characters of a subscription's name that a confirmation shows.
NAME_LENGTH: Final = 80
#: A point or a slash within a word, "@" and ":" make mail readers see an address.
_LINK_MARKS: Final = re.compile(r"(?<=\S)[./\\\u3002\uff0e\uff61](?=\S)|[@:\uff20\uff1a]|//+")


def alert_letter(alert: Alert, *, status: AlertStatus, language: Language, public_url: str) -> Letter:
    """The mail of one revision of an alert; ``status`` follows the message."""
    say = words(language)
    headline = wording.headline(alert, language)
    told = say.name("status", status)
    url = links(alert, public_url)
    over = status == "cancelled"
    page = Page(
        subject=headline if status == "raised" else f"{told}: {headline}",
        title=headline,
        preview=" ".join(wording.reason_texts(alert, language)[:2]),
        tone="over" if over else alert.severity,
        badge=f"{told} · {say.name('severity', alert.severity)}" if not over else told,
        lead=(say.say("mail.cancelled_note"),) if over else (),
        changes=() if status == "raised" else tuple(wording.changes(alert, language)),
        facts=tuple(wording.facts(alert, language)),
        reasons=tuple(wording.reason_texts(alert, language)),
        links=((say.say("mail.open_alert"), url["self"]), (say.say("mail.open_report"), url["incident"])),
        notes=(say.say("mail.link_note"),),
        footer=say.say("mail.footer", name=NAME_SLOT),
    )
    return render(page, language)


def alert_mail_ids(alert: Alert, recipient: str, domain: str) -> tuple[str, tuple[str, ...]]:
    """Message-ID and References of an alert's mail, functions of (alert, revision, recipient) and of the thread.

    The thread has an id of its own that no mail bears, so that all its alerts hang together; whether the recipient got
    each revision before does not matter to a mail reader.
    """
    ids = [mail_id(domain, "alert", alert.id, n, recipient) for n in range(1, alert.revision + 1)]
    root = mail_id(domain, "thread", alert.thread, recipient)
    return ids[-1], (root, *ids[:-1][-MAX_REFERENCES:])


def digest_letter(
    alerts: Sequence[tuple[Alert, AlertStatus]],
    *,
    start: int,
    end: int,
    zone: ZoneInfo,
    group: str | None,
    language: Language,
    public_url: str,
    daily: bool = False,
    heartbeat: Heartbeat | None = None,
) -> Letter:
    """The mail of a digest of ``[start, end)``, each alert with its net status; ``daily``: of one day.

    A heartbeat, where given, is told in one line: proof that silence means that nothing happened.
    """
    say = words(language)
    counted = say.count("alerts", len(alerts))
    span = _span(start, end, zone, say)
    day = say.day(start, zone)
    kind = "daily" if daily else "digest"
    rows = tuple(_row(alert, status, language, public_url) for alert, status in alerts[:MAX_ROWS])
    lead = say.say("mail.digest_lead" if alerts else "mail.quiet", span=span)
    notes = [say.count("omitted", len(alerts) - MAX_ROWS)] if len(alerts) > MAX_ROWS else []
    if heartbeat is not None:
        notes.append(_heartbeat_line(heartbeat, zone, say))
    if alerts:
        notes.append(say.say("mail.link_note"))
    page = Page(
        subject=say.say(f"mail.{kind}_subject", alerts=counted, span=span, day=day),
        title=say.say(f"mail.{kind}_title", alerts=counted, day=day),
        preview=lead,
        lead=(lead,),
        facts=((say.say("mail.group"), clean(group)),) if group else (),
        rows=rows,
        notes=tuple(notes),
        footer=say.say("mail.footer", name=NAME_SLOT),
    )
    return render(page, language)


def _row(alert: Alert, status: AlertStatus, language: Language, public_url: str) -> Row:
    say = words(language)
    details = [say.name("status", status), say.name("severity", alert.severity)]
    if alert.certainty:
        details.append(say.name("certainty", alert.certainty))
    details.append(wording.truces(alert, alert.truces, say))
    return Row(wording.headline(alert, language), " · ".join(details), links(alert, public_url)["self"])


def _span(start: int, end: int, zone: ZoneInfo, say: Words) -> str:
    return say.say("day.span", first=say.moment(start, zone), last=say.moment(end, zone))


def _heartbeat_line(beat: Heartbeat, zone: ZoneInfo, say: Words) -> str:
    return say.say(
        "mail.heartbeat_line",
        sequence=beat.sequence,
        span=_span(beat.start, beat.end, zone, say),
        reports=say.count("reports", beat.reports),
        violations=say.count("violations", beat.violations),
        delivered=say.count("delivered", beat.delivered),
        last=_last_alert(beat, zone, say),
    )


def _last_alert(beat: Heartbeat, zone: ZoneInfo, say: Words) -> str:
    return say.say("none") if beat.last_alert is None else say.moment(beat.last_alert, zone)


def heartbeat_letter(beat: Heartbeat, *, zone: ZoneInfo, language: Language) -> Letter:
    """The mail that proves an open line."""
    say = words(language)
    lead = say.say("mail.heartbeat_lead", sequence=beat.sequence)
    page = Page(
        subject=say.say(
            "mail.heartbeat_subject", sequence=beat.sequence, alerts=say.count("violations", beat.violations)
        ),
        title=say.say("mail.heartbeat_title"),
        preview=lead,
        lead=(lead,),
        facts=(
            (say.say("mail.period"), _span(beat.start, beat.end, zone, say)),
            (say.say("mail.assessed"), str(beat.reports)),
            (say.say("mail.found"), str(beat.violations)),
            (say.say("mail.sent"), str(beat.delivered)),
            (say.say("mail.last_alert"), _last_alert(beat, zone, say)),
        ),
        footer=say.say("mail.footer", name=NAME_SLOT),
    )
    return render(page, language)


@dataclass(frozen=True, slots=True)
class ConfirmLinks:
    """The pages that a confirmation leads to: the one that agrees, and the one that blocks the address."""

    confirm: str
    block: str


def confirm_letter(what: Literal["channel", "contact"], name: str, to: ConfirmLinks, language: Language) -> Letter:
    """The mail that asks the reader of an address for consent: to the alerts of a subscription, or to word about its
    endpoint. Of its owner's own words it has the name alone, without what a mail reader would make a link of."""
    say = words(language)
    lead = say.say(f"mail.confirm_lead.{what}", name=plain_name(name))
    page = Page(
        subject=say.say(f"mail.confirm_subject.{what}"),
        title=say.say(f"mail.confirm_title.{what}"),
        preview=say.say("mail.confirm_how"),
        lead=(lead, say.say("mail.confirm_how")),
        button=(say.say("mail.confirm_button"), to.confirm),
        links=((say.say("mail.confirm_block"), to.block),),
        notes=(say.say("mail.confirm_else"),),
    )
    return render(page, language)


def plain_name(name: str) -> str:
    """A name of somebody's choice as it may stand in a mail to a stranger: short, and nothing that looks like an
    address of the web or of mail."""
    words_only = _LINK_MARKS.sub(" ", clean(name)).split()
    text = " ".join(words_only)
    return text if len(text) <= NAME_LENGTH else f"{text[: NAME_LENGTH - 1]}…"


def test_letter(*, language: Language) -> Letter:
    """The mail that an owner asks for to see whether mail arrives."""
    say = words(language)
    lead = say.say("mail.test_lead", name=NAME_SLOT)
    page = Page(
        subject=say.say("mail.test_subject"),
        title=say.say("mail.test_title"),
        preview="",
        lead=(lead,),
        footer=say.say("mail.footer", name=NAME_SLOT),
    )
    return render(page, language)


def notice_letter(
    kind: NoticeKind, name: str, *, since: int, zone: ZoneInfo, endpoint: str, answer: str, language: Language
) -> Letter:
    """Word to the owner about an endpoint (or a silence) itself; ``since`` is an instant."""
    say = words(language)
    shown, moment = clean(name), say.moment(since, zone)
    lead = say.say(f"notice.{kind}.lead", name=shown, since=moment)
    details = (("endpoint", clean(endpoint)), ("since", moment), ("answer", clean(answer)[:300]))
    page = Page(
        subject=say.say(f"notice.{kind}.subject", name=shown),
        title=say.say(f"notice.{kind}.title"),
        preview=lead,
        tone="over" if kind == "silence_expired" else "Moderate",
        lead=(lead,),
        facts=tuple((say.say(f"notice.detail.{field}"), value) for field, value in details if value),
    )
    return render(page, language)
