"""Subscriptions made, proved, changed, ended.

The pure half decides: each takes a subscription as it stands and gives it as it shall be, with the messages that
follow. The other half loads, decides, saves, and brings the directory up to date.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from schemas.instants import HOUR
from services.notify.domain.attempt import Job, Outcome
from services.notify.domain.consent import (
    BLOCKED,
    NO_RELAY,
    fold_address,
    follow_contact,
    has_own_contact,
    may_mail,
    waits_for_channel,
)
from services.notify.domain.content import ChallengeContent, NoticeContent, encode_content
from services.notify.domain.email import NoticeKind
from services.notify.domain.identity import hash_token, message_id
from services.notify.domain.lifecycle import EndpointEvent, NotPossibleError, next_endpoint
from services.notify.domain.subscription import Draft, Email, Subscription, Webhook, rotate_secrets
from services.notify.use_cases.directory import Directory

#: How long a challenge is tried again, and a confirmation link is good for.
CHALLENGE_FOR: Final = 24 * HOUR
CONFIRM_FOR: Final = 48 * HOUR
#: Why a subscription is held.
NO_OWNER: Final = "its owner has no valid key; an operator gives it to another key or ends it"

Decided = tuple[Subscription, Sequence[Job]]
Decide = Callable[[Subscription], Decided]
#: What is written in the same transaction, or not at all; opaque here.
Also = Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class Fresh:
    """Chance, made outside: an id, a secret as it is shown, a challenge or confirmation token, a token that ends, a
    confirmation token for the contact address."""

    id: str
    secret: str
    nonce: str
    token: str
    contact: str


@dataclass(frozen=True, slots=True)
class Terms:
    """``relay``: there is one, so mail can be sent. ``consented``: the reader of the contact address agreed before to
    mail about what this owner subscribes to."""

    relay: bool = True
    consented: bool = False


class Endpoints(Protocol):
    async def add(self, subscription: Subscription, jobs: Sequence[Job], also: Also) -> Subscription: ...

    async def change(self, id: str, decide: Decide, also: Also) -> tuple[Subscription, Subscription]:
        """Load, decide, save in one transaction: what was and what is."""
        ...

    async def answered(self, ids: Sequence[str]) -> Sequence[Outcome]:
        """The challenges of these subscriptions that were answered, whatever follows from it."""
        ...


def new_subscription(draft: Draft, owner: str, fresh: Fresh, now: int, terms: Terms) -> Decided:
    """A subscription that is to be proved, or counts as proved where an operator says so."""
    is_hook = isinstance(draft.channel, Webhook)
    made = Subscription(
        id=fresh.id,
        owner=owner,
        draft=draft,
        state="pending",
        created_at=now,
        secrets=((fresh.secret, None),) if is_hook else (),
        token=fresh.token,
    )
    asked, jobs = (
        declare_proved(made, now, terms.relay) if draft.verified else ask_for_proof(made, fresh.nonce, now, terms.relay)
    )
    return _and(jobs, set_contact(asked, fresh.contact, now, terms))


def _and(jobs: Sequence[Job], decided: Decided) -> Decided:
    return decided[0], [*jobs, *decided[1]]


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
    asked = replace(
        subscription,
        reason="" if subscription.state == "pending" else subscription.reason,
        nonce=nonce,
        nonce_until=now + (CHALLENGE_FOR if is_hook else CONFIRM_FOR),
    )
    job = Job(
        id=message_id(subscription.id, "proof", nonce),
        subscription=subscription.id,
        kind="challenge" if is_hook else "confirm",
        created_at=now,
        content=encode_content(ChallengeContent(hash_token(nonce))),
    )
    return asked, [job]


def set_contact(subscription: Subscription, nonce: str, now: int, terms: Terms) -> Decided:
    """The contact address is a new one: its reader is asked, unless it needs no consent of its own or has given it."""
    if not has_own_contact(subscription):
        return follow_contact(subscription, "unset"), []
    waiting = follow_contact(subscription, "set")
    if terms.consented:
        return follow_contact(waiting, "confirmed"), []
    return ask_contact(waiting, nonce, now, terms.relay)


def ask_contact(subscription: Subscription, nonce: str, now: int, relay: bool) -> Decided:
    """Send the contact address a confirmation link, once there is a relay; the links before are void."""
    if not relay:
        return follow_contact(subscription, "stalled"), []
    asked = replace(follow_contact(subscription, "asked"), contact_nonce=nonce, contact_until=now + CONFIRM_FOR)
    job = Job(
        id=message_id(subscription.id, "consent", nonce),
        subscription=subscription.id,
        kind="consent",
        created_at=now,
        content=encode_content(ChallengeContent(hash_token(nonce))),
    )
    return asked, [job]


def ask_again(subscription: Subscription, fresh: Fresh, now: int, relay: bool) -> Decided:
    """Its owner wants the challenge, or the confirmations that are missing, once more. Raises NotPossibleError while
    it is held."""
    contact_missing = subscription.contact_state in ("waiting", "asked", "blocked")
    asked: Subscription = subscription
    jobs: Sequence[Job] = []
    if subscription.state == "held" or not (contact_missing and subscription.state in ("active", "failing")):
        asked, jobs = ask_for_proof(subscription, fresh.nonce, now, relay)
    return _and(jobs, ask_contact(asked, fresh.contact, now, relay)) if contact_missing else (asked, jobs)


def resume(subscription: Subscription, fresh: Fresh, now: int) -> Decided:
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
        return _and(jobs, ask_contact(after, fresh.contact, now, relay=True))
    return after, jobs


def prove(subscription: Subscription, now: int) -> Decided:
    """Its owner has proved the channel."""
    return follow(subscription, "proved", now, ""), []


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


def change_draft(subscription: Subscription, draft: Draft, fresh: Fresh, now: int, terms: Terms) -> Decided:
    """What its owner wants now. Another address is to be proved anew; a webhook keeps its secret."""
    changed, jobs = _change_channel(subscription, draft, fresh, now, terms.relay)
    if not _needs_other_consent(subscription, changed):
        return changed, jobs
    contact = draft.contact or ""
    known = Terms(terms.relay, terms.consented or may_mail(subscription, contact))
    return _and(jobs, set_contact(changed, fresh.contact, now, known))


def _change_channel(subscription: Subscription, draft: Draft, fresh: Fresh, now: int, relay: bool) -> Decided:
    changed = replace(subscription, draft=draft)
    if draft.verified:
        return declare_proved(changed, now, relay)
    if draft.channel == subscription.draft.channel:
        return changed, []
    moved = replace(follow(changed, "moved", now, ""), proved_at=None)
    if isinstance(draft.channel, Webhook) and not moved.secrets:
        moved = replace(moved, secrets=((fresh.secret, None),))
    return ask_for_proof(moved, fresh.nonce, now, relay)


def _needs_other_consent(before: Subscription, after: Subscription) -> bool:
    same = fold_address(before.draft.contact or "") == fold_address(after.draft.contact or "")
    return not same or has_own_contact(before) != has_own_contact(after)


def recover(subscription: Subscription, now: int) -> Decided:
    """Its owner says that the endpoint is well again. Raises NotPossibleError for one that was never proved."""
    after = follow(subscription, "recovered", now, subscription.reason)
    if subscription.proved_at is None:
        raise NotPossibleError("the subscription has not been proved: ask for that by POST …/verify")
    return after, []


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


def orphan(subscription: Subscription, now: int) -> Decided:
    """Its owner has no valid key any more: it is held, and proofs that are under way are void."""
    if subscription.state in ("held", "ended"):
        return subscription, []
    held = replace(follow(subscription, "orphaned", now, NO_OWNER), nonce=None, nonce_until=None)
    return follow_contact(held, "stalled"), []


def give(subscription: Subscription, owner: str, nonce: str, now: int, relay: bool) -> Decided:
    """Another key's from now on. One that was held is sent what waited, or is proved anew if it never was."""
    if subscription.state != "held" or subscription.proved_at is not None:
        return replace(follow(subscription, "given", now, subscription.reason), owner=owner), []
    return ask_for_proof(replace(follow(subscription, "given_unproved", now, ""), owner=owner), nonce, now, relay)


