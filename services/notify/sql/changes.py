"""Alerts of one change of the registry that wait for one another."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, and_, delete, select, tuple_, update

from schemas.assessments import Alert
from schemas.causes import Cause
from schemas.events import ReassessmentEnded
from services.notify.decisions.changes import DecidedChange, DueChange
from services.notify.decisions.groups import WaitingAlert
from services.notify.sql.alert_facts import lock_at, select_waiting, to_waiting
from services.notify.sql.alert_log import lock_log
from services.notify.sql.deliveries import delivery_row, insert_rows
from services.notify.sql.groups import keep_members, pull_members_forward
from services.notify.sql.tables import held, held_changes, registry_changes
from services.notify.use_cases.directory import StaleError
from services.notify.use_cases.flush_changes import ChangeName
from services.platform.db.apart import PUT_OFF, OnFault, each_apart, log_fault
from services.platform.db.bulk import insert_new_rows
from services.platform.db.engine import Database
from services.platform.db.upsert import merge

_c: Final = held_changes.c
_HELD: Final = tuple(held_changes.c.keys())
_NAME: Final = tuple_(_c.registry_version, _c.subscription_id)
_decode_cause: Final = msgspec.json.Decoder(Cause).decode


class SqlChanges:
    """``on_fault`` is told what a change raised; that one is put off, and the others are told."""

    def __init__(self, database: Database, on_fault: OnFault = log_fault) -> None:
        self._database, self._on_fault = database, on_fault

    async def end(self, ended: Sequence[ReassessmentEnded], now: int) -> None:
        """Learn how many alerts changes have caused: where all are there, they are due. Repetition changes nothing."""
        alerts = {one.registry_version: one.alerts for one in ended if one.alerts}
        rows = [{"version": v, "arrived": 0, "alerts": n, "cause": None} for v, n in sorted(alerts.items())]

        def work(connection: Connection) -> None:
            lock_log(connection)
            connection.execute(merge(connection, registry_changes, lambda came: {"alerts": came.alerts}), rows)
            release_complete(connection, alerts.keys(), now)

        if rows:
            await self._database.write(work, durable=not self._database.is_log)

    async def load_due(self, now: int, limit: int) -> list[DueChange]:
        due = select(held_changes).where(_c.due_at <= now).order_by(_c.due_at).limit(limit)

        def work(connection: Connection) -> list[DueChange]:
            return _load(connection, [_name(row) for row in connection.execute(due)])

        return await self._database.read(work)

    async def save(
        self, decided: Sequence[DecidedChange], failed: Mapping[ChangeName, Exception], now: int, version: int
    ) -> None:
        """Keep what was decided, while nobody decides about alerts. Raises StaleError when the directory is no longer
        at ``version``, or other alerts wait."""

        def work(connection: Connection) -> list[Exception]:
            lock_at(connection, version)
            ours = _still_due(connection, decided)

            def keep(some: Sequence[DecidedChange]) -> None:
                for one in some:
                    _keep(connection, one)

            def put_off(one: DecidedChange) -> None:
                _postpone(connection, _name_of(one.change), now + PUT_OFF)

            for name in failed:
                _postpone(connection, name, now + PUT_OFF)
            return each_apart(connection, ours, keep, put_off)[1]

        errors = await self._database.write(work)
        for error in (*failed.values(), *errors):
            self._on_fault(error)


def count_arrived(connection: Connection, alerts: Iterable[Alert]) -> set[int]:
    """Count alerts that are new in the log; the changes of the registry that caused some."""
    causes = [alert.cause for alert in alerts if alert.cause.kind == "registry"]
    counts: dict[int, int] = {}
    rows: dict[int, dict[str, Any]] = {}
    for cause in causes:
        if cause.registry_version is not None:
            counts[cause.registry_version] = counts.get(cause.registry_version, 0) + 1
            rows[cause.registry_version] = {"cause": msgspec.json.encode(cause)}
    found = [{"version": v, "arrived": n, "alerts": None, **rows[v]} for v, n in sorted(counts.items())]
    if found:
        connection.execute(merge(connection, registry_changes, _more), found)
    return set(counts)


def _more(came: Any) -> dict[str, Any]:
    return {"arrived": registry_changes.c.arrived + came.arrived, "cause": came.cause}


def hold_changes(connection: Connection, rows: Iterable[tuple[int, str, int]]) -> None:
    """Have alerts of these changes told, each for a subscription, at an hour: one that has its hour keeps it."""
    insert_new_rows(connection, held_changes, _HELD, sorted(set(rows)))


def release_complete(connection: Connection, versions: Collection[int], now: int) -> None:
    """The alerts of those changes that have all come are due."""
    if not versions:
        return
    r = registry_changes.c
    complete = select(r.version).where(r.version.in_(versions), r.arrived >= r.alerts)
    waiting = and_(_c.registry_version.in_(complete), _c.due_at > now)
    connection.execute(update(held_changes).where(waiting).values(due_at=now))


def _name(row: Any) -> ChangeName:
    return row.registry_version, row.subscription_id


def _name_of(change: DueChange) -> ChangeName:
    return change.version, change.subscription


def _still_due(connection: Connection, decided: Sequence[DecidedChange]) -> list[DecidedChange]:
    """Without those that another process told meanwhile. Raises StaleError where one is not what was decided about."""
    found = {_name_of(change): change for change in _load(connection, [_name_of(d.change) for d in decided])}
    ours = [one for one in decided if _name_of(one.change) in found]
    if any(found[_name_of(one.change)] != one.change for one in ours):
        raise StaleError
    return ours


def _load(connection: Connection, names: Sequence[ChangeName]) -> list[DueChange]:
    """Changes with what waits, in the order in which it came."""
    if not names:
        return []
    known = select(held_changes, registry_changes.c.cause)
    known = known.outerjoin(registry_changes, registry_changes.c.version == _c.registry_version).where(_NAME.in_(names))
    waiting: dict[ChangeName, list[WaitingAlert]] = {}
    mine = tuple_(held.c.registry_version, held.c.subscription_id).in_(names)
    for row in connection.execute(select_waiting(mine)):
        waiting.setdefault(_name(row), []).append(to_waiting(row))
    return [
        DueChange(row.subscription_id, row.registry_version, _cause_of(row), tuple(waiting.get(_name(row), ())))
        for row in connection.execute(known.order_by(_c.due_at, *_c))
    ]


def _cause_of(row: Any) -> Cause:
    """Alerts from before changes were counted have left only the number of theirs."""
    return Cause("registry", registry_version=row.registry_version) if row.cause is None else _decode_cause(row.cause)


def _postpone(connection: Connection, name: ChangeName, until: int) -> None:
    version, subscription = name
    mine = and_(_c.registry_version == version, _c.subscription_id == subscription)
    connection.execute(update(held_changes).where(mine).values(due_at=until))


def _keep(connection: Connection, one: DecidedChange) -> None:
    version, subscription = name = _name_of(one.change)
    if one.postponed_to is not None:
        _postpone(connection, name, one.postponed_to)
        return
    connection.execute(delete(held).where(held.c.subscription_id == subscription, held.c.registry_version == version))
    connection.execute(delete(held_changes).where(_c.registry_version == version, _c.subscription_id == subscription))
    pending = one.state == "pending"
    insert_rows(connection, [delivery_row(job, due if pending else None, None, one.state) for job, due in one.messages])
    for job, _ in one.messages if one.members else ():
        keep_members(connection, job, one.members)
        pull_members_forward(connection, job)
