"""Asking for the proof of a channel and for the consent of a contact address, and taking the answers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.notify.decisions.endpoints import Decided, prove
from services.notify.domain.consent import NO_RELAY, follow_contact, has_own_contact, waits_for_channel
from services.notify.domain.identity import hash_token
from services.notify.domain.lifecycle import NotPossibleError
from services.notify.domain.subscription import Email, Subscription, Webhook
from services.notify.kinds.challenge import CHALLENGE, TokenContent
from services.notify.kinds.confirmation import CONFIRM, CONSENT
from services.notify.kinds.kind import Job


@dataclass(frozen=True, slots=True)
class NewTokens:
    """Chance, made outside: an id, a secret as it is shown, a challenge or confirmation token, a token that ends, a
    confirmation token for the contact address."""

    id: str
    secret: str
    nonce: str
    token: str
    contact: str


@dataclass(frozen=True, slots=True)
class MailContext:
    """``relay``: there is one, so mail can be sent. ``consented``: the reader of the contact address agreed before to
    mail about what this owner subscribes to."""

    relay: bool = True
    consented: bool = False


def declare_proved(subscription: Subscription, now: int, relay: bool) -> Decided:
    """An operator says that it is proved. One by mail waits for a relay all the same."""
    if subscription.state == "pending" and isinstance(subscription.draft.channel, Email) and not relay:
        return replace(subscription, reason=NO_RELAY, nonce=None, nonce_until=None), []
    return prove(subscription, now)


def ask_for_proof(subscription: Subscription, nonce: str, now: int, relay: bool) -> Decided:
    """Send a new challenge or confirmation link; the ones before are void. Without a relay, mail waits for one.

    Raises NotPossibleError while it is held.
    """
    if subscription.state == "held":
        raise NotPossibleError(f"the subscription is held: {subscription.reason}")
    is_hook = isinstance(subscription.draft.channel, Webhook)
    if not is_hook and not relay:
        return replace(subscription, reason=NO_RELAY, nonce=None, nonce_until=None), []
    kind = CHALLENGE if is_hook else CONFIRM
    asked = replace(
        subscription,
        reason="" if subscription.state == "pending" else subscription.reason,
        nonce=nonce,
        nonce_until=now + kind.valid_for,
    )
    return asked, [kind.make(subscription.id, now, nonce, content=TokenContent(hash_token(nonce)))]


def set_contact(subscription: Subscription, nonce: str, now: int, mail: MailContext) -> Decided:
    """The contact address is a new one: its reader is asked, unless it needs no consent of its own or has given it."""
    if not has_own_contact(subscription):
        return follow_contact(subscription, "unset"), []
    waiting = follow_contact(subscription, "set")
    if mail.consented:
        return follow_contact(waiting, "confirmed"), []
    return ask_contact(waiting, nonce, now, mail.relay)


def ask_contact(subscription: Subscription, nonce: str, now: int, relay: bool) -> Decided:
    """Send the contact address a confirmation link, once there is a relay; the links before are void."""
    if not relay:
        return follow_contact(subscription, "stalled"), []
    until = now + CONSENT.valid_for
    asked = replace(follow_contact(subscription, "asked"), contact_nonce=nonce, contact_until=until)
    return asked, [CONSENT.make(subscription.id, now, nonce, content=TokenContent(hash_token(nonce)))]


def ask_again(subscription: Subscription, fresh: NewTokens, now: int, relay: bool) -> Decided:
    """Its owner wants the challenge, or the confirmations that are missing, once more. Raises NotPossibleError while
    it is held."""
    contact_missing = subscription.contact_state in ("waiting", "asked", "blocked")
    asked: Subscription = subscription
    jobs: Sequence[Job] = []
    if subscription.state == "held" or not (contact_missing and subscription.state in ("active", "failing")):
        asked, jobs = ask_for_proof(subscription, fresh.nonce, now, relay)
    return followed_by(jobs, ask_contact(asked, fresh.contact, now, relay)) if contact_missing else (asked, jobs)


def resume(subscription: Subscription, fresh: NewTokens, now: int) -> Decided:
    """There is a relay: send the confirmations that waited for one."""
    after: Subscription = subscription
    jobs: Sequence[Job] = []
    if subscription.state in ("held", "ended"):
        return after, jobs
    if waits_for_channel(subscription):
        if subscription.draft.verified:
            after, jobs = declare_proved(subscription, now, relay=True)
        else:
            after, jobs = ask_for_proof(subscription, fresh.nonce, now, relay=True)
    if after.contact_state == "waiting":
        return followed_by(jobs, ask_contact(after, fresh.contact, now, relay=True))
    return after, jobs


def confirm(subscription: Subscription, token: str, now: int) -> Decided:
    """The link of a confirmation mail was followed. Raises NotPossibleError for one that is void or too old."""
    until = subscription.nonce_until
    if subscription.nonce != token or until is None or now >= until:
        raise NotPossibleError("this link is no longer good; ask for a new one")
    return prove(subscription, now)


def confirm_contact(subscription: Subscription, token: str, now: int) -> Decided:
    """The link in the mail to the contact address was followed. Raises NotPossibleError for a void one."""
    until = subscription.contact_until
    if subscription.contact_nonce != token or until is None or now >= until or subscription.state == "ended":
        raise NotPossibleError("this link is no longer good; ask for a new one")
    return follow_contact(subscription, "confirmed"), []


def followed_by(jobs: Sequence[Job], decided: Decided) -> Decided:
    """The decision with other messages before its own."""
    return decided[0], [*jobs, *decided[1]]
