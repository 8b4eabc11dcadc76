"""The changes of an endpoint: proved, failing, turned off, held, ended.

Each decision is the subscription as it shall be, with the messages that follow.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from services.notify.domain.consent import BLOCKED, fold_address, follow_contact, has_own_contact, may_mail
from services.notify.domain.lifecycle import EndpointEvent, NotPossibleError, next_endpoint
from services.notify.domain.subscription import Email, Subscription, Webhook, rotate_secrets
from services.notify.kinds.kind import Job
from services.notify.kinds.notice import NOTICE, NoticeContent, Occasion

#: Why a subscription is held.
NO_OWNER: Final = "its owner has no valid key; an operator gives it to another key or ends it"

Decided = tuple[Subscription, Sequence[Job]]
Decide = Callable[[Subscription], Decided]


def follow(subscription: Subscription, event: EndpointEvent, now: int, reason: str) -> Subscription:
    """The subscription after an event. Raises NotPossibleError where the table has no such move."""
    state = next_endpoint(subscription.state, event)
    failing = state in ("failing", "disabled")
    return replace(
        subscription,
        state=state,
        reason=reason if state not in ("active", "pending") else "",
        failing_since=(subscription.failing_since or now) if failing else None,
        proved_at=now if event == "proved" else subscription.proved_at,
        nonce=None if event == "proved" else subscription.nonce,
        nonce_until=None if event == "proved" else subscription.nonce_until,
    )


def prove(subscription: Subscription, now: int) -> Decided:
    """Its owner has proved the channel."""
    return follow(subscription, "proved", now, ""), []


def recover(subscription: Subscription, now: int) -> Decided:
    """Its owner says that the endpoint is well again. Raises NotPossibleError for one that was never proved."""
    after = follow(subscription, "recovered", now, subscription.reason)
    if subscription.proved_at is None:
        raise NotPossibleError("the subscription has not been proved: ask for that by POST …/verify")
    return after, []


def end(subscription: Subscription, now: int, reason: str) -> Decided:
    """Unsubscribed or deleted: nothing more is sent. Ending twice changes nothing."""
    return (subscription if subscription.state == "ended" else follow(subscription, "ended", now, reason)), []


def orphan(subscription: Subscription, now: int) -> Decided:
    """Its owner has no valid key any more: it is held, and proofs that are under way are void."""
    if subscription.state in ("held", "ended"):
        return subscription, []
    held = replace(follow(subscription, "orphaned", now, NO_OWNER), nonce=None, nonce_until=None)
    return follow_contact(held, "stalled"), []


def block_address(subscription: Subscription, address: str, now: int) -> Decided:
    """The reader of the address wants no mail from here, whoever asks for it. Proof and consent are void."""
    after, folded = subscription, fold_address(address)
    if subscription.state == "ended":
        return after, []
    channel = subscription.draft.channel
    if isinstance(channel, Email) and fold_address(channel.to) == folded:
        gone = follow(after, "refused", now, BLOCKED)
        after = replace(gone, proved_at=None, nonce=None, nonce_until=None)
    if has_own_contact(after) and fold_address(after.draft.contact or "") == folded:
        after = follow_contact(after, "blocked")
    return after, []


def rotate(subscription: Subscription, secret: str, overlap_until: int) -> Decided:
    """A new secret; the one before signs as well until the overlap ends. Raises NotPossibleError for a mailbox."""
    if not isinstance(subscription.draft.channel, Webhook):
        raise NotPossibleError("mail is not signed with a secret")
    return replace(subscription, secrets=rotate_secrets(subscription, secret, overlap_until)), []


def turn_off(subscription: Subscription, report: str, now: int, reason: str) -> Decided:
    """Follow the report of a mail system: a bounce means that the mailbox is gone, a complaint that its reader has had
    it."""
    if subscription.state == "ended":
        return subscription, []
    return follow(subscription, "ended" if report == "complaint" else "refused", now, reason), []


def note(subscription: Subscription, event: EndpointEvent, now: int, reason: str) -> Decided:
    """Follow an attempt's event of the endpoint; its owner is told when it is turned off."""
    if subscription.state in ("pending", "held", "ended") and event != "refused":
        return subscription, []
    after = follow(subscription, event, now, reason)
    told: dict[str, Occasion] = {"disabled": "disabled", "gone": "gone"}
    occasion = told.get(after.state)
    contact = subscription.draft.contact
    if occasion is None or after.state == subscription.state or not contact or not may_mail(after, contact):
        return after, []
    content = NoticeContent(occasion, subscription.failing_since or now, reason)
    return after, [NOTICE.make(after.id, now, occasion, now, content=content)]
