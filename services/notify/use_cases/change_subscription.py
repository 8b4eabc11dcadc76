"""Change one subscription: load, decide, save, and again where it changed meanwhile."""

from collections.abc import Sequence
from typing import Protocol

from services.notify.decisions.endpoints import Decide
from services.notify.domain.subscription import Subscription
from services.notify.kinds.kind import Job
from services.notify.use_cases.directory import Directory, StaleError
from services.notify.use_cases.subscribe import Also


class SubscriptionStore(Protocol):
    async def load(self, id: str) -> Subscription:
        """Raises UnknownError."""
        ...

    async def save(self, before: Subscription, after: Subscription, jobs: Sequence[Job], also: Also) -> Subscription:
        """Keep what became of it, with the messages that follow, in one transaction. Returns it with its version.
        Raises UnknownError, and StaleError where it is not as it was ``before``."""
        ...


async def change_subscription(
    id: str, decide: Decide, *, store: SubscriptionStore, directory: Directory, also: Also
) -> tuple[Subscription, Subscription]:
    """The subscription before and after, which the directory then has too. Raises UnknownError, and what ``decide``
    raises."""
    changed = await change_stored(id, decide, store, also)
    await directory.refresh()
    return changed


async def change_stored(
    id: str, decide: Decide, store: SubscriptionStore, also: Also
) -> tuple[Subscription, Subscription]:
    """The change alone, for one of many: the directory is brought up to date after all of them."""
    while True:
        before = await store.load(id)
        after, jobs = decide(before)
        try:
            return before, await store.save(before, after, jobs, also)
        except StaleError:
            continue
