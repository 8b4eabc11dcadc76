"""The one transaction in which alerts are kept together with what was decided about them."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, and_, case, delete, func, null, select, update

from schemas.instants import parse_instant
from services.notify.decisions.alerts import AlertAction, GroupName
from services.notify.kinds.kind import Job
from services.notify.sql import changes
from services.notify.sql.alert_facts import expect, find_known, load_facts
from services.notify.sql.alert_log import to_logged
from services.notify.sql.deliveries import delivery_row, insert_rows
from services.notify.sql.tables import alert_log, deliveries, gathered, held
from services.notify.use_cases.directory import StaleError
from services.notify.use_cases.release_silenced import SilencedAlerts
from services.notify.use_cases.take_alerts import (
    AcceptedAlerts,
    AlertFacts,
    Arrival,
    DecidedAlert,
    DecidedBatch,
    Logged,
)
from services.platform.db.apart import PUT_OFF, OnFault, each_apart, log_fault
from services.platform.db.bulk import insert_rows as add_rows
from services.platform.db.bulk import scalar
from services.platform.db.engine import Database
from services.platform.db.packing import pack
from services.platform.db.upsert import merge

_LOGGED: Final = tuple(alert_log.c.keys())
#: In words of both databases, since it runs for each batch.
_LAST_SEQ: Final = "SELECT max(seq) FROM alert_log"


class SqlAlertBook:
    """``instance`` names this process: what it keeps, it claims. ``on_fault`` is told what an alert raised that came
    out of a silence; that one is put off, and the others are kept."""

    def __init__(self, database: Database, instance: str, on_fault: OnFault = log_fault) -> None:
        self._database = database
        self._instance = instance
        self._on_fault = on_fault

    async def load_facts(self, alerts: frozenset[str], groups: frozenset[GroupName]) -> AlertFacts:
        return await self._database.read(lambda connection: load_facts(connection, alerts, groups))

    async def accept(self, batch: DecidedBatch, full: frozenset[str]) -> AcceptedAlerts:
        """Keep the alerts that are new, with what is done with them; repetition changes nothing.

        ``full`` are lanes without room in memory. Raises StaleError where the batch does not hold any more. Not forced
        to disk on the embedded log, from which all of this can be derived again; what caused it is there when this
        returns.
        """

        def work(connection: Connection) -> AcceptedAlerts:
            expect(connection, batch)
            logged: list[Logged] = []
            jobs: list[Job] = []
            for wave in _waves(_without_known(connection, batch)):
                logged += _append(connection, [decided.arrival for decided in wave])
                jobs += self._keep(connection, wave, full)
            caused = changes.count_arrived(connection, [entry.alert for entry in logged])
            changes.release_complete(connection, caused, max((e.recorded_at for e in logged), default=0))
            return AcceptedAlerts(logged, jobs)

        accepted = await self._database.write(work, durable=False, rows=batch.size)
        await self._database.settled()
        return accepted

    async def load_silenced(self, now: int, limit: int) -> SilencedAlerts:
        """Up to ``limit`` alerts whose silence is over."""
        over = (
            select(held.c.alert_id).where(held.c.silence_id.is_not(None), held.c.due_at <= now).distinct().limit(limit)
        )

        def work(connection: Connection) -> SilencedAlerts:
            held_for = _load_held_for(connection, list(connection.execute(over).scalars()), now)
            entries, failed = _load_newest(connection, list(held_for)) if held_for else ([], {})
            return SilencedAlerts(entries, held_for, failed)

        return await self._database.read(work)

    async def release(self, silenced: SilencedAlerts, batch: DecidedBatch, now: int, full: frozenset[str]) -> list[Job]:
        """Keep what was decided anew about alerts whose silence is over: this process's messages. What failed is put
        off. Raises StaleError where the batch does not hold any more."""

        def work(connection: Connection) -> tuple[list[list[Job]], list[Exception]]:
            expect(connection, batch)
            if _load_held_for(connection, list(silenced.held_for), now) != silenced.held_for:
                raise StaleError

            def keep(some: Sequence[DecidedAlert]) -> list[Job]:
                jobs = self._keep(connection, some, full)
                ids = [decided.arrival.alert.id for decided in some]
                connection.execute(delete(held).where(held.c.alert_id.in_(ids), _is_over(now)))
                caused = {action.change for decided in some for action in decided.actions if action.change is not None}
                changes.release_complete(connection, caused, now)
                return jobs

            def put_off(decided: DecidedAlert) -> None:
                _put_off(connection, decided.arrival.alert.id, now)

            for id in silenced.failed:
                _put_off(connection, id, now)
            return each_apart(connection, batch.alerts, keep, put_off)

        jobs, errors = await self._database.write(work)
        for error in (*silenced.failed.values(), *errors):
            self._on_fault(error)
        return [job for some in jobs for job in some]

    def _keep(self, connection: Connection, wave: Sequence[DecidedAlert], full: frozenset[str]) -> list[Job]:
        """Keep what is done with each alert; the messages that this process has claimed."""
        pending = _load_pending(connection, [d.arrival.alert.id for d in wave if d.arrival.alert.revision > 1])
        rows: list[dict[str, Any]] = []
        jobs: list[Job] = []
        waiting: list[tuple[Arrival, AlertAction]] = []
        freed: list[tuple[str, str]] = []
        for decided in wave:
            arrival = decided.arrival
            for action in decided.actions:
                if action.job is None:
                    waiting.append((arrival, action))
                    continue
                earlier = (arrival.alert.id, action.subscription.id)
                if action.frees:
                    freed.append(earlier)
                for job in (action.ahead, action.job):
                    if job is None:
                        continue
                    # Straight to the sender goes what is due, has room, and waits for no earlier revision elsewhere.
                    due_now = action.state == "pending" and action.due <= arrival.now and job.lane not in full
                    mine = due_now and pending.get(earlier, self._instance) == self._instance
                    due = action.due if action.state == "pending" else None
                    rows.append(delivery_row(job, due, self._instance if mine else None, action.state))
                    if mine:
                        jobs.append(job)
                    elif earlier in pending:
                        _pull_forward(connection, job, action.due)
        _free(connection, freed)
        insert_rows(connection, rows)
        _keep_waiting(connection, waiting)
        return jobs


def _free(connection: Connection, freed: Sequence[tuple[str, str]]) -> None:
    """An alert that waited to be gathered has got a message of its own."""
    for alert, subscription in freed:
        mine = and_(held.c.alert_id == alert, held.c.subscription_id == subscription)
        connection.execute(delete(held).where(mine, held.c.silence_id.is_(None)))


def _is_over(now: int) -> Any:
    return held.c.silence_id.is_not(None) & (held.c.due_at <= now)


def _append(connection: Connection, wave: Sequence[Arrival]) -> list[Logged]:
    seq = scalar(connection, _LAST_SEQ) or 0
    rows = [
        (
            seq + n, a.alert.id, a.alert.revision, a.alert.status, a.alert.verdict, a.alert.severity,
            a.alert.incident_id, a.alert.thread, a.event_id, a.now, parse_instant(a.alert.occurred.start),
            parse_instant(a.alert.occurred.end), pack(a.body), a.traceparent,
        )
        for n, a in enumerate(wave, 1)
    ]  # fmt: skip
    add_rows(connection, alert_log, _LOGGED, rows)
    return [Logged(seq + n, a.alert, a.now, a.event_id, a.traceparent) for n, a in enumerate(wave, 1)]


def _put_off(connection: Connection, alert: str, now: int) -> None:
    connection.execute(update(held).where(held.c.alert_id == alert, _is_over(now)).values(due_at=now + PUT_OFF))


def _pull_forward(connection: Connection, job: Job, due: int) -> None:
    """Messages of an alert that quiet hours hold go out before one that breaks through them."""
    d = deliveries.c
    same = (d.alert_id == job.alert) & (d.subscription_id == job.subscription)
    waiting = same & (d.state == "pending") & (d.attempts == 0) & (d.due_at > due)
    connection.execute(update(deliveries).where(waiting).values(due_at=due))


def _without_known(connection: Connection, batch: DecidedBatch) -> list[DecidedAlert]:
    """Those whose revision is not in the log yet. Of the alerts that the facts are about none is."""
    unread = {d.arrival.alert.id for d in batch.alerts} - batch.facts.alerts
    known = find_known(connection, unread)
    return [d for d in batch.alerts if (d.arrival.alert.id, d.arrival.alert.revision) not in known]


def _waves(alerts: Sequence[DecidedAlert]) -> list[list[DecidedAlert]]:
    """In order, cut wherever an alert comes again: what its later revision finds has then been written."""
    waves: list[list[DecidedAlert]] = []
    seen: set[str] = set()
    for decided in alerts:
        id = decided.arrival.alert.id
        if not waves or id in seen:
            waves.append([])
            seen.clear()
        seen.add(id)
        waves[-1].append(decided)
    return waves


def _load_pending(connection: Connection, alerts: Sequence[str]) -> dict[tuple[str, str], str | None]:
    """By alert and subscription: which process has claimed the newest message that is under way; None where that is a
    gathered one, behind which nothing is set aside in memory."""
    if not alerts:
        return {}
    d = deliveries.c
    pending = select(d.alert_id, d.subscription_id, d.claimed_by).where(d.alert_id.in_(alerts), d.state == "pending")
    found: dict[tuple[str, str], str | None] = {
        (row.alert_id, row.subscription_id): row.claimed_by for row in connection.execute(pending.order_by(d.revision))
    }
    g = gathered.c
    joined = select(g.alert_id, g.subscription_id).join(deliveries, d.id == g.delivery_id)
    for row in connection.execute(joined.where(g.alert_id.in_(alerts), d.state == "pending")):
        found[row.alert_id, row.subscription_id] = None
    return found


def _load_held_for(connection: Connection, alerts: Sequence[str], now: int) -> dict[str, frozenset[str]]:
    """By alert, for whom a silence held it that is over."""
    waiting = select(held.c.alert_id, held.c.subscription_id).where(held.c.alert_id.in_(alerts), _is_over(now))
    found: dict[str, set[str]] = {}
    for row in connection.execute(waiting) if alerts else ():
        found.setdefault(row.alert_id, set()).add(row.subscription_id)
    return {alert: frozenset(ids) for alert, ids in found.items()}


def _load_newest(connection: Connection, alerts: Sequence[str]) -> tuple[list[Logged], dict[str, Exception]]:
    """The newest revision of each alert, in the order of the log, and those that cannot be read."""
    newest = select(func.max(alert_log.c.seq)).where(alert_log.c.alert_id.in_(alerts)).group_by(alert_log.c.alert_id)
    entries: list[Logged] = []
    failed: dict[str, Exception] = {}
    for row in connection.execute(select(alert_log).where(alert_log.c.seq.in_(newest)).order_by(alert_log.c.seq)):
        try:
            entries.append(to_logged(row))
        except msgspec.DecodeError as error:
            failed[row.alert_id] = error
    return entries, failed


def _keep_waiting(connection: Connection, waiting: Sequence[tuple[Arrival, AlertAction]]) -> None:
    """Hold alerts until they are gathered or their silence ends; a newer revision takes the place of an older."""
    if not waiting:
        return
    rows = [
        {
            "subscription_id": action.subscription.id, "alert_id": arrival.alert.id, "revision": arrival.alert.revision,
            "group_key": action.group, "silence_id": action.silence, "registry_version": action.change,
            "held_at": arrival.now, "due_at": action.due,
        }
        for arrival, action in waiting
    ]  # fmt: skip
    connection.execute(merge(connection, held, _newer), rows)
    changes.hold_changes(connection, [(a.change, a.subscription.id, a.due) for _, a in waiting if a.change is not None])


def _newer(came: Any) -> dict[str, Any]:
    # A group keeps its hour when one of its alerts changes, unless that is to come sooner, and the alert, unless that
    # comes to be in another group; an alert that comes out of a silence gets a new hour.
    stays = held.c.silence_id.is_(None) & came.silence_id.is_(None) & (held.c.due_at < came.due_at)
    grouped = held.c.group_key.is_not(None) & came.registry_version.is_not(None)
    return {
        "revision": came.revision,
        "group_key": case((grouped, held.c.group_key), else_=came.group_key),
        "silence_id": came.silence_id,
        "registry_version": case((grouped, null()), else_=came.registry_version),
        "due_at": case((stays, held.c.due_at), else_=came.due_at),
    }
