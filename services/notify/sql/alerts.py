"""The alert log, and the one transaction in which alerts are kept and what becomes of them is decided."""

from collections.abc import AsyncIterator, Container, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, case, delete, func, select, text, update

from schemas.assessments import Alert
from services.notify.domain.attempt import Job
from services.notify.sql.deliveries import delivery_row, insert_rows
from services.notify.sql.subscriptions import expect_version
from services.notify.sql.tables import alert_log, deliveries, gathered, groups, held
from services.notify.use_cases.take_alerts import Accepted, Arrival, Facts, Fate, Judge, Logged, Told
from services.shared.db.apart import PUT_OFF, OnFault, each_apart, log_fault
from services.shared.db.bulk import insert_rows as add_rows
from services.shared.db.bulk import scalar, select_by_key
from services.shared.db.engine import Database
from services.shared.db.upsert import merge

#: Whoever appends to the log on PostgreSQL holds this lock until the commit, so numbers commit in order.
LOG_LOCK: Final = 7_203_415_221
#: Entries that are read at once where many are wanted.
PAGE: Final = 200
_decode: Final = msgspec.json.Decoder(Alert).decode
_LOGGED: Final = tuple(alert_log.c.keys())
#: In words of both databases, since it runs for each batch.
_LAST_SEQ: Final = "SELECT max(seq) FROM alert_log"
_KNOWN: Final = "SELECT alert_id, revision FROM alert_log WHERE alert_id"


class SqlAlertBook:
    """``instance`` names this process: what it decides, it claims. ``on_fault`` is told what an alert raised that came
    out of a silence; that one is put off, and the others are decided."""

    def __init__(self, database: Database, instance: str, on_fault: OnFault = log_fault) -> None:
        self._database = database
        self._instance = instance
        self._on_fault = on_fault

    async def accept(
        self, arrivals: Sequence[Arrival], judge: Judge, version: int, full: Container[str], expected: int
    ) -> Accepted:
        """Keep the alerts that are new, and what ``judge`` makes of them; repetition changes nothing.

        ``full`` are lanes without room in memory. Raises StaleError when the directory is no longer at ``version``.
        Not forced to disk on the embedded log, from which all of this can be derived again; what caused it is there
        when this returns. ``expected``: about how many messages come of it.
        """

        def work(connection: Connection) -> Accepted:
            _lock_at(connection, version)
            logged: list[Logged] = []
            jobs: list[Job] = []
            for wave in _waves(_without_known(connection, arrivals)):
                logged += self._append(connection, wave)
                jobs += self._decide(connection, wave, judge, full)
            return Accepted(logged, jobs)

        accepted = await self._database.write(work, durable=False, rows=max(expected, len(arrivals)))
        await self._database.settled()
        return accepted

    async def reconsider(
        self, now: int, judge: Judge, version: int, full: Container[str], limit: int
    ) -> tuple[int, list[Job]]:
        """Decide anew what silences held that are over: how many alerts, and this process's messages. Raises
        StaleError when the directory is no longer at ``version``."""
        over = select(held.c.alert_id).where(held.c.group_key.is_(None), held.c.due_at <= now)
        # Nearly every pass finds nothing: only what finds something needs the writer.
        if not await self._database.read(lambda connection: connection.execute(over.limit(1)).first()):
            return 0, []

        def work(connection: Connection) -> tuple[int, list[list[Job]], list[Exception]]:
            _lock_at(connection, version)
            ids = list(connection.execute(over.distinct().limit(limit)).scalars())

            def release(some: Sequence[str]) -> list[Job]:
                wave = [Arrival(e.alert, b"", "", now) for e in _load_latest(connection, some)]
                jobs = self._decide(connection, wave, judge, full)
                settled = held.c.alert_id.in_(some) & held.c.silence_id.is_not(None) & (held.c.due_at <= now)
                connection.execute(delete(held).where(settled))
                return jobs

            jobs, errors = each_apart(connection, ids, release, lambda id: _put_off(connection, id, now))
            return len(ids), jobs, errors

        count, jobs, errors = await self._database.write(work)
        for error in errors:
            self._on_fault(error)
        return count, [job for some in jobs for job in some]

    def _append(self, connection: Connection, wave: Sequence[Arrival]) -> list[Logged]:
        seq = scalar(connection, _LAST_SEQ) or 0
        rows = [
            (
                seq + n, a.alert.id, a.alert.revision, a.alert.status, a.alert.verdict, a.alert.severity,
                a.alert.incident_id, a.alert.thread, a.event_id, a.now, a.body, a.traceparent,
            )
            for n, a in enumerate(wave, 1)
        ]  # fmt: skip
        add_rows(connection, alert_log, _LOGGED, rows)
        return [Logged(seq + n, a.alert, a.now, a.event_id, a.traceparent) for n, a in enumerate(wave, 1)]

    def _decide(self, connection: Connection, wave: Sequence[Arrival], judge: Judge, full: Container[str]) -> list[Job]:
        told = _load_told(connection, [a.alert.id for a in wave if a.alert.revision > 1])
        silenced = _load_silenced(connection, [a.alert.id for a in wave if not a.body])
        facts = Facts(told, lambda pairs: _load_last_sent(connection, pairs), silenced)
        rows: list[dict[str, Any]] = []
        jobs: list[Job] = []
        waiting: list[tuple[Arrival, Fate]] = []
        for arrival in wave:
            before = told.get(arrival.alert.id, {})
            for fate in sorted(judge(arrival, facts), key=_place):
                if fate.action != "send":
                    waiting.append((arrival, fate))
                    continue
                assert fate.job is not None
                mine = self._may_claim(fate, arrival.now, before.get(fate.job.subscription), full)
                due = fate.due if fate.state == "pending" else None
                rows.append(delivery_row(fate.job, due, self._instance if mine else None, fate.state))
                if mine:
                    jobs.append(fate.job)
                elif fate.job.subscription in before:
                    _pull_forward(connection, fate.job, fate.due)
        insert_rows(connection, rows)
        _keep_waiting(connection, waiting)
        return jobs

    def _may_claim(self, fate: Fate, now: int, before: Told | None, full: Container[str]) -> bool:
        """Whether it goes straight to the sender: due, with room, and no earlier revision waiting elsewhere."""
        assert fate.job is not None
        if fate.state != "pending" or fate.due > now or fate.job.lane in full:
            return False
        return before is None or not before.unfinished or before.claimed_by == self._instance


