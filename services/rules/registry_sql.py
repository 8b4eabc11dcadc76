"""Every version of every resource of the registry, kept for good: what stood when, in recorded time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import BigInteger, Column, Connection, Integer, LargeBinary, Table, Text, and_, func, insert, select

from schemas.registry import Kind
from services.shared.db.bulk import scalar
from services.shared.db.tables import metadata

#: One row a request that changed anything. Its key is what two that change at once collide on.
registry_versions = Table(
    "registry_versions",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("recorded_at", BigInteger, nullable=False, index=True),
    Column("actor", Text, nullable=False),
)

#: What each version changed. ``body`` is JSON, null where the resource was removed.
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
_CURRENT: Final = "SELECT max(version) FROM registry_versions"


@dataclass(frozen=True, slots=True)
class Row:
    """A resource as one version left it."""

    kind: Kind
    id: str
    version: int
    body: bytes | None


def current_version(connection: Connection) -> int:
    """The version that stands now; 0 before there was any. Cheap: it is asked for each batch that is judged."""
    return scalar(connection, _CURRENT) or _NOTHING


def version_at(connection: Connection, as_of: int) -> int:
    """The version that stood at an instant; 0 before there was any."""
    statement = select(func.max(registry_versions.c.version)).where(registry_versions.c.recorded_at <= as_of)
    return connection.execute(statement).scalar() or _NOTHING


def load_recorded_at(connection: Connection, version: int) -> int:
    """When a version was recorded; 0 for the empty one."""
    statement = select(registry_versions.c.recorded_at).where(registry_versions.c.version == version)
    return connection.execute(statement).scalar() or 0


def load_resources(connection: Connection, after: int, version: int) -> Iterable[Row]:
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
        yield Row(row.kind, row.id, row.version, row.body)


def save_version(connection: Connection, version: int, recorded_at: int, actor: str) -> None:
    """Begin a version. Raises IntegrityError where another request made it first."""
    connection.execute(insert(registry_versions), [{"version": version, "recorded_at": recorded_at, "actor": actor}])


def save_resources(connection: Connection, recorded_at: int, rows: Sequence[Row]) -> None:
    """Keep what a version changed; ``rows`` is not empty."""
    connection.execute(
        insert(registry_resources),
        [
            {"kind": row.kind, "id": row.id, "version": row.version, "recorded_at": recorded_at, "body": row.body}
            for row in rows
        ],
    )
