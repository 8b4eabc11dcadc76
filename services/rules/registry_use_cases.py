"""The registry as verbs: look at it as it stands or stood, change it, see what a change would do.

Each process holds the current version compiled; a change is checked against it, and committed only if nobody else
changed it meanwhile.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, Protocol

import msgspec
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from schemas.codec import encode
from schemas.envelope import Event
from schemas.events import Actor, RegistryChanged
from schemas.instants import format_instant
from schemas.registry import Document, Resource
from schemas.topics import REGISTRY
from services.rules import registry_sql as sql
from services.rules.domain.document import Compiled, check_document
from services.rules.domain.faults import Fault, InvalidRegistryError
from services.rules.domain.model import Registry
from services.rules.domain.resources import Change, Key, Resources, diff, join, pointer_of
from services.rules.registry_wire import read_stored, write
from services.shared import audit
from services.shared.clock import Clock
from services.shared.db import outbox
from services.shared.db.engine import Database
from services.shared.failures import RetryLaterError

#: One resource must fit into one event on the log.
MAX_RESOURCE: Final = 900_000
MAX_FLIPS: Final = 1_000
_ATTEMPTS: Final = 5
#: Changes written at once; a large document is never held in memory a second time as rows.
_AT_ONCE: Final = 500
_NAMED_IN_AUDIT: Final = 100

Edit = Callable[[Resources], Mapping[Key, Resource]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The registry at one version. ``versions`` is the version in which each resource last changed."""

    version: int = 0
    recorded_at: int = 0
    resources: dict[Key, Resource] = field(default_factory=dict)
    versions: dict[Key, int] = field(default_factory=dict)
    compiled: Compiled = field(default_factory=lambda: Compiled(join({}), Registry(0, "UTC")))

    @property
    def document(self) -> Document:
        return self.compiled.document

    @property
    def registry(self) -> Registry:
        return self.compiled.registry


