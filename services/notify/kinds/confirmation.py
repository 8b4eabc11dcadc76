"""Mails that ask for consent: to the messages of a subscription, or to notices about its endpoint."""

from dataclasses import dataclass
from typing import Final, Literal

from schemas.instants import HOUR
from schemas.vocabulary import Language
from schemas.wording.words import words
from services.notify.domain.subscription import Subscription
from services.notify.kinds.challenge import holds, is_void
from services.notify.kinds.kind import ConsentRequest, Job, Kind, Material
from services.notify.render.page import MessagePage
from services.notify.render.plain import plain_name

#: How long a confirmation link is good for.
CONFIRM_FOR: Final = 48 * HOUR


@dataclass(frozen=True, slots=True)
class ConfirmLinks:
    """The links of a confirmation: to agree, and to block the address."""

    confirm: str
    block: str


def confirm_page(what: Literal["channel", "contact"], name: str, to: ConfirmLinks, language: Language) -> MessagePage:
    """The mail that asks for consent. The subscription's name is its only text by the owner, without anything that a
    mail reader would turn into a link."""
    say = words(language)
    lead = say.say(f"mail.confirm_lead.{what}", name=plain_name(name))
    return MessagePage(
        subject=say.say(f"mail.confirm_subject.{what}"),
        title=say.say(f"mail.confirm_title.{what}"),
        preview=say.say("mail.confirm_how"),
        lead=(lead, say.say("mail.confirm_how")),
        button=(say.say("mail.confirm_button"), to.confirm),
        links=((say.say("mail.confirm_block"), to.block),),
        notes=(say.say("mail.confirm_else"),),
    )


def _page(what: Literal["channel", "contact"], made: Material, token: str | None) -> MessagePage:
    base = f"{made.public_url}/v1"
    links = ConfirmLinks(f"{base}/confirm?token={token}", f"{base}/block?token={token}")
    return confirm_page(what, made.subscription.draft.name, links, made.language)


def _contact(subscription: Subscription) -> str:
    return subscription.draft.contact or ""


def _contact_is_void(job: Job, subscription: Subscription, now: int) -> bool:
    until = subscription.contact_until
    return until is None or now >= until or not holds(job, subscription.contact_nonce)


CONFIRM: Final = Kind(
    "confirm",
    page=lambda made: _page("channel", made, made.subscription.nonce),
    needs_proof=False,
    valid_for=CONFIRM_FOR,
    is_void=is_void,
    asks=ConsentRequest(lambda s: s.target, lambda s: s.nonce, "/channel/to"),
)
CONSENT: Final = Kind(
    "consent",
    page=lambda made: _page("contact", made, made.subscription.contact_nonce),
    needs_proof=False,
    mailed_to=_contact,
    valid_for=CONFIRM_FOR,
    is_void=_contact_is_void,
    asks=ConsentRequest(_contact, lambda s: s.contact_nonce, "/contact"),
)
