"""Send what waited for the other alerts of the same change of the registry."""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from services.notify.decisions.changes import DecidedChange, DueChange, tell_change
from services.notify.use_cases.decide_apart import decide_apart
from services.notify.use_cases.directory import Directory

#: Changes, each for one subscription, that are told of in one transaction.
AT_ONCE: Final = 20
#: A change for a subscription: its version, and the subscription.
ChangeName = tuple[int, str]


class ChangeStore(Protocol):
    async def load_due(self, now: int, limit: int) -> Sequence[DueChange]: ...

    async def save(
        self, decided: Sequence[DecidedChange], failed: Mapping[ChangeName, Exception], now: int, version: int
    ) -> None:
        """Keep what was decided, in one transaction; a change that failed is put off. One that another process told
        meanwhile is left out. Raises StaleError where the directory, or what waits, changed."""
        ...


async def flush_changes(now: int, directory: Directory, changes: ChangeStore) -> None:
    """Tell of every change that is due: all of its alerts are there, or they have waited long enough."""

    async def decide(change: DueChange) -> DecidedChange:
        subscription = directory.subscriptions.get(change.subscription)
        if subscription is None:
            return DecidedChange(change)
        return tell_change(subscription, change, now, directory.mail_domain)

    async def attempt(version: int) -> int:
        due = await changes.load_due(now, AT_ONCE)
        if due:
            decided, failed = await decide_apart(due, lambda change: (change.version, change.subscription), decide)
            await changes.save(decided, failed, now, version)
        return len(due)

    while await directory.decide(attempt) == AT_ONCE:
        pass
