"""A notice about a truce: it begins, ends soon, is extended, has lapsed, is disputed; or one of these is corrected."""

from typing import Final, get_args
from zoneinfo import ZoneInfo

import msgspec

from schemas.assessments import FoundWindow
from schemas.causes import Cause
from schemas.instants import parse_instant
from schemas.vocabulary import Language
from schemas.wording.lines import clean
from schemas.wording.reasons import named
from schemas.wording.words import Words, words, zone_label
from schemas.zones import find_zone
from services.notify.domain.subscription import NoticeType, Subscription
from services.notify.domain.truce_schedule import PublishedSchedule, Span, write_span
from services.notify.kinds.kind import Job, Kind, Material
from services.notify.render.json import write_body
from services.notify.render.mime import NAME_SLOT
from services.notify.render.page import MessagePage
from services.notify.render.wording import change_facts

#: Maximum characters of an announcement's words in a mail.
_MAX_WORDS: Final = 1_000


class TruceNoticeContent(msgspec.Struct, frozen=True):
    """``before``: the window as it was told, in a correction, or as it was before an extension. ``window`` null: there
    is no such window any longer. ``issuer`` and ``text``: whose announcement it rests on, and its words."""

    truce: str
    name: str
    window: FoundWindow | None
    before: FoundWindow | None
    announcement: str | None
    cause: Cause
    timezone: str
    issuer: str = ""
    text: str = ""


def make_notice(
    subscription: Subscription,
    schedule: PublishedSchedule,
    type: NoticeType,
    window: Span | None,
    before: Span | None,
    announcement: str | None,
    number: int,
    now: int,
) -> Job:
    """The message of one notice; ``number`` tells it from the subscription's others of this truce."""
    language = subscription.draft.language
    said = schedule.announcements.get(announcement or "")
    content = TruceNoticeContent(
        schedule.truce,
        named(schedule.names, schedule.truce, language),
        write_span(window),
        write_span(before),
        announcement,
        schedule.cause,
        schedule.timezone,
        "" if said is None else named(said.issuer_names, said.issuer, language),
        "" if said is None else said.text,
    )
    return TRUCE_NOTICES[type].make(subscription.id, now, schedule.truce, number, content=content)


def _body(made: Material) -> bytes:
    content = made.job.read(TruceNoticeContent)
    data = {
        "truce": content.truce,
        "name": content.name,
        "window": content.window,
        "before": content.before,
        "announcement": content.announcement,
        "cause": content.cause,
    }
    return write_body(made.job.kind.name, made.job.created_at, data)


def truce_page(type: str, content: TruceNoticeContent, language: Language) -> MessagePage:
    """The mail of one notice, its times by the registry's time zone."""
    say, zone = words(language), find_zone(content.timezone)
    title = say.say(f"{type}.title", truce=clean(content.name))
    is_extension = type == "truce.extended" and _is_longer(content)
    if content.before is not None and not is_extension:
        title = say.say("truce.corrected", title=title)
    lead = _lead(type, content, zone, say, is_extension=is_extension)
    facts = [
        ("truce.window", "" if content.window is None else _period(content.window, zone, say)),
        ("field.before", "" if content.before is None else _period(content.before, zone, say)),
        ("truce.announced", clean(content.issuer)),
        ("truce.words", clean(content.text)[:_MAX_WORDS]),
    ]
    return MessagePage(
        subject=title,
        title=title,
        preview=lead,
        tone="Minor" if type == "truce.disputed" else "calm",
        lead=(lead,),
        facts=(*((say.say(key), value) for key, value in facts if value), *change_facts(content.cause, say)),
        notes=() if content.window is None else (_zone_note(content.window, zone, say),),
        footer=say.say("mail.footer", name=NAME_SLOT),
    )


def _is_longer(content: TruceNoticeContent) -> bool:
    """Whether the window ends later than before: an extension, not the correction of one."""
    if content.window is None or content.before is None or content.before.end is None:
        return False
    end = content.window.end
    return end is None or parse_instant(end) > parse_instant(content.before.end)


def _lead(type: str, content: TruceNoticeContent, zone: ZoneInfo, say: Words, *, is_extension: bool) -> str:
    before, window = content.before, content.window
    if window is None:
        return say.say("truce.gone", before="" if before is None else _period(before, zone, say))
    if before is not None and not is_extension:
        return say.say("truce.moved", before=_period(before, zone, say), window=_period(window, zone, say))
    return say.say(f"{type}.lead", window=_period(window, zone, say))


def _period(window: FoundWindow, zone: ZoneInfo, say: Words) -> str:
    start = say.moment(parse_instant(window.start), zone)
    if window.end is None:
        return say.say("window.open", start=start)
    return say.say("window.closed", start=start, end=say.moment(parse_instant(window.end), zone))


def _zone_note(window: FoundWindow, zone: ZoneInfo, say: Words) -> str:
    return say.say("truce.zone", zone=say.foreign(zone_label(parse_instant(window.end or window.start), zone)))


def _page(made: Material) -> MessagePage:
    return truce_page(made.job.kind.name, made.job.read(TruceNoticeContent), made.language)


TRUCE_NOTICES: Final[dict[NoticeType, Kind]] = {
    type: Kind(type, bodies={"json": _body}, page=_page) for type in get_args(NoticeType)
}
