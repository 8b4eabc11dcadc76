"""The answers about the registry as they are written on the wire."""

from typing import Any

import msgspec

from schemas.instants import format_instant
from schemas.registry import Announcement, Truce
from services.rules.judging.model import Account, CompiledRegistry, CompiledTruce, Window
from services.rules.registry.domain.changed_windows import WindowsOfChange, segment_windows
from services.rules.registry.domain.narrowing import wider_before
from services.rules.registry.domain.resources import Op
from services.rules.registry.domain.segments import WindowSegment
from services.rules.registry.use_cases import MAX_FLIPS, ChangeEffect


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
    """A part of a window in one area, through which the same accounts hold."""

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
    """A truce; where a time is asked for, with the windows that are in force then, else with all, where it is asked for
    as it stood."""

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


class TruceWindows(msgspec.Struct, frozen=True):
    """The windows of a truce that a change touches."""

    truce: str
    before: tuple[WindowView, ...]
    after: tuple[WindowView, ...]


class Warned(msgspec.Struct, frozen=True):
    """A field that is accepted and probably not meant so."""

    pointer: str
    detail: str


class ChangePreview(msgspec.Struct, frozen=True):
    """The effect that a change would have. ``flips`` holds the first; ``truncated``: there are more."""

    changes: list[ChangeView]
    flips: list[FlipView]
    flip_count: int
    truncated: bool
    windows: list[TruceWindows]
    warnings: list[Warned]


class ChangeAnswer(msgspec.Struct, frozen=True):
    """The effect of a change. ``reassessment`` is the id of the judging again that it caused, null where no incident
    can be touched; ``resource`` as it now stands, null where it is not there (or is the whole registry)."""

    registry_version: int
    reassessment: str | None
    resource: Any


class RegistryUpdated(ChangeAnswer, frozen=True):
    """The effect of a change of the whole registry. Nothing changed: the version stays."""

    changes: list[ChangeView]


class AnnouncementAdded(ChangeAnswer, frozen=True):
    """An announcement was taken in; the windows that now follow for its truce."""

    windows: tuple[WindowView, ...]


def answer_preview(effect: ChangeEffect, said: Announcement | None = None) -> ChangePreview:
    """``said``: the announcement that the change adds."""
    views = [
        ChangeView("/".join(c.key), c.op, *(None if r is None else _raw(r) for r in (c.before, c.after)))
        for c in effect.changes
    ]
    shown = [FlipView(flip.incident_id, flip.before, flip.after) for flip in effect.flips[:MAX_FLIPS]]
    windows = [view_windows_of_change(change) for change in effect.windows]
    return ChangePreview(views, shown, effect.flip_count, effect.flip_count > len(shown), windows, _warn(effect, said))


def _warn(effect: ChangeEffect, said: Announcement | None) -> list[Warned]:
    """Warns of an extension that holds in less ground than what it extends, because it names no area."""
    truces = [change.after for change in effect.changes if isinstance(change.after, Truce)]
    wider = [(truce, a) for truce in truces if said for a in wider_before(said, truce, effect.after.registry)]
    return [Warned("/area", _narrower(truce, account)) for truce, account in wider]


def _narrower(truce: Truce, account: Account) -> str:
    here, there = f"the extension holds in {truce.area!r}, the truce's area", f"{account.announcement!r} holds in"
    return f"is left out, so {here}; {there} {account.area!r}, which is wider"


def truce_at(truce: Truce, registry: CompiledRegistry, at: int | None) -> TruceAt:
    """With the windows that are in force ``at`` an instant, or with all."""
    windows = windows_of(registry.truces[truce.id], registry, at)
    fields = {name: getattr(truce, name) for name in truce.__struct_fields__}
    return TruceAt(**fields, in_force=msgspec.UNSET if at is None else bool(windows), windows=windows)


def windows_of(truce: CompiledTruce, registry: CompiledRegistry, at: int | None = None) -> tuple[WindowView, ...]:
    """All windows of a truce, or those in force at one time."""
    told = segment_windows(registry, truce.id)
    return tuple(_view(window, parts, at) for window, parts in told if at is None or any(p.holds(at) for p in parts))


def view_windows_of_change(change: WindowsOfChange) -> TruceWindows:
    before, after = (tuple(_view(*window, None) for window in windows) for windows in (change.before, change.after))
    return TruceWindows(change.truce, before, after)


def _view(window: Window, parts: tuple[WindowSegment, ...], at: int | None) -> WindowView:
    in_effect = [a for a in window.accounts if a.end != a.start]
    ends = [a.end for a in in_effect]
    return WindowView(
        start=format_instant(min(a.start for a in in_effect)),
        end=None if None in ends else format_instant(max(end for end in ends if end is not None)),
        disputed=all(p.disputed for p in parts if at is None or p.holds(at)),
        announcements=tuple(a.announcement for a in window.accounts),
        accounts=view_accounts(window),
        stretches=tuple(
            StretchView(format_instant(p.start), _until(p.end), p.area, p.disputed, p.announcements) for p in parts
        ),
    )


def view_accounts(window: Window) -> tuple[AccountView, ...]:
    return tuple(_account(account) for account in window.accounts)


def _account(account: Account) -> AccountView:
    start, end = format_instant(account.start), _until(account.end)
    return AccountView(start, end, account.announcement, account.issuer, account.area)


def _until(end: int | None) -> str | None:
    return None if end is None else format_instant(end)


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
