"""Tell what becomes of truces: they begin, end soon, are extended, lapse, are disputed; and correct what was told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from services.notify.decisions.truce_notices import DecidedNotices, NoticeLedger, decide_notices
from services.notify.domain.subscription import Draft
from services.notify.domain.truce_schedule import PublishedSchedule
from services.notify.use_cases.decide_apart import decide_apart
from services.notify.use_cases.directory import Directory

#: Subscriptions decided for in one transaction.
AT_ONCE: Final = 100
#: The part of a subscription that its notices depend on, as this process has taken it up.
Asked = dict[str, Draft]


@dataclass(frozen=True, slots=True, eq=False)
class DueNotices:
    """A subscription whose notices are to be decided. ``turn`` tells whether another process did that meanwhile."""

    subscription: str
    turn: int
    ledger: NoticeLedger | None


@dataclass(frozen=True, slots=True)
class DueBatch:
    """Those that are due, and every schedule, of one moment."""

    due: Sequence[DueNotices]
    schedules: Sequence[PublishedSchedule]


class TruceNoticeStore(Protocol):
    """Each method raises RetryLaterError."""

    async def start(self, subscriptions: Sequence[str], now: int) -> None:
        """Have the notices of these subscriptions decided at ``now``, also of those that have none yet."""
        ...

    async def load_due(self, now: int, limit: int) -> DueBatch: ...

    async def save(
        self,
        decided: Mapping[DueNotices, DecidedNotices],
        failed: Mapping[DueNotices, Exception],
        now: int,
        version: int,
    ) -> bool:
        """Keep what was decided, in one transaction; a subscription that failed is put off, and one that is no longer
        at its turn is left out. False where another process is to do that: it has the lease. Raises StaleError where
        the directory changed."""
        ...


async def flush_truce_notices(now: int, directory: Directory, asked: Asked, store: TruceNoticeStore) -> None:
    """Take up what is new, send what is due. ``asked``: the drafts that this process has taken up."""
    await _start(now, directory, asked, store)

    async def attempt(version: int) -> int:
        batch = await store.load_due(now, AT_ONCE)
        if not batch.due:
            return 0
        decided, failed = await decide_apart(
            batch.due, lambda one: one, lambda one: _decide(one, batch, directory, now)
        )
        return len(batch.due) if await store.save(dict(decided), failed, now, version) else 0

    while await directory.decide(attempt) == AT_ONCE:
        pass


async def _start(now: int, directory: Directory, asked: Asked, store: TruceNoticeStore) -> None:
    wanted = {id: directory.subscriptions[id].draft for id in directory.noticing}
    fresh = [id for id, draft in wanted.items() if asked.get(id) is not draft and asked.get(id) != draft]
    if fresh:
        await store.start(sorted(fresh), now)
    asked.clear()
    asked.update(wanted)


async def _decide(
    due: DueNotices, batch: DueBatch, directory: Directory, now: int
) -> tuple[DueNotices, DecidedNotices]:
    if due.subscription not in directory.noticing:
        return due, DecidedNotices(due.subscription, None)
    subscription = directory.subscriptions[due.subscription]
    return due, decide_notices(subscription, due.ledger, batch.schedules, now)
