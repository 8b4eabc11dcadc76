"""Read the registry as it is or was, change it, preview a change.

Each process holds the current version compiled; a change is checked against it, and committed only if nobody else
changed it meanwhile.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import msgspec

from schemas.causes import Actor, Cause
from schemas.registry import Document, Resource
from services.platform.clock import Clock
from services.platform.failures import RetryLaterError
from services.rules.judging.model import CompiledRegistry
from services.rules.registry.domain.changed_windows import WindowsOfChange, windows_of_change
from services.rules.registry.domain.document import CompiledDocument, check_document
from services.rules.registry.domain.faults import DocumentFault, InvalidRegistryError
from services.rules.registry.domain.resources import Key, ResourceChange, Resources, diff, join, pointer_of

#: One resource must fit into one event on the log.
MAX_RESOURCE: Final = 900_000
MAX_FLIPS: Final = 1_000
#: A change of more resources is told as one of the whole registry: its cause stands in every message that follows.
MAX_RESOURCES_NAMED: Final = 20
_ATTEMPTS: Final = 5

Edit = Callable[[Resources], Mapping[Key, Resource]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The registry at one version. ``versions`` is the version in which each resource last changed."""

    version: int = 0
    recorded_at: int = 0
    resources: dict[Key, Resource] = field(default_factory=dict)
    versions: dict[Key, int] = field(default_factory=dict)
    compiled: CompiledDocument = field(default_factory=lambda: CompiledDocument(join({}), CompiledRegistry(0, "UTC")))
    #: Of the reassessment that making this version caused; known only to the process that made it.
    reassessment: str | None = None

    @property
    def document(self) -> Document:
        return self.compiled.document

    @property
    def registry(self) -> CompiledRegistry:
        return self.compiled.registry


@dataclass(slots=True)
class RegistryCache:
    """The newest snapshot that this process has read. Changes of one process are made one at a time (``turn``);
    of concurrent reads the first reads and compiles what has changed (``reading``)."""

    current: Snapshot = field(default_factory=Snapshot)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True)
class Author:
    """The author of a change of the registry, the action, and the reason that the author gave, if any."""

    actor: Actor
    action: str
    resource: str
    reason: str | None = None


#: The reach of a change from one registry to the other, encoded; None where that is no incident.
FindReach = Callable[[CompiledRegistry, CompiledRegistry], bytes | None]


@dataclass(frozen=True, slots=True)
class PlannedReassessment:
    """Every incident that a change can touch is to be judged again. ``reach`` is what the change can touch, as it is
    kept; ``started_at`` in microseconds, UTC."""

    id: str
    cause: Cause
    reach: bytes
    started_at: int


@dataclass(frozen=True, slots=True)
class Flip:
    """An incident whose verdict another registry would change."""

    incident_id: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ChangeEffect:
    """The effect of a change: the snapshots before and after it, the resources that change, the windows of the truces
    that it touches, the first verdicts that would flip, and how many would."""

    before: Snapshot
    after: Snapshot
    changes: Sequence[ResourceChange] = ()
    windows: Sequence[WindowsOfChange] = ()
    flips: Sequence[Flip] = ()
    flip_count: int = 0


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """One version, with the resources that changed after the version ``since``, each with the version that last changed
    it; a removed one is None."""

    version: int
    recorded_at: int
    since: int
    changed: Sequence[tuple[Key, int, Resource | None]]


class RegistryStore(Protocol):
    """Every version of the registry. Each method raises RetryLaterError."""

    async def read(self, known: int, as_of: int | None) -> StoredVersion:
        """The newest version, or the one at an instant of recorded time, since version ``known`` (or since the empty
        registry, where ``known`` is newer)."""
        ...

    async def save(
        self,
        held: int,
        new: Snapshot,
        changes: Sequence[ResourceChange],
        author: Author,
        planned: PlannedReassessment | None,
    ) -> None:
        """Keep and publish a version that was made from version ``held``, with its line of the audit and the
        reassessment that it causes. Raises OvertakenError where another process changed the registry since."""
        ...


class FindFlips(Protocol):
    """Judges the stored incidents by another registry: the first ``limit`` flips, and how many there are in all."""

    async def __call__(self, registry: CompiledRegistry, limit: int) -> tuple[Sequence[Flip], int]: ...


class ChangeRefusedError(InvalidRegistryError):
    """A change would leave a registry with faults: their pointers lead into ``document``, what it would become."""

    def __init__(self, faults: Sequence[DocumentFault], document: Document) -> None:
        super().__init__(faults)
        self.document = document


class PreconditionFailedError(Exception):
    """The resource to be changed is not at the version that the request names."""


class OvertakenError(Exception):
    """Another process changed the registry since it was read."""


async def read_registry(store: RegistryStore, cache: RegistryCache, as_of: int | None = None) -> Snapshot:
    """The current registry, or the one at ``as_of`` in recorded time. Raises RetryLaterError."""
    if as_of is not None:
        return await _read(store, cache.current, as_of)
    async with cache.reading:
        snapshot = await _read(store, cache.current, None)
        if snapshot.version > cache.current.version:
            cache.current = snapshot
    return snapshot


