"""A subscription that is made, changed or given to another owner by what somebody asks for."""

from dataclasses import replace

from services.notify.decisions.endpoints import Decided, follow
from services.notify.decisions.proofs import (
    MailContext,
    NewTokens,
    ask_for_proof,
    declare_proved,
    followed_by,
    set_contact,
)
from services.notify.domain.consent import fold_address, has_own_contact, may_mail
from services.notify.domain.subscription import Draft, Subscription, Webhook


def new_subscription(draft: Draft, owner: str, fresh: NewTokens, now: int, mail: MailContext) -> Decided:
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
        declare_proved(made, now, mail.relay) if draft.verified else ask_for_proof(made, fresh.nonce, now, mail.relay)
    )
    return followed_by(jobs, set_contact(asked, fresh.contact, now, mail))


def change_draft(subscription: Subscription, draft: Draft, fresh: NewTokens, now: int, mail: MailContext) -> Decided:
    """The subscription as its owner wants it now. Another address is to be proved anew; a webhook keeps its secret."""
    changed, jobs = _change_channel(subscription, draft, fresh, now, mail.relay)
    if not _needs_other_consent(subscription, changed):
        return changed, jobs
    contact = draft.contact or ""
    known = MailContext(mail.relay, mail.consented or may_mail(subscription, contact))
    return followed_by(jobs, set_contact(changed, fresh.contact, now, known))


def _change_channel(subscription: Subscription, draft: Draft, fresh: NewTokens, now: int, relay: bool) -> Decided:
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


def give(subscription: Subscription, owner: str, nonce: str, now: int, relay: bool) -> Decided:
    """Another key's from now on. One that was held is sent what waited, or is proved anew if it never was."""
    if subscription.state != "held" or subscription.proved_at is not None:
        return replace(follow(subscription, "given", now, subscription.reason), owner=owner), []
    return ask_for_proof(replace(follow(subscription, "given_unproved", now, ""), owner=owner), nonce, now, relay)