def _put_off(connection: Connection, alert: str, now: int) -> None:
    silenced = (held.c.alert_id == alert) & held.c.group_key.is_(None) & (held.c.due_at <= now)
    connection.execute(update(held).where(silenced).values(due_at=now + PUT_OFF))


def _place(fate: Fate) -> str:
    """Messages of one alert are sent, hence recorded, in the order in which the table keeps them."""
    return fate.job.id if fate.job is not None else ""


def _pull_forward(connection: Connection, job: Job, due: int) -> None:
    """What quiet hours hold of an alert goes out before what breaks through them."""
    d = deliveries.c
    same = (d.alert_id == job.alert) & (d.subscription_id == job.subscription)
    waiting = same & (d.state == "pending") & (d.attempts == 0) & (d.due_at > due)
    connection.execute(update(deliveries).where(waiting).values(due_at=due))


def lock_log(connection: Connection) -> None:
    """Nobody else appends to the log until the transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOG_LOCK})


def _lock_at(connection: Connection, version: int) -> None:
    """One process at a time decides. Raises StaleError when the directory is no longer at ``version``."""
    lock_log(connection)
    expect_version(connection, version)


def _without_known(connection: Connection, arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Those whose revision is not in the log yet, each once."""
    known = set(map(tuple, select_by_key(connection, _KNOWN, list({a.alert.id for a in arrivals}))))
    fresh = []
    for arrival in arrivals:
        key = (arrival.alert.id, arrival.alert.revision)
        if key not in known:
            known.add(key)
            fresh.append(arrival)
    return fresh


def _waves(arrivals: Sequence[Arrival]) -> list[list[Arrival]]:
    """In order, cut wherever an alert comes again: what its later revision finds has then been written."""
    waves: list[list[Arrival]] = []
    seen: set[str] = set()
    for arrival in arrivals:
        if not waves or arrival.alert.id in seen:
            waves.append([])
            seen.clear()
        seen.add(arrival.alert.id)
        waves[-1].append(arrival)
    return waves


def _load_told(connection: Connection, alert_ids: Sequence[str]) -> dict[str, dict[str, Told]]:
    """By alert and subscription: what was told of it, or waits to be told; the newest revision of each."""
    found: dict[str, dict[str, Told]] = {}
    if not alert_ids:
        return found
    d = deliveries.c
    sent = select(d.alert_id, d.subscription_id, d.revision, d.state, d.claimed_by).where(
        d.alert_id.in_(alert_ids), d.state != "dropped"
    )
    for row in connection.execute(sent.order_by(d.revision)):
        told = Told(row.revision, row.state == "pending", row.claimed_by)
        found.setdefault(row.alert_id, {})[row.subscription_id] = told
    g, h = gathered.c, held.c
    joined = select(g.alert_id, g.subscription_id, g.revision).where(g.alert_id.in_(alert_ids))
    waiting = select(h.alert_id, h.subscription_id, h.revision).where(h.alert_id.in_(alert_ids), h.silence_id.is_(None))
    for alert, subscription, revision in connection.execute(joined.union_all(waiting)):
        before = found.setdefault(alert, {}).get(subscription)
        if before is None or before.revision < revision:
            found[alert][subscription] = Told(revision)
    return found


def _load_silenced(connection: Connection, alert_ids: Sequence[str]) -> dict[str, list[str]]:
    """By alert, for whom a silence holds it."""
    found: dict[str, list[str]] = {}
    if alert_ids:
        waiting = select(held.c.alert_id, held.c.subscription_id).where(
            held.c.alert_id.in_(alert_ids), held.c.silence_id.is_not(None)
        )
        for row in connection.execute(waiting):
            found.setdefault(row.alert_id, []).append(row.subscription_id)
    return found


