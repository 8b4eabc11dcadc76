"""Subscriptions whose owner has no valid key are held. Source: the contract, "A revoked key ends within 2 s"."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from schemas.instants import SECOND
from schemas.vocabulary import Role
from services.notify.domain.subscription import Subscription
from services.notify.use_cases import endpoints
from services.notify.use_cases.directory import Directory
from services.notify.use_cases.endpoints import Also, Decide

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


class Store(Protocol):
    async def change(self, id: str, decide: Decide, also: Also) -> tuple[Subscription, Subscription]: ...


@dataclass(slots=True)
class Orphans:
    """Belongs to one process. ``note`` is what is written with each subscription that is held (the audit)."""

    keys: Keys
    directory: Directory
    store: Store
    note: Callable[[Any, str, int], None]
    _unknown: dict[str, int] = field(default_factory=dict)

    async def hold(self, now: int) -> int:
        """Hold what has no owner any more; returns how many subscriptions that were."""
        found = self._find(now)
        for start in range(0, len(found), AT_ONCE):
            await asyncio.gather(*(self._hold_one(id, now) for id in found[start : start + AT_ONCE]))
        if found:
            log.warning("%d subscriptions are held: their owners have no valid key", len(found))
            await self.directory.refresh()
        return len(found)

    def _find(self, now: int) -> list[str]:
        here = [s for s in self.directory.subscriptions.values() if s.state != "held"]
        without = {owner for owner in {s.owner for s in here} if not self.keys.has_owner(owner, READERS)}
        self._unknown = _keep(self._unknown, without, now)
        return [s.id for s in here if s.owner in without and self._is_sure(s, now)]

    def _is_sure(self, subscription: Subscription, now: int) -> bool:
        """Whether the owner's key is known to have ended, and not only to be unknown here as yet."""
        ended = self.keys.ended_at(subscription.owner)
        if ended is not None and subscription.created_at <= ended:
            return True
        return now - self._unknown[subscription.owner] >= UNKNOWN_FOR

    async def _hold_one(self, id: str, now: int) -> None:
        held: list[str] = []

        def decide(s: Subscription) -> endpoints.Decided:
            # It may have been given to another key since it was looked at.
            after, jobs = (s, []) if self.keys.has_owner(s.owner, READERS) else endpoints.orphan(s, now)
            held[:] = [s.owner] if after is not s else []
            return after, jobs

        def also(connection: Any) -> None:
            if held:
                self.note(connection, id, now)

        await self.store.change(id, decide, also)


def _keep(unknown: Mapping[str, int], without: Iterable[str], now: int) -> dict[str, int]:
    """Since when each owner has been without a key."""
    return {owner: unknown.get(owner, now) for owner in without}
