"""Send what silences held that are over, if it still stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from services.notify.decisions.alerts import Concerned
from services.notify.kinds.kind import Job
from services.notify.use_cases.decide_apart import decide_apart
from services.notify.use_cases.directory import Directory
from services.notify.use_cases.take_alerts import (
    Arrival,
    DecidedAlert,
    DecidedBatch,
    FactsStore,
    JobQueue,
    Logged,
    decide_all,
    load_intervals,
)

#: Alerts that came out of a silence and are decided in one transaction.
RELEASED_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class SilencedAlerts:
    """Alerts whose silence is over: the newest revision of each, for whom it is held, and those that cannot be read."""

    entries: Sequence[Logged]
    held_for: Mapping[str, frozenset[str]]
    failed: Mapping[str, Exception]

    @property
    def count(self) -> int:
        return len(self.held_for)


class SilenceStore(FactsStore, Protocol):
    async def load_silenced(self, now: int, limit: int) -> SilencedAlerts:
        """Up to ``limit`` alerts whose silence is over."""
        ...

    async def release(
        self, silenced: SilencedAlerts, batch: DecidedBatch, now: int, full: frozenset[str]
    ) -> Sequence[Job]:
        """Keep what is decided anew in one transaction: the messages that are this process's to send now. What failed,
        or cannot be kept, is put off. Raises StaleError where the batch does not hold any more."""
        ...


async def release_silenced(now: int, directory: Directory, store: SilenceStore, sender: JobQueue) -> None:
    """Decide anew, as many at once as are kept in one transaction, until none is left."""

    async def attempt(version: int) -> tuple[int, Sequence[Job]]:
        silenced = await store.load_silenced(now, RELEASED_AT_ONCE)
        if not silenced.count:
            return 0, []
        batch, failed = await _decide(silenced, directory, store, version, now)
        found = SilencedAlerts(silenced.entries, silenced.held_for, {**silenced.failed, **failed})
        return silenced.count, await store.release(found, batch, now, sender.full(batch.lanes))

    count = RELEASED_AT_ONCE
    while count == RELEASED_AT_ONCE:
        count, jobs = await directory.decide(attempt)
        sender.offer(jobs)


async def _decide(
    silenced: SilencedAlerts, directory: Directory, store: SilenceStore, version: int, now: int
) -> tuple[DecidedBatch, Mapping[str, Exception]]:
    facts = await store.load_facts(frozenset(silenced.held_for), frozenset())
    concerned = [_find_concerned(entry, silenced, directory, now) for entry in silenced.entries]
    facts = await load_intervals(concerned, facts, store)

    async def decide(one: Concerned) -> list[DecidedAlert]:
        return await decide_all([(Arrival(one.alert, b"", "", now), one)], facts, directory.mail_domain, again=True)

    decided, failed = await decide_apart(concerned, lambda one: one.alert.id, decide)
    return DecidedBatch([alert for some in decided for alert in some], version, facts), failed


def _find_concerned(entry: Logged, silenced: SilencedAlerts, directory: Directory, now: int) -> Concerned:
    """Those that it is held for, if they still want it."""
    held_for = (directory.subscriptions.get(id) for id in sorted(silenced.held_for[entry.alert.id]))
    found = [s for s in held_for if s is not None]
    return Concerned(entry.alert, now, found, directory.silences_of(entry.alert, now))