@dataclass(slots=True)
class Shelf:
    """The newest snapshot that this process has seen; whoever changes the registry waits for a turn, and of all who
    look at once the first reads and compiles what has changed."""

    current: Snapshot = field(default_factory=Snapshot)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes the registry and what they did, for the audit."""

    actor: Actor
    action: str
    resource: str


class Flip(Protocol):
    """An incident whose verdict would change."""

    @property
    def incident_id(self) -> str: ...
    @property
    def before(self) -> str: ...
    @property
    def after(self) -> str: ...


class FindFlips(Protocol):
    """Judges the stored incidents by another registry: the first ``limit`` flips, and how many there are in all."""

    async def __call__(self, registry: Registry, limit: int) -> tuple[Sequence[Flip], int]: ...


class ChangeRefusedError(InvalidRegistryError):
    """A change would leave a registry with faults: their pointers lead into ``document``, what it would become."""

    def __init__(self, faults: Sequence[Fault], document: Document) -> None:
        super().__init__(faults)
        self.document = document


class PreconditionFailedError(Exception):
    """What was to be changed is not the version that the request names."""


class _StaleError(Exception):
    """Another process changed the registry since we looked."""


async def read_registry(database: Database, shelf: Shelf, as_of: int | None = None) -> Snapshot:
    """The registry as it stands, or as it stood at ``as_of`` in recorded time. Raises RetryLaterError."""
    if as_of is not None:
        return await _read(database, shelf.current, as_of)
    async with shelf.reading:
        snapshot = await _read(database, shelf.current, None)
        if snapshot.version > shelf.current.version:
            shelf.current = snapshot
    return snapshot


async def newest_registry(database: Database, shelf: Shelf) -> Registry:
    """The registry as it stands, compiled. Raises RetryLaterError."""
    return (await read_registry(database, shelf)).registry


async def change_registry(
    database: Database,
    shelf: Shelf,
    clock: Clock,
    author: Author,
    edit: Edit,
    expected: Callable[[Snapshot], bool] = lambda _: True,
) -> tuple[Snapshot, list[Change]]:
    """Apply ``edit`` to the current registry; what stands then, and what changed (nothing: no new version).

    Raises what ``edit`` raises, PreconditionFailedError where ``expected`` denies the version found,
    ChangeRefusedError, RetryLaterError when others keep coming first.
    """
    async with shelf.turn:
        for _ in range(_ATTEMPTS):
            held = await read_registry(database, shelf)
            if not expected(held):
                raise PreconditionFailedError
            new, changes = await asyncio.to_thread(_prepare, held, edit, clock.now())
            if not changes:
                return held, changes
            try:
                await database.write(partial(_save, held.version, new, changes, author))
            except (_StaleError, IntegrityError):
                continue
            shelf.current = new
            return new, changes
    raise RetryLaterError("the registry is being changed by others")


async def preview_change(
    database: Database, shelf: Shelf, edit: Edit, find_flips: FindFlips
) -> tuple[list[Change], Sequence[Flip], int]:
    """What ``edit`` would change: resources, the first verdicts that would flip, and how many would."""
    held = await read_registry(database, shelf)
    new, changes = await asyncio.to_thread(_prepare, held, edit, held.recorded_at)
    if not changes:
        return changes, (), 0
    flips, count = await find_flips(new.registry, MAX_FLIPS)
    return changes, flips, count


async def _read(database: Database, held: Snapshot, as_of: int | None) -> Snapshot:
    loaded = await database.read(lambda connection: _load(connection, held, as_of))
    # Compiled afterwards: it may take seconds, in which the database would seem to be silent.
    return held if loaded is held else await asyncio.to_thread(_compile, loaded)


def _load(connection: Connection, held: Snapshot, as_of: int | None) -> Snapshot:
    """``held`` itself where that is the version that is asked for; else that version, compiled as its base still."""
    version = sql.current_version(connection) if as_of is None else sql.version_at(connection, as_of)
    if version == held.version:
        return held
    base = held if held.version < version else Snapshot()
    resources, versions = dict(base.resources), dict(base.versions)
    for row in sql.load_resources(connection, base.version, version):
        key: Key = (row.kind, row.id)
        versions[key] = row.version
        if row.body is None:
            resources.pop(key, None)
        else:
            resources[key] = read_stored(row.kind, row.body)
    return Snapshot(version, sql.load_recorded_at(connection, version), resources, versions, base.compiled)


def _compile(loaded: Snapshot) -> Snapshot:
    document = join(loaded.resources)
    # What was accepted once is served even if newer zone rules find fault with it.
    registry, _ = check_document(document, loaded.version, loaded.compiled)
    return replace(loaded, compiled=Compiled(document, registry))


def _prepare(held: Snapshot, edit: Edit, now: int) -> tuple[Snapshot, list[Change]]:
    """What would stand after ``edit``, and what differs."""
    edited = edit(held.resources)
    changes = diff(held.resources, edited)
    if not changes:
        return held, changes
    version, document = held.version + 1, join(edited)
    registry, faults = check_document(document, version, held.compiled)
    if faults:
        raise ChangeRefusedError(faults, document)
    versions = {key: held.versions.get(key, version) for key in edited} | {c.key: version for c in changes}
    recorded_at = max(now, held.recorded_at + 1)
    return Snapshot(version, recorded_at, dict(edited), versions, Compiled(document, registry)), changes


def _save(version: int, new: Snapshot, changes: list[Change], author: Author, connection: Connection) -> None:
    if sql.current_version(connection) != version:
        raise _StaleError
    sql.save_version(connection, new.version, new.recorded_at, author.actor.name)
    at = format_instant(new.recorded_at)
    for first in range(0, len(changes), _AT_ONCE):
        rows = [_row(change, new) for change in changes[first : first + _AT_ONCE]]
        sql.save_resources(connection, new.recorded_at, rows)
        is_end = first + _AT_ONCE >= len(changes)
        outbox.append(connection, [_changed(row, at, last=is_end and row is rows[-1]) for row in rows])
    audit.record(
        connection,
        at=new.recorded_at,
        actor=author.actor,
        action=author.action,
        resource=author.resource,
        detail=_detail(new, changes),
    )


def _row(change: Change, new: Snapshot) -> sql.Row:
    kind, id = change.key
    body = None if change.after is None else write(change.after)
    if body is not None and len(body) > MAX_RESOURCE:
        fault = Fault(pointer_of(new.document, change.key), f"longer than {MAX_RESOURCE} bytes as JSON")
        raise ChangeRefusedError([fault], new.document)
    return sql.Row(kind, id, new.version, body)


def _changed(row: sql.Row, at: str, *, last: bool) -> Event:
    body = None if row.body is None else msgspec.Raw(row.body)
    key = f"{row.kind}/{row.id}"
    payload = RegistryChanged(row.kind, row.id, row.version, at, body, last)
    return encode(REGISTRY, payload, key=key, id=f"{row.version}-{key}", time=at)


def _detail(new: Snapshot, changes: list[Change]) -> dict[str, Any]:
    named = [f"{change.op} {'/'.join(change.key)}" for change in changes[:_NAMED_IN_AUDIT]]
    return {"registry_version": new.version, "count": len(changes), "changes": named}
