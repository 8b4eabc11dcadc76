"""Mail to the owner about an endpoint, a silence or a filter: to the contact address, or the subscription's own."""

from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from schemas.vocabulary import Language
from schemas.wording.lines import clean
from schemas.wording.words import words
from services.notify.domain.consent import address_of
from services.notify.domain.own_headers import hide_user
from services.notify.kinds.kind import Kind, Material
from services.notify.render.page import MessagePage

Occasion = Literal["failing", "disabled", "gone", "bounced", "silence_expired", "names_removed"]


class NoticeContent(msgspec.Struct, frozen=True):
    """The occasion, since when, and the endpoint's last answer, the silence's reason, or the ids that the registry no
    longer has. The address is read from the subscription when the notice is sent: kept here, it would be stored in
    plain text."""

    kind: Occasion
    since: int
    answer: str


def notice_page(
    occasion: Occasion, name: str, *, since: int, zone: ZoneInfo, endpoint: str, answer: str, language: Language
) -> MessagePage:
    """The text for the owner; ``since`` is an instant."""
    say = words(language)
    shown, moment = clean(name), say.moment(since, zone)
    lead = say.say(f"notice.{occasion}.lead", name=shown, since=moment)
    said = "removed" if occasion == "names_removed" else "answer"
    details = (("endpoint", clean(endpoint)), ("since", moment), (said, clean(answer)[:300]))
    return MessagePage(
        subject=say.say(f"notice.{occasion}.subject", name=shown),
        title=say.say(f"notice.{occasion}.title"),
        preview=lead,
        tone="over" if occasion == "silence_expired" else "Moderate",
        lead=(lead,),
        facts=tuple((say.say(f"notice.detail.{field}"), value) for field, value in details if value),
    )


def _page(made: Material) -> MessagePage:
    content, subscription = made.job.read(NoticeContent), made.subscription
    return notice_page(
        content.kind,
        subscription.draft.name,
        since=content.since,
        zone=made.zone,
        endpoint=hide_user(subscription.target),
        answer=content.answer,
        language=made.language,
    )


NOTICE: Final = Kind(
    "notice",
    page=_page,
    needs_proof=False,
    mailed_to=address_of,
    is_void=lambda _job, subscription, _now: address_of(subscription) is None,
)
