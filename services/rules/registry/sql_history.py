"""The port RegistryHistory on a database."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, Subquery, func, select

from schemas.causes import Actor
from schemas.registry import RegistrySettings
from services.platform.db.engine import Database
from services.platform.db.paging import at_times, select_page
from services.platform.paging import PageQuery
from services.rules.registry.domain.resources import SETTINGS, Key, Op, ResourceChange
from services.rules.registry.history import MAX_NAMED, RecordedChange, RecordedVersion, VersionRecord
from services.rules.registry.sql import registry_resources, registry_versions
from services.rules.registry.wire import read_stored

#: Changes of one resource in a page: each holds it twice, and it may be long.
MAX_CHANGES: Final = 20


@dataclass(frozen=True, slots=True)
class SqlRegistryHistory:
    """Reads what SqlRegistry wrote."""

    database: Database

    async def versions(self, query: PageQuery) -> Sequence[RecordedVersion]:
        return await self.database.read(partial(_load_versions, query))

    async def changes_of(self, key: Key, query: PageQuery) -> Sequence[RecordedChange]:
        return await self.database.read(partial(_load_changes, key, query))


def _load_versions(query: PageQuery, connection: Connection) -> list[RecordedVersion]:
    table = registry_versions.c
    page = select_page(select(registry_versions).where(*at_times(query, table.recorded_at)), query, table.version)
    recorded = [_recorded(row) for row in connection.execute(page)]
    named: dict[int, list[tuple[Key, Op]]] = {}
    counts: dict[int, int] = {}
    for row in connection.execute(_first_changes([one.version for one in recorded])):
        op: Op = "remove" if row.is_removed else "replace" if row.was_there else "add"
        named.setdefault(row.version, []).append(((row.kind, row.id), op))
        counts[row.version] = row.in_all
    return [RecordedVersion(one, named.get(one.version, ()), counts.get(one.version, 0)) for one in recorded]


def _first_changes(versions: Sequence[int]) -> Any:
    """The first changes of each version, by kind and id."""
    table = registry_resources.c
    numbered = (
        select(
            table.kind,
            table.id,
            table.version,
            func.row_number().over(partition_by=table.version, order_by=(table.kind, table.id)).label("number"),
            func.count().over(partition_by=table.version).label("in_all"),
        )
        .where(table.version.in_(versions))
        .subquery()
    )
    change = registry_resources.alias()
    return (
        select(
            numbered.c.kind,
            numbered.c.id,
            numbered.c.version,
            numbered.c.in_all,
            change.c.body.is_(None).label("is_removed"),
            _body_before(numbered).is_not(None).label("was_there"),
        )
        .join(
            change,
            (change.c.kind == numbered.c.kind)
            & (change.c.id == numbered.c.id)
            & (change.c.version == numbered.c.version),
        )
        .where(numbered.c.number <= MAX_NAMED)
        .order_by(numbered.c.version, numbered.c.number)
    )


def _body_before(change: Subquery) -> Any:
    """The resource as it was before a change; null where it was not there."""
    older = registry_resources.alias()
    return (
        select(older.c.body)
        .where(older.c.kind == change.c.kind, older.c.id == change.c.id, older.c.version < change.c.version)
        .order_by(older.c.version.desc())
        .limit(1)
        .scalar_subquery()
    )


def _load_changes(key: Key, query: PageQuery, connection: Connection) -> list[RecordedChange]:
    table, (kind, id) = registry_resources.c, key
    short = replace(query, limit=min(query.limit, MAX_CHANGES))
    of_key = select(table.kind, table.id, table.version, table.body).where(table.kind == kind, table.id == id)
    changes = of_key.where(*at_times(query, table.recorded_at)).subquery()
    statement = select(
        registry_versions, changes.c.body.label("after"), _body_before(changes).label("before")
    ).join_from(changes, registry_versions, registry_versions.c.version == changes.c.version)
    rows = connection.execute(select_page(statement, short, registry_versions.c.version)).all()
    zones = _load_zones(connection) if rows else []
    return [
        RecordedChange(
            _recorded(row),
            ResourceChange(key, *(None if b is None else read_stored(kind, b) for b in (row.before, row.after))),
            next((zone for version, zone in zones if version <= row.version), "UTC"),
        )
        for row in rows
    ]


def _load_zones(connection: Connection) -> list[tuple[int, str]]:
    """The registry's time zone from each version on that changed it, the newest first."""
    table, (kind, id) = registry_resources.c, SETTINGS
    statement = select(table.version, table.body).where(table.kind == kind, table.id == id)
    zones: list[tuple[int, str]] = []
    for version, body in connection.execute(statement.order_by(table.version.desc())):
        settings = None if body is None else read_stored(kind, body)
        zones.append((version, settings.timezone if isinstance(settings, RegistrySettings) else "UTC"))
    return zones


def _recorded(row: Any) -> VersionRecord:
    return VersionRecord(row.version, row.recorded_at, Actor(row.actor_key, row.actor), row.action, row.reason)
