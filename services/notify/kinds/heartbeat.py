"""A numbered message with the counts of its period: shows that the system works while there are no alerts."""

from typing import Final
from zoneinfo import ZoneInfo

from schemas.instants import format_instant
from schemas.vocabulary import Language
from schemas.wording.words import words
from services.notify.domain.grouping import period_start
from services.notify.domain.heartbeat import Heartbeat, carrier_of
from services.notify.kinds.digest import digest_page, say_last_alert, say_period
from services.notify.kinds.kind import Kind, Material
from services.notify.render.json import write_body
from services.notify.render.mime import NAME_SLOT
from services.notify.render.page import MessagePage


def heartbeat_body(beat: Heartbeat, *, sent_at: int) -> bytes:
    """The body of a ``heartbeat``; the counts are of ``[from, to)``."""
    data = {
        "sequence": beat.sequence,
        "from": format_instant(beat.start),
        "to": format_instant(beat.end),
        "reports": beat.reports,
        "violations": beat.violations,
        "delivered": beat.delivered,
        "last_alert": None if beat.last_alert is None else format_instant(beat.last_alert),
    }
    return write_body(HEARTBEAT.name, sent_at, data)


def heartbeat_page(beat: Heartbeat, *, zone: ZoneInfo, language: Language) -> MessagePage:
    """The text for people of a heartbeat by itself."""
    say = words(language)
    lead = say.say("mail.heartbeat_lead", sequence=beat.sequence)
    alerts = say.count("violations", beat.violations)
    return MessagePage(
        subject=say.say("mail.heartbeat_subject", sequence=beat.sequence, alerts=alerts),
        title=say.say("mail.heartbeat_title"),
        preview=lead,
        lead=(lead,),
        facts=(
            (say.say("mail.period"), say_period(beat.start, beat.end, zone, say)),
            (say.say("mail.assessed"), str(beat.reports)),
            (say.say("mail.found"), str(beat.violations)),
            (say.say("mail.sent"), str(beat.delivered)),
            (say.say("mail.last_alert"), say_last_alert(beat, zone, say)),
        ),
        footer=say.say("mail.footer", name=NAME_SLOT),
    )


def _body(made: Material) -> bytes:
    return heartbeat_body(made.job.read(Heartbeat), sent_at=made.job.created_at)


def _page(made: Material) -> MessagePage:
    """An empty digest with the heartbeat's line, where the subscription has digests; else a page of its own."""
    beat, draft = made.job.read(Heartbeat), made.subscription.draft
    carrier = carrier_of(draft)
    if carrier is None:
        return heartbeat_page(beat, zone=made.zone, language=made.language)
    return digest_page(
        [],
        start=period_start(draft, beat.end, beat.end),
        end=beat.end,
        zone=made.zone,
        group=None,
        language=made.language,
        link_to=made.link_to,
        daily=carrier.daily is not None,
        heartbeat=beat,
    )


HEARTBEAT: Final = Kind("heartbeat", bodies={"json": _body}, page=_page, carries_heartbeat=lambda _: True)
