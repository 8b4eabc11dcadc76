"""The answers about the registry as they are written on the wire."""

from collections.abc import Sequence
from typing import Any

import msgspec

from schemas.instants import format_instant
from schemas.registry import Truce
from services.rules.domain.model import Account, Registry, Window
from services.rules.domain.model import Truce as CompiledTruce
from services.rules.domain.resources import Change, Op
from services.rules.domain.stretches import Stretch, Stretches
from services.rules.registry_use_cases import MAX_FLIPS, Flip


class _Interval(msgspec.Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """Half-open, RFC 3339 UTC; ``to`` null when open."""

    start: str
    end: str | None


class AccountView(_Interval, frozen=True, rename={"start": "from", "end": "to"}):
    """One issuer's word on a window."""

    announcement: str
    issuer: str
    area: str


class StretchView(_Interval, frozen=True, rename={"start": "from", "end": "to"}):
    """A part of a window in one area, through which the same accounts stand."""

    area: str
    disputed: bool
    announcements: tuple[str, ...]


class WindowView(_Interval, frozen=True, rename={"start": "from", "end": "to"}):
    """A derived window: from its first moment by any account to its last. ``disputed``: there is no stretch of it
    (where a time is asked for: no stretch then) on which its accounts agree."""

    disputed: bool
    announcements: tuple[str, ...]
    accounts: tuple[AccountView, ...]
    stretches: tuple[StretchView, ...]


class TruceAt(Truce, frozen=True, kw_only=True):
    """A truce; where a time is asked for, with the windows that are in force then."""

    in_force: bool | msgspec.UnsetType = msgspec.UNSET
    windows: tuple[WindowView, ...] | msgspec.UnsetType = msgspec.UNSET


class ChangeView(msgspec.Struct, frozen=True, omit_defaults=True):
    """``resource`` is ``kind/id``; ``before`` and ``after`` are given in a dry run, null where there is none."""

    resource: str
    op: Op
    before: Any = msgspec.UNSET
    after: Any = msgspec.UNSET


class FlipView(msgspec.Struct, frozen=True, rename={"before": "from", "after": "to"}):
    incident_id: str
    before: str
    after: str


class Preview(msgspec.Struct, frozen=True):
    """What a change would do. ``flips`` holds the first; ``truncated`` tells that there are more."""

    changes: list[ChangeView]
    flips: list[FlipView]
    flip_count: int
    truncated: bool


class Changed(msgspec.Struct, frozen=True):
    """What a change did. Nothing changed: the version stays."""

    registry_version: int
    changes: list[ChangeView]


class Announced(msgspec.Struct, frozen=True):
    """An announcement was taken in; the windows that now follow for its truce."""

    registry_version: int
    truce: str
    announcement: str
    windows: tuple[WindowView, ...]


def answer_preview(changes: Sequence[Change], flips: Sequence[Flip], count: int) -> Preview:
    views = [
        ChangeView("/".join(c.key), c.op, *(None if r is None else _raw(r) for r in (c.before, c.after)))
        for c in changes
    ]
    shown = [FlipView(flip.incident_id, flip.before, flip.after) for flip in flips[:MAX_FLIPS]]
    return Preview(views, shown, count, count > len(shown))


def answer_changes(version: int, changes: Sequence[Change]) -> Changed:
    return Changed(version, [ChangeView("/".join(c.key), c.op) for c in changes])


def truce_at(truce: Truce, registry: Registry, at: int) -> TruceAt:
    windows = windows_of(registry.truces[truce.id], registry, at)
    fields = {name: getattr(truce, name) for name in truce.__struct_fields__}
    return TruceAt(**fields, in_force=bool(windows), windows=windows)


def windows_of(truce: CompiledTruce, registry: Registry, at: int | None = None) -> tuple[WindowView, ...]:
    """All windows of a truce, or those in force at one time."""
    stretches = Stretches(truce, registry)
    told = [(window, stretches.of(window)) for window in truce.windows]
    return tuple(_view(window, parts, at) for window, parts in told if at is None or any(p.holds(at) for p in parts))


def _view(window: Window, parts: tuple[Stretch, ...], at: int | None) -> WindowView:
    standing = [a for a in window.accounts if a.end != a.start]
    ends = [a.end for a in standing]
    return WindowView(
        start=format_instant(min(a.start for a in standing)),
        end=None if None in ends else format_instant(max(end for end in ends if end is not None)),
        disputed=all(p.disputed for p in parts if at is None or p.holds(at)),
        announcements=tuple(a.announcement for a in window.accounts),
        accounts=tuple(_account(a) for a in window.accounts),
        stretches=tuple(
            StretchView(format_instant(p.start), _until(p.end), p.area, p.disputed, p.announcements) for p in parts
        ),
    )


def _account(account: Account) -> AccountView:
    start, end = format_instant(account.start), _until(account.end)
    return AccountView(start, end, account.announcement, account.issuer, account.area)


def _until(end: int | None) -> str | None:
    return None if end is None else format_instant(end)


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
