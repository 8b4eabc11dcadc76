"""The alert log as it is read: in order of commit, by alert, by incident."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial
from operator import itemgetter
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, func, select, text

from schemas.assessments import Alert
from services.notify.sql.tables import alert_log
from services.notify.use_cases.take_alerts import Logged
from services.platform.db.engine import Database
from services.platform.db.packing import unpack
from services.platform.db.paging import at_times, select_page, touching_times
from services.platform.paging import PageQuery

#: A transaction that appends to the log on PostgreSQL holds this lock until the commit, so numbers commit in order.
LOG_LOCK: Final = 7_203_415_221
#: Entries that are read at once where many are wanted.
PAGE: Final = 200
_decode: Final = msgspec.json.Decoder(Alert).decode


def lock_log(connection: Connection) -> None:
    """Nobody else appends to the log until the transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOG_LOCK})


class SqlAlertLog:
    """The log as it is read: in order of commit, by alert, by incident."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def after(self, seq: int, limit: int) -> list[Logged]:
        return await self.page(PageQuery(descending=False, after=(seq,), limit=limit - 1))

    async def page(self, query: PageQuery) -> list[Logged]:
        """One page in the order of commit, with one entry more. Its times are those of recording."""
        statement = select(alert_log).where(*at_times(query, alert_log.c.recorded_at))
        return await self._read(select_page(statement, query, alert_log.c.seq))

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

    async def rehearsal_times(self, start: int, end: int, most: int) -> list[tuple[int, int]]:
        """The revisions of the alerts of incidents within the half-open interval: the number of each entry and its
        moment, in the order of the moments, up to ``most`` of them and one more.

        An alert's first revision comes as its incident ends, the others as long after it as they were recorded.
        """
        return await self._database.read(partial(_load_rehearsal_times, start, end, most))

    async def at_moments(self, times: Sequence[tuple[int, int]]) -> AsyncIterator[list[Logged]]:
        """Entries by number, each as if recorded at the moment beside it, in the order given, page by page."""
        for first in range(0, len(times), PAGE):
            moments = dict(times[first : first + PAGE])
            yield [replace(entry, recorded_at=moments[entry.seq]) for entry in await self.numbered(list(moments))]

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
    return Logged(row.seq, _decode(unpack(row.body)), row.recorded_at, row.event_id, row.traceparent)


def _load_rehearsal_times(start: int, end: int, most: int, connection: Connection) -> list[tuple[int, int]]:
    c = alert_log.c
    within = touching_times(PageQuery(start=start, end=end), c.occurred_from, c.occurred_to)
    alerts = select(c.alert_id).where(*within)
    statement = select(c.seq, c.alert_id, c.recorded_at, c.occurred_to).where(c.alert_id.in_(alerts))
    first: dict[str, Any] = {}
    times: list[tuple[int, int]] = []
    for row in connection.execute(statement.order_by(c.seq).limit(most + 1)):
        begun = first.setdefault(row.alert_id, row)
        times.append((row.seq, begun.occurred_to + row.recorded_at - begun.recorded_at))
    return sorted(times, key=itemgetter(1, 0))