async def newest_registry(store: RegistryStore, cache: RegistryCache) -> CompiledRegistry:
    """The current registry, compiled. Raises RetryLaterError."""
    return (await read_registry(store, cache)).registry


async def change_registry(
    store: RegistryStore,
    cache: RegistryCache,
    clock: Clock,
    author: Author,
    edit: Edit,
    expected: Callable[[Snapshot], bool] = lambda _: True,
    find_reach: FindReach = lambda _before, _after: None,
) -> tuple[Snapshot, list[ResourceChange]]:
    """Apply ``edit`` to the current registry; the resulting snapshot, and what changed (nothing: no new version). What
    ``find_reach`` finds is judged again.

    Raises what ``edit`` raises, PreconditionFailedError where ``expected`` denies the version found,
    ChangeRefusedError, RetryLaterError when others keep coming first.
    """
    async with cache.turn:
        for _ in range(_ATTEMPTS):
            held = await read_registry(store, cache)
            if not expected(held):
                raise PreconditionFailedError
            new, changes = await asyncio.to_thread(_prepare, held, edit, clock.now())
            if not changes:
                return held, changes
            planned = await asyncio.to_thread(_plan, held, new, changes, author, find_reach)
            try:
                await store.save(held.version, new, changes, author, planned)
            except OvertakenError:
                continue
            new = replace(new, reassessment=None if planned is None else planned.id)
            cache.current = new
            return new, changes
    raise RetryLaterError("the registry is being changed by others")


async def preview_change(store: RegistryStore, cache: RegistryCache, edit: Edit, find_flips: FindFlips) -> ChangeEffect:
    """The effect that ``edit`` would have. Raises as :func:`change_registry` does."""
    held = await read_registry(store, cache)
    new, changes = await asyncio.to_thread(_prepare, held, edit, held.recorded_at)
    if not changes:
        return ChangeEffect(held, new)
    flips, count = await find_flips(new.registry, MAX_FLIPS)
    windows = await asyncio.to_thread(windows_of_change, held.registry, new.registry)
    return ChangeEffect(held, new, changes, windows, flips, count)


async def _read(store: RegistryStore, held: Snapshot, as_of: int | None) -> Snapshot:
    stored = await store.read(held.version, as_of)
    # Compiled after the read: it may take seconds.
    return held if stored.version == held.version else await asyncio.to_thread(_compile, held, stored)


def _compile(held: Snapshot, stored: StoredVersion) -> Snapshot:
    base = held if stored.since == held.version else Snapshot()
    resources, versions = dict(base.resources), dict(base.versions)
    for key, version, resource in stored.changed:
        if resource is None:
            resources.pop(key, None)
            versions.pop(key, None)
        else:
            resources[key], versions[key] = resource, version
    document = join(resources)
    # A document that was accepted once is served even if newer zone rules find fault with it.
    registry, _ = check_document(document, stored.version, base.compiled)
    return Snapshot(stored.version, stored.recorded_at, resources, versions, CompiledDocument(document, registry))


def _prepare(held: Snapshot, edit: Edit, now: int) -> tuple[Snapshot, list[ResourceChange]]:
    """The snapshot after ``edit``, and what differs."""
    edited = edit(held.resources)
    changes = diff(held.resources, edited)
    if not changes:
        return held, changes
    version, document = held.version + 1, join(edited)
    registry, faults = check_document(document, version, held.compiled)
    if faults:
        raise ChangeRefusedError(faults, document)
    _refuse_long(changes, document)
    changed = {change.key for change in changes}
    versions = {key: version if key in changed else held.versions[key] for key in edited}
    recorded_at = max(now, held.recorded_at + 1)
    return Snapshot(version, recorded_at, dict(edited), versions, CompiledDocument(document, registry)), changes


def _plan(
    held: Snapshot, new: Snapshot, changes: Sequence[ResourceChange], author: Author, find_reach: FindReach
) -> PlannedReassessment | None:
    reach = find_reach(held.registry, new.registry)
    if reach is None:
        return None
    named = tuple("/".join(change.key) for change in changes)
    resources = named if len(named) <= MAX_RESOURCES_NAMED else (author.resource,)
    cause = Cause("registry", author.actor, author.reason, resources, new.version)
    return PlannedReassessment(f"registry-{new.version}", cause, reach, new.recorded_at)


def _refuse_long(changes: Sequence[ResourceChange], document: Document) -> None:
    """Raises ChangeRefusedError for a resource that fits into no event."""
    long = [c.key for c in changes if c.after is not None and len(msgspec.json.encode(c.after)) > MAX_RESOURCE]
    if long:
        detail = f"longer than {MAX_RESOURCE} bytes as JSON"
        raise ChangeRefusedError([DocumentFault(pointer_of(document, key), detail) for key in long[:1]], document)
