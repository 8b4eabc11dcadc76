"""Publish when each truce is in force, whenever that changes: what notify tells subscribers rests on it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from schemas.events import TruceScheduled
from services.rules.judging.model import Area, CompiledRegistry, CompiledTruce
from services.rules.registry.domain.periods import schedule_of
from services.rules.registry.use_cases import Snapshot

#: Seconds between two looks. A look that finds the registry unchanged reads nothing.
PERIOD_S = 1.0


class ScheduleStore(Protocol):
    """The schedules as they were published last. Each method raises RetryLaterError."""

    async def publish(self, version: int, schedules: Mapping[str, TruceScheduled], now: int) -> bool:
        """Publish those that differ from what was published last, each with the cause of the change, in one
        transaction. False where another process is to do that: it has the lease. A version that was published, or an
        older one, changes nothing."""
        ...


@dataclass(slots=True)
class PublishedSchedules:
    """Runs in every process; the one that has the lease publishes. Repeating it changes nothing.

    ``current`` is the newest registry that this process knows; ``now`` is in microseconds, UTC.
    """

    current: Callable[[], Snapshot]
    store: ScheduleStore
    now: Callable[[], int]
    _published: int = 0
    _derived: dict[str, tuple[CompiledTruce, tuple[Area, ...], TruceScheduled]] = field(default_factory=dict)

    async def step(self) -> None:
        """Raises RetryLaterError."""
        snapshot = self.current()
        if snapshot.version == self._published:
            return
        schedules = await asyncio.to_thread(self._derive, snapshot)
        if await self.store.publish(snapshot.version, schedules, self.now()):
            self._published = snapshot.version

    def _derive(self, snapshot: Snapshot) -> dict[str, TruceScheduled]:
        """A truce that is as it was, in areas that are, is not derived again."""
        derived = {}
        for truce in snapshot.document.truces:
            compiled = snapshot.registry.truces[truce.id]
            areas = _areas_of(compiled, snapshot.registry)
            known = self._derived.get(truce.id)
            if known is None or known[0] is not compiled or not all(map(_is_same, known[1], areas)):
                known = (compiled, areas, schedule_of(truce, snapshot.registry, snapshot.recorded_at))
            derived[truce.id] = known
        self._derived = derived
        return {id: schedule for id, (_, _, schedule) in derived.items()}


def _areas_of(truce: CompiledTruce, registry: CompiledRegistry) -> tuple[Area, ...]:
    ids = dict.fromkeys(account.area for window in truce.windows for account in window.accounts)
    return tuple(registry.areas[id] for id in ids)


def _is_same(one: Area, other: Area) -> bool:
    return one is other


def removed(truce: str, before: TruceScheduled, version: int) -> TruceScheduled:
    """The schedule of a truce that the registry no longer has."""
    return TruceScheduled(truce, version, before.recorded_at, before.names, before.areas, before.timezone, (), ())
