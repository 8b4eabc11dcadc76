"""Every subscription and silence, in memory, as of one version of the store: what alerts are matched against."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from schemas.assessments import Alert
from services.notify.domain.lifecycle import EndpointState
from services.notify.domain.matching import Index
from services.notify.domain.silence import Silence, find_silences
from services.notify.domain.subscription import Subscription
from services.platform.failures import NeverRetryError

T = TypeVar("T")


class UnknownError(NeverRetryError):
    """There is no such subscription, or no such message of it."""


class StaleError(Exception):
    """The subject of a decision has changed since it was read: read it again and decide anew."""


class DirectoryStore(Protocol):
    async def changed_since(self, version: int) -> tuple[int, Sequence[Subscription], Sequence[Silence]]:
        """The version now, and all that changed after ``version``, of one moment."""
        ...


@dataclass(slots=True)
class Directory:
    """Belongs to the event loop. ``refresh`` brings it up to the store. ``beating``: those that get heartbeats;
    ``noticing``: those that get notices of truces. ``mail_domain`` is the one that our mail comes from."""

    store: DirectoryStore
    mail_domain: str = "localhost"
    version: int = 0
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    silences: dict[str, Silence] = field(default_factory=dict)
    beating: set[str] = field(default_factory=set)
    noticing: set[str] = field(default_factory=set)
    _index: Index = field(default_factory=Index)
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def refresh(self) -> None:
        # One reads after the other: an answer that a newer one overtook would look like a store that went back.
        async with self._reading:
            version, subscriptions, silences = await self.store.changed_since(self.version)
            if version < self.version:
                # The database was put back to what it once was.
                version, subscriptions, silences = await self.store.changed_since(0)
                self._forget()
            self._take(subscriptions)
            for silence in silences:
                self.silences[silence.id] = silence
            self.version = version

    async def decide(self, attempt: Callable[[int], Awaitable[T]]) -> T:
        """The result of ``attempt``, which is given the version that it goes by, and is called again with a newer one
        while it raises StaleError: what was answered before its transaction began counts, whichever process did it."""
        while True:
            try:
                return await attempt(self.version)
            except StaleError:
                await self.refresh()

    def match(self, alert: Alert) -> list[str]:
        """The subscriptions whose filter lets the alert pass, in no particular order."""
        return self._index.match(alert)

    def silences_of(self, alert: Alert, now: int) -> tuple[Silence, ...]:
        """Those in force that the alert meets, whoever's."""
        return find_silences(self.silences.values(), alert, now) if self.silences else ()

    def count(self, state: EndpointState) -> int:
        return sum(1 for s in self.subscriptions.values() if s.state == state)

    def _forget(self) -> None:
        self.subscriptions, self.silences, self._index = {}, {}, Index()
        self.beating, self.noticing = set(), set()

    def _take(self, subscriptions: Iterable[Subscription]) -> None:
        for subscription in subscriptions:
            known = self.subscriptions.get(subscription.id)
            if known is not None and known.version >= subscription.version:
                continue
            if subscription.state == "ended":
                self.subscriptions.pop(subscription.id, None)
                self._index.remove(subscription.id)
                self.beating.discard(subscription.id)
                self.noticing.discard(subscription.id)
                continue
            self.subscriptions[subscription.id] = subscription
            is_served = subscription.is_matched and subscription.state != "held"
            _note(self.beating, subscription.id, is_served and subscription.draft.heartbeat is not None)
            _note(self.noticing, subscription.id, is_served and bool(subscription.draft.notices))
            if subscription.is_matched:
                self._index.put(subscription.id, subscription.draft.filter)
            else:
                self._index.remove(subscription.id)


def _note(ids: set[str], id: str, belongs: bool) -> None:
    if belongs:
        ids.add(id)
    else:
        ids.discard(id)
