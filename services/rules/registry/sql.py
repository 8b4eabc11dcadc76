"""Every version of every resource of the registry, kept for good, and the port on them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import msgspec
from sqlalchemy import BigInteger, Column, Connection, Integer, LargeBinary, Table, Text, and_, func, insert, select
from sqlalchemy.exc import IntegrityError

from schemas.codec import encode
from schemas.envelope import Event
from schemas.events import RegistryChanged
from schemas.instants import format_instant
from schemas.registry import Kind
from schemas.topics import REGISTRY
from services.platform import audit
from services.platform.db import outbox
from services.platform.db.bulk import scalar
from services.platform.db.engine import Database
from services.platform.db.tables import metadata
from services.rules.registry.domain.resources import ResourceChange
from services.rules.registry.use_cases import Author, OvertakenError, PlannedReassessment, Snapshot, StoredVersion
from services.rules.registry.wire import read_stored, write

#: One row a request that changed anything. Its key is what two that change at once collide on.
registry_versions = Table(
    "registry_versions",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("recorded_at", BigInteger, nullable=False, index=True),
    Column("actor", Text, nullable=False),
    Column("actor_key", Text),
    Column("action", Text),
    Column("reason", Text),
)

#: The changes of each version. ``body`` is JSON, null where the resource was removed.
registry_resources = Table(
    "registry_resources",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("version", Integer, primary_key=True, index=True),
    Column("recorded_at", BigInteger, nullable=False),
    Column("body", LargeBinary),
)

_NOTHING: Final = 0
#: Changes written at once; a large document is never held in memory a second time as rows.
_AT_ONCE: Final = 500
_NAMED_IN_AUDIT: Final = 100
#: "registry" in ASCII: an advisory lock that a change takes alone, and what rests on the current version shares.
_LOCK: Final = 0x7265676973747279
_CURRENT: Final = "SELECT max(version) FROM registry_versions"


@dataclass(frozen=True, slots=True)
class ResourceRow:
    """A resource as one version left it."""

    kind: Kind
    id: str
    version: int
    body: bytes | None


def current_version(connection: Connection) -> int:
    """The current version; 0 before there was any. Fast: it is read for each batch that is judged."""
    return scalar(connection, _CURRENT) or _NOTHING


def hold_version(connection: Connection) -> int:
    """The current version, which stays current until the transaction ends: a change waits for it."""
    _lock(connection, "pg_advisory_xact_lock_shared")
    return current_version(connection)


def _lock(connection: Connection, function: str) -> None:
    """SQLite has one writer: its transactions hold everything."""
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql(f"SELECT {function}({_LOCK})")


def version_at(connection: Connection, as_of: int) -> int:
    """The version that was current at an instant; 0 before there was any."""
    statement = select(func.max(registry_versions.c.version)).where(registry_versions.c.recorded_at <= as_of)
    return connection.execute(statement).scalar() or _NOTHING


def load_recorded_at(connection: Connection, version: int) -> int:
    """When a version was recorded; 0 for the empty one."""
    statement = select(registry_versions.c.recorded_at).where(registry_versions.c.version == version)
    return connection.execute(statement).scalar() or 0


def load_resources(connection: Connection, after: int, version: int) -> Iterable[ResourceRow]:
    """Each resource that changed after one version and up to another, as the last of its changes left it."""
    table = registry_resources
    latest = (
        select(table.c.kind, table.c.id, func.max(table.c.version).label("version"))
        .where(table.c.version > after, table.c.version <= version)
        .group_by(table.c.kind, table.c.id)
        .subquery()
    )
    same = and_(table.c.kind == latest.c.kind, table.c.id == latest.c.id, table.c.version == latest.c.version)
    statement = select(table.c.kind, table.c.id, table.c.version, table.c.body).join(latest, same)
    for row in connection.execute(statement):
        yield ResourceRow(row.kind, row.id, row.version, row.body)


@dataclass(frozen=True, slots=True)
class SqlRegistry:
    """The port RegistryStore on a database. ``plan`` keeps a reassessment in the transaction of its change."""

    database: Database
    plan: Callable[[Connection, PlannedReassessment], None] = lambda _connection, _planned: None

    async def read(self, known: int, as_of: int | None) -> StoredVersion:
        return await self.database.read(partial(_load, known, as_of))

    async def save(
        self,
        held: int,
        new: Snapshot,
        changes: Sequence[ResourceChange],
        author: Author,
        planned: PlannedReassessment | None,
    ) -> None:
        def work(connection: Connection) -> None:
            _save(held, new, changes, author, connection)
            if planned is not None:
                self.plan(connection, planned)

        try:
            await self.database.write(work)
        except IntegrityError as error:
            raise OvertakenError from error


def _load(known: int, as_of: int | None, connection: Connection) -> StoredVersion:
    version = current_version(connection) if as_of is None else version_at(connection, as_of)
    if version == known:
        return StoredVersion(version, 0, known, ())
    since = known if known < version else _NOTHING
    rows = load_resources(connection, since, version)
    changed = [
        ((row.kind, row.id), row.version, None if row.body is None else read_stored(row.kind, row.body)) for row in rows
    ]
    return StoredVersion(version, load_recorded_at(connection, version), since, changed)


def _save(held: int, new: Snapshot, changes: Sequence[ResourceChange], author: Author, connection: Connection) -> None:
    """Raises OvertakenError; IntegrityError where another request made the version first."""
    _lock(connection, "pg_advisory_xact_lock")
    if current_version(connection) != held:
        raise OvertakenError
    values = {
        "version": new.version,
        "recorded_at": new.recorded_at,
        "actor": author.actor.name,
        "actor_key": author.actor.key,
        "action": author.action,
        "reason": author.reason,
    }
    connection.execute(insert(registry_versions), [values])
    at = format_instant(new.recorded_at)
    for first in range(0, len(changes), _AT_ONCE):
        rows = [_row(change, new.version) for change in changes[first : first + _AT_ONCE]]
        _insert_resources(connection, new.recorded_at, rows)
        is_end = first + _AT_ONCE >= len(changes)
        outbox.append(connection, [_changed(row, at, author, last=is_end and row is rows[-1]) for row in rows])
    audit.record(
        connection,
        at=new.recorded_at,
        actor=author.actor,
        action=author.action,
        resource=author.resource,
        detail=_detail(new, changes, author),
    )


def _insert_resources(connection: Connection, recorded_at: int, rows: Sequence[ResourceRow]) -> None:
    connection.execute(
        insert(registry_resources),
        [
            {"kind": row.kind, "id": row.id, "version": row.version, "recorded_at": recorded_at, "body": row.body}
            for row in rows
        ],
    )


def _row(change: ResourceChange, version: int) -> ResourceRow:
    kind, id = change.key
    return ResourceRow(kind, id, version, None if change.after is None else write(change.after))


def _changed(row: ResourceRow, at: str, author: Author, *, last: bool) -> Event:
    body = None if row.body is None else msgspec.Raw(row.body)
    key = f"{row.kind}/{row.id}"
    payload = RegistryChanged(row.kind, row.id, row.version, at, body, last, author.actor, author.reason)
    return encode(REGISTRY, payload, key=key, id=f"{row.version}-{key}", time=at)


def _detail(new: Snapshot, changes: Sequence[ResourceChange], author: Author) -> dict[str, Any]:
    named = [f"{change.op} {'/'.join(change.key)}" for change in changes[:_NAMED_IN_AUDIT]]
    reason = {} if author.reason is None else {"reason": author.reason}
    return {"registry_version": new.version, "count": len(changes), "changes": named, **reason}
