"""The schedules of the truces as they were published last, in one row."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec
from msgspec import structs
from sqlalchemy import BigInteger, Column, Connection, Integer, LargeBinary, Table, func, select

from schemas.causes import Actor, Cause
from schemas.codec import encode
from schemas.events import TruceScheduled
from schemas.instants import SECOND, format_instant
from schemas.topics import WINDOWS
from services.platform.db import outbox
from services.platform.db.engine import Database
from services.platform.db.lease import take_lease
from services.platform.db.tables import metadata
from services.platform.db.upsert import upsert
from services.rules.registry.schedules import removed
from services.rules.registry.sql import registry_resources, registry_versions

#: One row: every schedule as it was published last, JSON by truce, and the version of the registry that it is of.
published_schedules = Table(
    "published_schedules",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

LEASE: Final = "rules.schedules"
LEASE_LASTS: Final = 15 * SECOND
_decode: Final = msgspec.json.Decoder(dict[str, TruceScheduled]).decode
_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class SqlSchedules:
    """The port ScheduleStore on a database. ``holder`` is the id of this process."""

    database: Database
    holder: str

    async def publish(self, version: int, schedules: Mapping[str, TruceScheduled], now: int) -> bool:
        return await self.database.write(partial(self._publish, version, schedules, now))

    def _publish(self, version: int, schedules: Mapping[str, TruceScheduled], now: int, connection: Connection) -> bool:
        if not take_lease(connection, LEASE, self.holder, now, now + LEASE_LASTS):
            return False
        row = connection.execute(select(published_schedules)).first()
        if row is not None and row.version >= version:
            return True
        before = {} if row is None else _decode(row.body)
        since = 0 if row is None else row.version
        cause_of = _causes(connection, since)
        changed = [
            structs.replace(one, version=version, recorded_at=format_instant(now), cause=cause_of(one.truce))
            for one in _changed(before, schedules, version)
        ]
        outbox.append(
            connection,
            [encode(WINDOWS, one, key=one.truce, id=f"{version}-{one.truce}", time=one.recorded_at) for one in changed],
        )
        values = {"id": 1, "version": version, "body": _encode(dict(schedules))}
        connection.execute(upsert(connection, published_schedules).values(values))
        return True


def _changed(
    before: Mapping[str, TruceScheduled], after: Mapping[str, TruceScheduled], version: int
) -> Iterator[TruceScheduled]:
    for id, schedule in after.items():
        if id not in before or _facts(before[id]) != _facts(schedule):
            yield schedule
    for id in before.keys() - after.keys():
        yield removed(id, before[id], version)


def _facts(schedule: TruceScheduled) -> TruceScheduled:
    return structs.replace(schedule, version=0, recorded_at="", cause=Cause("registry"))


def _causes(connection: Connection, since: int) -> Callable[[str], Cause]:
    """By truce, its last change after a version of the registry; the last of all where the truce itself is as it was.
    Read at once: a registry may have thousands of truces, and nothing is judged meanwhile."""
    r, v = registry_resources.c, registry_versions.c
    own = select(r.id, func.max(r.version)).where(r.kind == "truces", r.version > since).group_by(r.id)
    newest = {truce: version for truce, version in connection.execute(own)}  # noqa: C416 - rows are no pairs to mypy
    last = connection.execute(select(func.max(v.version))).scalar()
    made_by = select(v.version, v.actor_key, v.actor, v.reason)
    versions = {*newest.values(), *([] if last is None else [last])}
    made = {row.version: row for row in connection.execute(made_by.where(v.version.in_(versions)))}

    def cause_of(truce: str) -> Cause:
        version = newest.get(truce, last)
        row, resources = made.get(version), (f"truces/{truce}",)
        if row is None:
            return Cause("registry", None, None, resources, version)
        return Cause("registry", Actor(row.actor_key, row.actor), row.reason, resources, version)

    return cause_of
