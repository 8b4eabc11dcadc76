"""One revision of one alert: raised, updated or cancelled."""

from typing import Final

from schemas.assessments import Alert
from schemas.vocabulary import AlertStatus, Language
from schemas.wording.words import words
from services.notify.kinds.kind import Kind, Material
from services.notify.render import wording
from services.notify.render.cap import cap_of
from services.notify.render.json import MAX_DATA, alert_data, alert_fields, fit, write_body
from services.notify.render.mime import ALERT_SLOT, NAME_SLOT
from services.notify.render.page import MessagePage


def alert_body(alert: Alert, *, status: AlertStatus, language: Language, sent_at: int, public_url: str) -> bytes:
    """The body of ``alert.raised``, ``alert.updated`` or ``alert.cancelled``; the same values give the same bytes."""
    whole = write_body(ALERT.type(status), sent_at, alert_fields(alert, status, language, sent_at, public_url))
    if len(whole) <= MAX_DATA:
        return whole
    data = alert_data(alert, status=status, language=language, sent_at=sent_at, public_url=public_url)
    return write_body(ALERT.type(status), sent_at, fit(data, MAX_DATA))


def alert_page(alert: Alert, *, status: AlertStatus, language: Language) -> MessagePage:
    """The text for people of one revision of an alert; ``status`` follows the message."""
    say = words(language)
    headline = wording.headline(alert, language)
    told = say.name("status", status)
    over = status == "cancelled"
    return MessagePage(
        subject=wording.titled(alert, status, language),
        title=headline,
        preview=" ".join(wording.reason_texts(alert, language)[:2]),
        tone="over" if over else alert.severity,
        badge=f"{told} · {say.name('severity', alert.severity)}" if not over else told,
        lead=(say.say("mail.cancelled_note"),) if over else (),
        changes=() if status == "raised" else tuple(wording.changes(alert, language)),
        facts=tuple(wording.facts(alert, language)),
        reasons=tuple(wording.reason_texts(alert, language)),
        links=((say.say("mail.open_alert"), ALERT_SLOT),),
        notes=(say.say("mail.link_note"), say.say("mail.own_link")),
        footer=say.say("mail.footer", name=NAME_SLOT),
    )


def _body(made: Material) -> bytes:
    [told] = made.alerts
    return alert_body(
        told.alert, status=told.status, language=made.language, sent_at=told.recorded_at, public_url=made.public_url
    )


def _cap(made: Material) -> bytes:
    [told] = made.alerts
    return cap_of(told.alert, told.status, made.revisions, made.public_url, made.rings_of)


def _page(made: Material) -> MessagePage:
    [told] = made.alerts
    return alert_page(told.alert, status=told.status, language=made.language)


ALERT: Final = Kind(
    "alert",
    bodies={"json": _body, "cap": _cap},
    page=_page,
    has_status=True,
    alerts=lambda job: [(job.alert or "", job.revision, job.status)],
)