def end(subscription: Subscription, now: int, reason: str) -> Decided:
    """Unsubscribed or deleted: nothing more is sent. Ending twice changes nothing."""
    return (subscription if subscription.state == "ended" else follow(subscription, "ended", now, reason)), []


def turn_off(subscription: Subscription, report: str, now: int, reason: str) -> Decided:
    """What a mail system reported: a bounce means that the mailbox is gone, a complaint that its reader has had it."""
    if subscription.state == "ended":
        return subscription, []
    return follow(subscription, "ended" if report == "complaint" else "refused", now, reason), []


def note(subscription: Subscription, event: EndpointEvent, now: int, reason: str) -> Decided:
    """What an attempt said of the endpoint; its owner is told when it is turned off."""
    if subscription.state in ("pending", "held", "ended") and event != "refused":
        return subscription, []
    after = follow(subscription, event, now, reason)
    told: dict[str, NoticeKind] = {"disabled": "disabled", "gone": "gone"}
    kind = told.get(after.state)
    contact = subscription.draft.contact
    if kind is None or after.state == subscription.state or not contact or not may_mail(after, contact):
        return after, []
    return after, [_notice(after, kind, subscription.failing_since or now, now, reason)]


def _notice(subscription: Subscription, kind: NoticeKind, since: int, now: int, answer: str) -> Job:
    return Job(
        id=message_id(subscription.id, "notice", kind, now),
        subscription=subscription.id,
        kind="notice",
        created_at=now,
        content=encode_content(NoticeContent(kind, since, answer)),
    )


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


async def subscribe(
    draft: Draft,
    owner: str,
    fresh: Fresh,
    now: int,
    terms: Terms,
    *,
    store: Endpoints,
    directory: Directory,
    also: Also,
) -> Subscription:
    """Keep a new subscription; alerts decided from now on find it once it is proved."""
    made, jobs = new_subscription(draft, owner, fresh, now, terms)
    kept = await store.add(made, jobs, also)
    await directory.refresh()
    return kept


async def change(
    id: str, decide: Decide, *, store: Endpoints, directory: Directory, also: Also
) -> tuple[Subscription, Subscription]:
    """One change of one subscription. Raises UnknownError, NotPossibleError."""
    changed = await store.change(id, decide, also)
    await directory.refresh()
    return changed