def _load_latest(connection: Connection, alert_ids: Sequence[str]) -> list[Logged]:
    newest = select(func.max(alert_log.c.seq)).where(alert_log.c.alert_id.in_(alert_ids)).group_by(alert_log.c.alert_id)
    statement = select(alert_log).where(alert_log.c.seq.in_(newest)).order_by(alert_log.c.seq)
    return [to_logged(row) for row in connection.execute(statement)]


def _load_last_sent(connection: Connection, pairs: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], int]:
    """When each group, (subscription, key), last went out."""
    ids = list({subscription for subscription, _ in pairs})
    statement = select(groups).where(groups.c.subscription_id.in_(ids), groups.c.last_sent.is_not(None))
    return {(row.subscription_id, row.group_key): row.last_sent for row in connection.execute(statement)}


def _keep_waiting(connection: Connection, waiting: Sequence[tuple[Arrival, Fate]]) -> None:
    """Hold alerts until they are gathered or their silence ends; a newer revision takes the place of an older."""
    if not waiting:
        return
    rows = [
        {
            "subscription_id": fate.subscription.id, "alert_id": arrival.alert.id, "revision": arrival.alert.revision,
            "group_key": fate.group, "silence_id": fate.silence, "held_at": arrival.now, "due_at": fate.due,
        }
        for arrival, fate in waiting
    ]  # fmt: skip
    connection.execute(merge(connection, held, _newer), rows)


def _newer(came: Any) -> dict[str, Any]:
    # A group keeps its hour when one of its alerts changes, unless that is to come sooner; an alert that comes out of
    # a silence gets a new one.
    stays = held.c.silence_id.is_(None) & came.silence_id.is_(None) & (held.c.due_at < came.due_at)
    due = case((stays, held.c.due_at), else_=came.due_at)
    return {"revision": came.revision, "group_key": came.group_key, "silence_id": came.silence_id, "due_at": due}


class SqlAlertLog:
    """The log as it is read: in order of commit, by alert, by incident."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def after(self, seq: int, limit: int) -> list[Logged]:
        statement = select(alert_log).where(alert_log.c.seq > seq).order_by(alert_log.c.seq).limit(limit)
        return await self._read(statement)

    async def revision(self, alert: str, revision: int) -> Logged | None:
        statement = select(alert_log).where(alert_log.c.alert_id == alert, alert_log.c.revision == revision)
        return next(iter(await self._read(statement)), None)

    async def revisions(self, alert: str) -> list[Logged]:
        """Every revision of one alert, in order."""
        return await self._read(select(alert_log).where(alert_log.c.alert_id == alert).order_by(alert_log.c.revision))

    async def newest(self, limit: int) -> list[Logged]:
        """The newest entries, the newest first."""
        return await self._read(select(alert_log).order_by(alert_log.c.seq.desc()).limit(limit))

    async def of_incident(self, incident: str) -> list[Logged]:
        """Every revision of every alert of an incident, in order."""
        return await self._read(select(alert_log).where(alert_log.c.incident_id == incident).order_by(alert_log.c.seq))

    async def latest(self, alert: str) -> Logged | None:
        statement = select(alert_log).where(alert_log.c.alert_id == alert).order_by(alert_log.c.revision.desc())
        return next(iter(await self._read(statement.limit(1))), None)

    async def extent(self, start: int, end: int) -> tuple[int, int]:
        """Of what was recorded within the half-open interval: how many entries, and the number of the last."""
        within = (alert_log.c.recorded_at >= start) & (alert_log.c.recorded_at < end)
        statement = select(func.count(), func.coalesce(func.max(alert_log.c.seq), 0)).where(within)
        count, last = await self._database.read(lambda connection: connection.execute(statement).one())
        return count, last

    async def between(self, start: int, end: int, last: int) -> AsyncIterator[list[Logged]]:
        """Recorded within the half-open interval, in order, page by page, up to the entry ``last``."""
        within = (alert_log.c.recorded_at >= start) & (alert_log.c.recorded_at < end) & (alert_log.c.seq <= last)
        seq = 0
        while seq < last:
            page = select(alert_log).where(within, alert_log.c.seq > seq).order_by(alert_log.c.seq).limit(PAGE)
            found = await self._read(page)
            if not found:
                return
            yield found
            seq = found[-1].seq

    async def numbered(self, numbers: Sequence[int]) -> list[Logged]:
        """The entries of these numbers, in their order."""
        found = {e.seq: e for e in await self._read(select(alert_log).where(alert_log.c.seq.in_(numbers)))}
        return [found[number] for number in numbers if number in found]

    async def last_seq(self) -> int:
        statement = select(func.max(alert_log.c.seq))
        return await self._database.read(lambda connection: connection.execute(statement).scalar() or 0)

    async def _read(self, statement: Any) -> list[Logged]:
        return await self._database.read(lambda connection: [to_logged(row) for row in connection.execute(statement)])


def to_logged(row: Any) -> Logged:
    return Logged(row.seq, _decode(row.body), row.recorded_at, row.event_id, row.traceparent)
