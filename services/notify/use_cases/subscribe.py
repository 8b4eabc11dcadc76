"""Keep a new subscription."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from services.notify.decisions.drafts import new_subscription
from services.notify.decisions.proofs import MailContext, NewTokens
from services.notify.domain.subscription import Draft, Subscription
from services.notify.kinds.kind import Job
from services.notify.use_cases.directory import Directory

#: Written in the same transaction, or not at all; opaque here.
Also = Callable[[Any], None]


class NewSubscriptions(Protocol):
    async def add(self, subscription: Subscription, jobs: Sequence[Job], also: Also) -> Subscription:
        """Keep it, with the messages that prove it. Returns it with its version."""
        ...


async def subscribe(
    draft: Draft,
    owner: str,
    tokens: NewTokens,
    now: int,
    mail: MailContext,
    *,
    store: NewSubscriptions,
    directory: Directory,
    also: Also,
) -> Subscription:
    """Alerts decided from now on find it once it is proved."""
    made, jobs = new_subscription(draft, owner, tokens, now, mail)
    kept = await store.add(made, jobs, also)
    await directory.refresh()
    return kept
