"""Subscriptions made, proved, changed, ended.

The pure half decides: each takes a subscription as it stands and gives it as it shall be, with the messages that
follow. The other half loads, decides, saves, and brings the directory up to date.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from schemas.instants import HOUR
from services.notify.domain.attempt import Job, Outcome
from services.notify.domain.content import ChallengeContent, NoticeContent, encode_content
from services.notify.domain.email import NoticeKind
from services.notify.domain.identity import hash_token, message_id
from services.notify.domain.lifecycle import EndpointEvent, NotPossibleError, next_endpoint
from services.notify.domain.subscription import Draft, Subscription, Webhook, rotate_secrets
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
    """Chance, made outside: an id, a secret as it is shown, a challenge or confirmation token, a token that ends."""

    id: str
    secret: str
    nonce: str
    token: str


class Endpoints(Protocol):
    async def add(self, subscription: Subscription, jobs: Sequence[Job], also: Also) -> Subscription: ...

    async def change(self, id: str, decide: Decide, also: Also) -> tuple[Subscription, Subscription]:
        """Load, decide, save in one transaction: what was and what is."""
        ...

    async def answered(self, ids: Sequence[str]) -> Sequence[Outcome]:
        """The challenges of these subscriptions that were answered, whatever follows from it."""
        ...


def new_subscription(draft: Draft, owner: str, fresh: Fresh, now: int) -> Decided:
    """A subscription that is to be proved, or counts as proved where an operator says so."""
    is_hook = isinstance(draft.channel, Webhook)
    made = Subscription(
        id=fresh.id,
        owner=owner,
        draft=draft,
        state="active" if draft.verified else "pending",
        created_at=now,
        proved_at=now if draft.verified else None,
        secrets=((fresh.secret, None),) if is_hook else (),
        token=fresh.token,
    )
    return (made, []) if draft.verified else ask_for_proof(made, fresh.nonce, now)


def ask_for_proof(subscription: Subscription, nonce: str, now: int) -> Decided:
    """Send a new challenge or confirmation link; the ones before are void. Raises NotPossibleError while it is held."""
    if subscription.state == "held":
        raise NotPossibleError(f"the subscription is held: {subscription.reason}")
    is_hook = isinstance(subscription.draft.channel, Webhook)
    asked = replace(
        subscription,
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


def prove(subscription: Subscription, now: int) -> Decided:
    """Its owner has proved the channel."""
    return follow(subscription, "proved", now, ""), []


def confirm(subscription: Subscription, token: str, now: int) -> Decided:
    """The link of a confirmation mail was followed. Raises NotPossibleError for one that is void or too old."""
    until = subscription.nonce_until
    if subscription.nonce != token or until is None or now >= until:
        raise NotPossibleError("this link is no longer good; ask for a new one")
    return prove(subscription, now)


def change_draft(subscription: Subscription, draft: Draft, fresh: Fresh, now: int) -> Decided:
    """What its owner wants now. Another address is to be proved anew; a webhook keeps its secret."""
    changed = replace(subscription, draft=draft)
    if draft.verified:
        changed = follow(changed, "proved", now, "")
    elif draft.channel != subscription.draft.channel:
        moved = replace(follow(changed, "moved", now, ""), proved_at=None)
        if isinstance(draft.channel, Webhook) and not moved.secrets:
            moved = replace(moved, secrets=((fresh.secret, None),))
        return ask_for_proof(moved, fresh.nonce, now)
    return changed, []


def rotate(subscription: Subscription, secret: str, overlap_until: int) -> Decided:
    """A new secret; the one before signs as well until the overlap ends. Raises NotPossibleError for a mailbox."""
    if not isinstance(subscription.draft.channel, Webhook):
        raise NotPossibleError("mail is not signed with a secret")
    return replace(subscription, secrets=rotate_secrets(subscription, secret, overlap_until)), []


def orphan(subscription: Subscription, now: int) -> Decided:
    """Its owner has no valid key any more: it is held, and proofs that are under way are void."""
    if subscription.state in ("held", "ended"):
        return subscription, []
    return replace(follow(subscription, "orphaned", now, NO_OWNER), nonce=None, nonce_until=None), []


def give(subscription: Subscription, owner: str, nonce: str, now: int) -> Decided:
    """Another key's from now on. One that was held is sent what waited, or is proved anew if it never was."""
    if subscription.state != "held" or subscription.proved_at is not None:
        return replace(follow(subscription, "given", now, subscription.reason), owner=owner), []
    return ask_for_proof(replace(follow(subscription, "given_unproved", now, ""), owner=owner), nonce, now)


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
    if kind is None or after.state == subscription.state or not subscription.draft.contact:
        return after, []
    return after, [_notice(after, kind, subscription.failing_since or now, now, reason)]


def _notice(subscription: Subscription, kind: NoticeKind, since: int, now: int, answer: str) -> Job:
    to = subscription.draft.contact or ""
    return Job(
        id=message_id(subscription.id, "notice", kind, now),
        subscription=subscription.id,
        kind="notice",
        created_at=now,
        content=encode_content(NoticeContent(kind, to, since, answer)),
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
    draft: Draft, owner: str, fresh: Fresh, now: int, *, store: Endpoints, directory: Directory, also: Also
) -> Subscription:
    """Keep a new subscription; alerts decided from now on find it once it is proved."""
    made, jobs = new_subscription(draft, owner, fresh, now)
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
