"""Mail is sent only to addresses whose readers agreed. Source: the contract, "Nobody is mailed"."""

from dataclasses import replace
from typing import Final, Literal

from schemas.instants import DAY
from services.notify.domain.lifecycle import NotPossibleError
from services.notify.domain.subscription import ContactState, Email, Subscription

#: The reason of a pending mail subscription whose confirmation was not sent yet.
NO_RELAY: Final = "no mail relay is set up (TRUCEWATCH_SMTP_URL); the confirmation is sent once there is one"
#: Maximum confirmations a day: to one address, for all owners together; for one owner, to all addresses together.
MOST_TO_ADDRESS: Final = 3
MOST_FOR_OWNER: Final = 60
COUNTED_OVER: Final = DAY
#: The reason of a subscription that is gone.
BLOCKED: Final = "the reader of the address blocked it"


class NotWantedError(NotPossibleError):
    """The reader of an address blocked it. ``pointer``: to the field with the address."""

    def __init__(self, pointer: str) -> None:
        super().__init__("the reader of this address blocked it; nothing is sent there unless an operator lifts that")
        self.pointer = pointer


class AskedTooOftenError(Exception):
    """Too many confirmations were sent. ``again_at``: the instant from which the next may be."""

    def __init__(self, text: str, again_at: int) -> None:
        super().__init__(text)
        self.again_at = again_at


#: ``set``: another contact address. ``stalled``: no mail relay, or its owner has no valid key. ``asked``: the
#: confirmation was sent. ``blocked``: the reader blocked the address.
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
    """The form in which addresses are counted and blocked: mail systems ignore case."""
    return address.lower()


def has_own_contact(subscription: Subscription) -> bool:
    """Whether the contact address differs from the channel's, so needs a confirmation of its own."""
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
    """The address for mail to the owner: contact or channel, if its reader agreed."""
    channel = subscription.draft.channel
    known = (subscription.draft.contact, channel.to if isinstance(channel, Email) else None)
    return next((address for address in known if address and may_mail(subscription, address)), None)


def follow_contact(subscription: Subscription, event: ContactEvent) -> Subscription:
    """The subscription after an event of its contact address; a pending confirmation is void. Raises KeyError for a
    transition that is not in the table."""
    state = CONTACT[subscription.contact_state, event]
    return replace(subscription, contact_state=state, contact_nonce=None, contact_until=None)


def waits_to_ask(subscription: Subscription) -> bool:
    """Whether a confirmation is still to be sent."""
    if subscription.state in ("held", "ended"):
        return False
    return waits_for_channel(subscription) or subscription.contact_state == "waiting"


def waits_for_channel(subscription: Subscription) -> bool:
    """Whether it is a mail subscription that waits for a mail relay."""
    is_mail = isinstance(subscription.draft.channel, Email)
    return is_mail and subscription.state == "pending" and subscription.nonce is None
