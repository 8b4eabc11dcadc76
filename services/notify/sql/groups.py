"""Groups of alerts that wait to be told together."""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Connection, and_, delete, select, tuple_, update

from services.notify.decisions.alerts import GroupName
from services.notify.decisions.groups import DecidedGroup, DueGroup, WaitingAlert
from services.notify.decisions.heartbeats import HeartbeatCounts, Period
from services.notify.kinds.kind import Job, Member
from services.notify.sql.alert_facts import lock_at, select_waiting, to_waiting
from services.notify.sql.deliveries import delivery_row, insert_rows
from services.notify.sql.heartbeat_counts import count_period
from services.notify.sql.heartbeats import keep_heartbeat, load_next
from services.notify.sql.tables import deliveries, gathered, groups, held
from services.notify.use_cases.directory import StaleError
from services.platform.db.apart import PUT_OFF, OnFault, each_apart, log_fault
from services.platform.db.bulk import insert_new_rows
from services.platform.db.engine import Database
from services.platform.db.upsert import upsert

_h: Final = held.c
_GATHERED: Final = tuple(gathered.c.keys())


class SqlGroups:
    """``on_fault`` is told what a group raised; that one is put off, and the others are sent."""

    def __init__(self, database: Database, on_fault: OnFault = log_fault) -> None:
        self._database, self._on_fault = database, on_fault

    async def load_due(self, now: int, limit: int) -> list[DueGroup]:
        due = (
            select(_h.subscription_id, _h.group_key)
            .where(_h.due_at <= now, _h.group_key.is_not(None))
            .distinct()
            .order_by(_h.subscription_id, _h.group_key)
            .limit(limit)
        )

        def work(connection: Connection) -> list[DueGroup]:
            names = [(row.subscription_id, row.group_key) for row in connection.execute(due)]
            return _load_groups(connection, names)

        return await self._database.read(work)

    async def count(self, period: Period) -> HeartbeatCounts:
        return await self._database.read(lambda connection: count_period(connection, period))

    async def save(
        self, decided: Sequence[DecidedGroup], failed: Mapping[GroupName, Exception], now: int, version: int
    ) -> None:
        """Keep what was decided, while nobody decides about alerts. Raises StaleError when the directory is no longer
        at ``version``, or other alerts wait in a group."""

        def work(connection: Connection) -> list[Exception]:
            lock_at(connection, version)
            ours = _still_due(connection, decided)

            def keep(some: Sequence[DecidedGroup]) -> None:
                for one in some:
                    _keep(connection, one, now)

            for name in failed:
                _put_off(connection, name, now)
            return each_apart(connection, ours, keep, lambda one: _put_off(connection, _name(one.group), now))[1]

        errors = await self._database.write(work)
        for error in (*failed.values(), *errors):
            self._on_fault(error)


def _name(group: DueGroup) -> GroupName:
    return group.subscription, group.key


def _still_due(connection: Connection, decided: Sequence[DecidedGroup]) -> list[DecidedGroup]:
    """Without those that another process sent meanwhile. Raises StaleError where one is not what was decided about."""
    found = {_name(group): group for group in _load_groups(connection, [_name(d.group) for d in decided], lock=True)}
    ours = [one for one in decided if _name(one.group) in found]
    for one in ours:
        if found[_name(one.group)].waiting != one.group.waiting:
            raise StaleError
        if one.heartbeat is not None and found[_name(one.group)].heartbeat != one.group.heartbeat:
            raise StaleError
    return ours


def _put_off(connection: Connection, name: GroupName, now: int) -> None:
    _postpone(connection, name, now, now + PUT_OFF)


def _postpone(connection: Connection, name: GroupName, now: int, until: int) -> None:
    connection.execute(update(held).where(_is_of(name), _h.due_at <= now).values(due_at=until))


def _is_of(name: GroupName) -> Any:
    return and_(_h.subscription_id == name[0], _h.group_key == name[1])


def _keep(connection: Connection, one: DecidedGroup, now: int) -> None:
    name, job = _name(one.group), one.job
    if one.postponed_to is not None:
        _postpone(connection, name, now, one.postponed_to)
        return
    connection.execute(delete(held).where(_is_of(name)))
    if job is None:
        return
    insert_rows(connection, [delivery_row(job, now if one.state == "pending" else None, None, one.state)])
    if one.heartbeat is not None:
        keep_heartbeat(connection, one.heartbeat)
    subscription, key = name
    keep_members(connection, job, one.members)
    connection.execute(
        upsert(connection, groups), {"subscription_id": subscription, "group_key": key, "last_sent": now}
    )


def keep_members(connection: Connection, job: Job, members: Sequence[Member]) -> None:
    """Keep which alerts a gathered message tells of."""
    rows = [(job.id, alert, revision, status, job.subscription) for alert, revision, status in members]
    insert_new_rows(connection, gathered, _GATHERED, rows)


def pull_members_forward(connection: Connection, job: Job) -> None:
    """Messages of its alerts that quiet hours hold go out before a gathered message that breaks through them."""
    d = deliveries.c
    mine = and_(d.subscription_id == job.subscription, d.state == "pending", d.attempts == 0, d.due_at > job.created_at)
    told = select(gathered.c.alert_id).where(gathered.c.delivery_id == job.id)
    connection.execute(update(deliveries).where(mine, d.alert_id.in_(told)).values(due_at=job.created_at))


def _load_groups(connection: Connection, names: Sequence[GroupName], *, lock: bool = False) -> list[DueGroup]:
    """Groups with what waits in them, in the order it came; without those in which nothing does. ``lock``: without
    what another process is at."""
    if not names:
        return []
    statement = select_waiting(tuple_(_h.subscription_id, _h.group_key).in_(names))
    rows = connection.execute(statement.with_for_update(of=held, skip_locked=True) if lock else statement).all()
    next_due = load_next(connection, {row.subscription_id for row in rows}, lock=lock)
    waiting: dict[GroupName, list[WaitingAlert]] = {}
    for row in sorted(rows, key=attrgetter("subscription_id", "group_key")):
        waiting.setdefault((row.subscription_id, row.group_key), []).append(to_waiting(row))
    return [DueGroup(id, key, tuple(found), next_due.get(id)) for (id, key), found in waiting.items()]
