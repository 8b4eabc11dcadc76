"""Nobody is mailed who did not ask: what may be sent to which address. Source: the contract, "Nobody is mailed"."""

from dataclasses import replace
from typing import Final, Literal

from schemas.instants import DAY
from services.notify.domain.lifecycle import NotPossibleError
from services.notify.domain.subscription import ContactState, Email, Subscription

#: Why a subscription by mail is pending although nobody was asked yet.
NO_RELAY: Final = "no mail relay is set up (TRUCEWATCH_SMTP_URL); the confirmation is sent once there is one"
#: Confirmations within a day: to one address, whoever asks for them, and for one owner, to whatever addresses.
MOST_TO_ADDRESS: Final = 3
MOST_FOR_OWNER: Final = 60
COUNTED_OVER: Final = DAY
#: Why a subscription is gone.
BLOCKED: Final = "the reader of the address blocked it"


class NotWantedError(NotPossibleError):
    """The reader of an address blocked it. ``pointer`` says which field has the address."""

    def __init__(self, pointer: str) -> None:
        super().__init__("the reader of this address blocked it; nothing is sent there unless an operator lifts that")
        self.pointer = pointer


class AskedTooOftenError(Exception):
    """No more confirmations now: ``again_at`` is the instant from which one may be sent."""

    def __init__(self, text: str, again_at: int) -> None:
        super().__init__(text)
        self.again_at = again_at


#: ``set``: another contact address. ``stalled``: no mail relay, or its owner has no valid key. ``asked``: the
#: confirmation is on its way. ``blocked``: the reader wants no mail from here.
ContactEvent = Literal["set", "unset", "stalled", "asked", "confirmed", "blocked"]

CONTACT: Final[dict[tuple[ContactState, ContactEvent], ContactState]] = {
    **{(state, "unset"): "none" for state in ("none", "waiting", "asked", "confirmed", "blocked")},
    **{(state, "set"): "waiting" for state in ("none", "waiting", "asked", "confirmed", "blocked")},
    ("none", "stalled"): "none",
    ("waiting", "stalled"): "waiting",
    ("asked", "stalled"): "waiting",
    ("confirmed", "stalled"): "confirmed",
    ("blocked", "stalled"): "blocked",
    ("waiting", "asked"): "asked",
    ("asked", "asked"): "asked",
    ("blocked", "asked"): "asked",
    ("waiting", "confirmed"): "confirmed",
    ("asked", "confirmed"): "confirmed",
    ("none", "blocked"): "blocked",
    ("waiting", "blocked"): "blocked",
    ("asked", "blocked"): "blocked",
    ("confirmed", "blocked"): "blocked",
    ("blocked", "blocked"): "blocked",
}


def fold_address(address: str) -> str:
    """The form by which addresses are counted and blocked: mail systems do not tell the case of letters apart."""
    return address.lower()


def has_own_contact(subscription: Subscription) -> bool:
    """Whether the contact is an address of its own, which the confirmation of the channel does not cover."""
    contact = subscription.draft.contact
    if not contact:
        return False
    channel = subscription.draft.channel
    return not isinstance(channel, Email) or fold_address(channel.to) != fold_address(contact)


def may_mail(subscription: Subscription, address: str) -> bool:
    """Whether the reader of the address has agreed to mail about this subscription."""
    folded, contact, channel = fold_address(address), subscription.draft.contact, subscription.draft.channel
    if contact and subscription.contact_state == "confirmed" and fold_address(contact) == folded:
        return True
    if not isinstance(channel, Email) or fold_address(channel.to) != folded:
        return False
    return subscription.proved_at is not None and subscription.state in ("active", "failing", "disabled")


def address_of(subscription: Subscription) -> str | None:
    """Where its owner reads mail, if we know and its reader has agreed."""
    channel = subscription.draft.channel
    known = (subscription.draft.contact, channel.to if isinstance(channel, Email) else None)
    return next((address for address in known if address and may_mail(subscription, address)), None)


def follow_contact(subscription: Subscription, event: ContactEvent) -> Subscription:
    """The subscription after an event of its contact address, with no confirmation under way. Raises KeyError where
    the table has no such move."""
    state = CONTACT[subscription.contact_state, event]
    return replace(subscription, contact_state=state, contact_nonce=None, contact_until=None)


def waits_to_ask(subscription: Subscription) -> bool:
    """Whether an address is to be asked for its consent that could not be asked yet."""
    if subscription.state in ("held", "ended"):
        return False
    return waits_for_channel(subscription) or subscription.contact_state == "waiting"


def waits_for_channel(subscription: Subscription) -> bool:
    """Whether it is a subscription by mail that waits for a relay."""
    is_mail = isinstance(subscription.draft.channel, Email)
    return is_mail and subscription.state == "pending" and subscription.nonce is None
