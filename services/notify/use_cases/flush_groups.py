"""Send what was gathered: one message for the alerts of a group, a period, a day, each with its net state."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, Protocol

from services.notify.decisions.alerts import GroupName
from services.notify.decisions.groups import DecidedGroup, DueGroup, gather_group, held_until
from services.notify.decisions.heartbeats import HeartbeatCounts, Period, plan_line, tell_line
from services.notify.domain.subscription import Subscription
from services.notify.use_cases.decide_apart import decide_apart
from services.notify.use_cases.directory import Directory

#: Groups sent in one transaction.
AT_ONCE: Final = 100


class GroupStore(Protocol):
    async def load_due(self, now: int, limit: int) -> Sequence[DueGroup]: ...

    async def count(self, period: Period) -> HeartbeatCounts: ...

    async def save(
        self, decided: Sequence[DecidedGroup], failed: Mapping[GroupName, Exception], now: int, version: int
    ) -> None:
        """Keep what was decided, in one transaction; a group that failed is put off. One that another process sent
        meanwhile is left out. Raises StaleError where the directory, or what waits in a group, changed."""
        ...


async def flush_groups(now: int, directory: Directory, groups: GroupStore) -> None:
    """Every group that is due, as one message each."""

    async def attempt(version: int) -> int:
        due = await groups.load_due(now, AT_ONCE)
        if due:
            decided, failed = await _decide_all(due, directory, groups, now)
            await groups.save(decided, failed, now, version)
        return len(due)

    while await directory.decide(attempt) == AT_ONCE:
        pass


async def _decide_all(
    due: Sequence[DueGroup], directory: Directory, groups: GroupStore, now: int
) -> tuple[list[DecidedGroup], dict[GroupName, Exception]]:
    told = set[str]()

    async def decide(group: DueGroup) -> DecidedGroup:
        one = await _decide(group, directory.subscriptions.get(group.subscription), groups, now, told)
        if one.heartbeat is not None:
            told.add(group.subscription)
        return one

    return await decide_apart(due, lambda group: (group.subscription, group.key), decide)


async def _decide(
    group: DueGroup, subscription: Subscription | None, groups: GroupStore, now: int, told: Collection[str]
) -> DecidedGroup:
    """``told``: subscriptions of which another message carries the heartbeat already."""
    if subscription is None:
        return DecidedGroup(group)
    until = held_until(subscription, group.waiting, now)
    if until is not None:
        return DecidedGroup(group, postponed_to=until)
    due = group.heartbeat
    plan = None if group.subscription in told else plan_line(subscription, due, now)
    if due is None or plan is None or plan.end is None:
        return gather_group(subscription, group, None, now)
    counts = await groups.count((subscription.id, due.period_from, plan.end))
    return gather_group(subscription, group, tell_line(due, plan, counts), now)
