"""The history of the registry: each change with its author and reason, when it was recorded, and what it changed.

VersionRecord time says since when the registry says so; valid time, of which incidents it says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas.causes import Actor
from schemas.registry import Presence, Resource, Truce
from services.platform.paging import PageQuery
from services.rules.judging.model import Period, Window
from services.rules.registry.domain.document_reader import DocumentReader
from services.rules.registry.domain.resources import Key, Op, ResourceChange
from services.rules.registry.domain.windows import derive_windows

#: Changes that are named of one version; a whole document may change thousands.
MAX_NAMED = 100


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """The author of a version of the registry, its time, reason and action (None for versions from before it was
    kept)."""

    version: int
    recorded_at: int
    by: Actor
    action: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class RecordedVersion:
    """One version: the first of its changes, by kind and id, and how many there are."""

    recorded: VersionRecord
    changes: Sequence[tuple[Key, Op]]
    count: int


@dataclass(frozen=True, slots=True)
class RecordedChange:
    """One change of one resource. ``timezone`` is the registry's after it."""

    recorded: VersionRecord
    change: ResourceChange
    timezone: str


class RegistryHistory(Protocol):
    """Changes of the registry, by version. Each method gives one page and one item more, and raises RetryLaterError."""

    async def versions(self, query: PageQuery) -> Sequence[RecordedVersion]:
        """Every version recorded within the times of ``query``."""
        ...

    async def changes_of(self, key: Key, query: PageQuery) -> Sequence[RecordedChange]:
        """The versions that changed one resource; none where there never was such a resource."""
        ...


@dataclass(frozen=True, slots=True)
class ChangedWindows:
    """The windows of a truce before and after one change of it, as its announcements alone say."""

    before: tuple[Window, ...]
    after: tuple[Window, ...]


def windows_of(change: RecordedChange) -> ChangedWindows:
    return ChangedWindows(*(_windows(r, change.timezone) for r in (change.change.before, change.change.after)))


def valid_time(change: RecordedChange) -> Period | None:
    """The time of the incidents that a change is about; None for none, as of a truce without a window."""
    before, after = change.change.before, change.change.after
    if isinstance(before, Truce) or isinstance(after, Truce):
        windows = windows_of(change)
        changed = set(windows.before) ^ set(windows.after)
        return _span(changed or {*windows.before, *windows.after})
    if isinstance(before, Presence) or isinstance(after, Presence):
        return _join([_period(p, change.timezone) for p in (before, after) if isinstance(p, Presence)])
    return Period(None, None)


def _windows(resource: Resource | None, timezone: str) -> tuple[Window, ...]:
    if not isinstance(resource, Truce):
        return ()
    said = resource.announcements
    areas = frozenset({resource.area, *(one.area for one in said if one.area is not None)})
    reading = DocumentReader(timezone, frozenset(one.issuer for one in said), areas)
    return derive_windows(resource, "", reading)


def _span(windows: set[Window]) -> Period | None:
    accounts = [account for window in windows for account in window.accounts if account.end != account.start]
    return _join([Period(account.start, account.end) for account in accounts]) if accounts else None


def _join(periods: Sequence[Period]) -> Period:
    starts, ends = [p.start for p in periods], [p.end for p in periods]
    return Period(
        None if None in starts else min(s for s in starts if s is not None),
        None if None in ends else max(e for e in ends if e is not None),
    )


def _period(presence: Presence, timezone: str) -> Period:
    reading = DocumentReader(timezone, frozenset({presence.party}), frozenset({presence.area}))
    return reading.period(presence.start, presence.end, "")
