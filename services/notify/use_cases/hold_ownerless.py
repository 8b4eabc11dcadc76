"""Subscriptions whose owner has no valid key are held. Source: the contract, "A revoked key ends within 2 s"."""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from schemas.instants import SECOND
from schemas.vocabulary import Role
from services.notify.decisions import endpoints
from services.notify.domain.subscription import Subscription
from services.notify.use_cases.change_subscription import SubscriptionStore, change_stored
from services.notify.use_cases.directory import Directory

log = logging.getLogger(__name__)

#: Roles whose keys may have subscriptions, and read alerts.
READERS: Final[tuple[Role, ...]] = ("monitor", "operator")
#: An owner of whom this process knows no key that ended may have one that the log has not brought here yet.
UNKNOWN_FOR: Final = 10 * SECOND
#: Subscriptions held at once, so that they are committed together and no other write waits long.
AT_ONCE: Final = 100


class Keys(Protocol):
    def has_owner(self, name: str, roles: Collection[Role]) -> bool: ...

    def ended_at(self, name: str) -> int | None:
        """When the last key of that name ceased to count; None where no key of that name is known to have ended."""
        ...


@dataclass(slots=True)
class UnknownOwners:
    """Since when each owner has been without a key, as this process knows keys."""

    since: dict[str, int] = field(default_factory=dict)


async def hold_ownerless(
    now: int,
    *,
    keys: Keys,
    directory: Directory,
    store: SubscriptionStore,
    unknown: UnknownOwners,
    note: Callable[[Any, str, int], None],
) -> int:
    """Hold what has no owner any more; returns how many subscriptions that were. ``note`` is what is written with each
    (the audit)."""
    found = _find(now, keys, directory, unknown)
    for start in range(0, len(found), AT_ONCE):
        some = found[start : start + AT_ONCE]
        await asyncio.gather(*(_hold(id, now, keys, store, note) for id in some))
    if found:
        log.warning("%d subscriptions are held: their owners have no valid key", len(found))
        await directory.refresh()
    return len(found)


def _find(now: int, keys: Keys, directory: Directory, unknown: UnknownOwners) -> list[str]:
    there = [s for s in directory.subscriptions.values() if s.state != "held"]
    without = {owner for owner in {s.owner for s in there} if not keys.has_owner(owner, READERS)}
    unknown.since = {owner: unknown.since.get(owner, now) for owner in without}
    return [s.id for s in there if s.owner in without and _is_sure(s, now, keys, unknown)]


def _is_sure(subscription: Subscription, now: int, keys: Keys, unknown: UnknownOwners) -> bool:
    """Whether the owner's key is known to have ended, and not only to be unknown here as yet."""
    ended = keys.ended_at(subscription.owner)
    if ended is not None and subscription.created_at <= ended:
        return True
    return now - unknown.since[subscription.owner] >= UNKNOWN_FOR


async def _hold(id: str, now: int, keys: Keys, store: SubscriptionStore, note: Callable[[Any, str, int], None]) -> None:
    held = False

    def decide(s: Subscription) -> endpoints.Decided:
        nonlocal held
        # It may have been given to another key since it was looked at.
        after, jobs = (s, ()) if keys.has_owner(s.owner, READERS) else endpoints.orphan(s, now)
        held = after is not s
        return after, jobs

    def also(connection: Any) -> None:
        if held:
            note(connection, id, now)

    await change_stored(id, decide, store, also)
