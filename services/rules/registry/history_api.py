"""The history of the registry over HTTP: every version, and every change of one resource."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

import msgspec
from fastapi import APIRouter, Request
from msgspec import UNSET, UnsetType
from starlette.responses import Response

from schemas.causes import Actor
from schemas.instants import format_instant
from schemas.registry import Kind
from services.platform.http.describe import describe
from services.platform.http.lists import Listing, Page, make_page, read_list
from services.platform.http.reply import reply
from services.platform.paging import PageQuery
from services.rules.judging.model import Period, Window
from services.rules.registry import request_parsing
from services.rules.registry.answers import AccountView, ChangeView, view_accounts
from services.rules.registry.domain.field_changes import changed_fields
from services.rules.registry.domain.resources import Op
from services.rules.registry.endpoint import no_such
from services.rules.registry.history import (
    RecordedChange,
    RecordedVersion,
    RegistryHistory,
    VersionRecord,
    valid_time,
    windows_of,
)
from services.rules.registry.sql_history import MAX_CHANGES

T = TypeVar("T", RecordedVersion, RecordedChange)
_AS_OF: Final = {"as_of": "only what was recorded by then (RFC 3339)"}


class RecordedView(msgspec.Struct, frozen=True):
    """One version: its author, the author's reason, and the action (null in versions from before they were kept)."""

    registry_version: int
    recorded_at: str
    by: Actor
    action: str | None
    reason: str | None


class VersionView(RecordedView, frozen=True, kw_only=True):
    """The first 100 changes of one version, and how many there are."""

    changes: list[ChangeView]
    change_count: int


class FieldChangeView(msgspec.Struct, frozen=True):
    """``field`` names items by their ids (``/announcements/us-0506``); empty for the whole resource. ``before`` and
    ``after`` are left out where there is no such value."""

    field: str
    before: Any = UNSET
    after: Any = UNSET


class ValidTimeView(msgspec.Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """The time of the incidents that a change is about, half-open; null is open."""

    start: str | None
    end: str | None


class WindowsView(msgspec.Struct, frozen=True):
    """The accounts of each window before and after a change, as the truce's announcements alone say."""

    before: list[tuple[AccountView, ...]]
    after: list[tuple[AccountView, ...]]


class ResourceVersionView(RecordedView, frozen=True, kw_only=True):
    """One change of one resource. ``valid``: null where no time of incidents is touched. ``windows``: of a truce."""

    op: Op
    changes: list[FieldChangeView]
    valid: ValidTimeView | None
    windows: WindowsView | UnsetType = UNSET


_VERSIONS: Final = Listing(VersionView, orders=("-version", "version"), key=(int,), times="versions recorded then")
_CHANGES: Final = Listing(ResourceVersionView, orders=("-version", "version"), key=(int,), times=_VERSIONS.times)


def add_history(router: APIRouter, history: RegistryHistory) -> None:
    @router.get("/v1/registry/history")
    @describe("Every version of the registry, the newest first", lists=_VERSIONS, query=_AS_OF)
    async def get_versions(request: Request) -> Response:
        query = _read_query(request, _VERSIONS)
        return reply(_page(query, await history.versions(query), _view_version))


def add_history_of(router: APIRouter, history: RegistryHistory, kind: Kind) -> None:
    @router.get(f"/v1/{kind}/{{id}}/history", name=f"history_of_{kind}")
    @describe(
        f"Every change of one of the {kind}, the newest first; at most {MAX_CHANGES} at once",
        lists=_CHANGES,
        query=_AS_OF,
    )
    async def get_changes(request: Request, id: str) -> Response:
        query = _read_query(request, _CHANGES)
        found = await history.changes_of((kind, id), query)
        if not found and not await history.changes_of((kind, id), PageQuery(limit=1)):
            raise no_such((kind, id))
        return reply(_page(replace(query, limit=min(query.limit, MAX_CHANGES)), found, _view_change))


def _read_query(request: Request, listing: Listing) -> PageQuery:
    query, as_of = read_list(request, listing), request_parsing.instant(request, "as_of")
    if as_of is None:
        return query
    return replace(query, end=as_of + 1 if query.end is None else min(query.end, as_of + 1))


def _page(query: PageQuery, found: Sequence[T], view: Any) -> Page:
    return make_page(query, found, lambda one: (one.recorded.version,), view)


def _view_version(one: RecordedVersion) -> VersionView:
    changes = [ChangeView("/".join(key), op) for key, op in one.changes]
    return VersionView(*_view_recorded(one.recorded), changes=changes, change_count=one.count)


def _view_change(one: RecordedChange) -> ResourceVersionView:
    period, kind = valid_time(one), one.change.key[0]
    return ResourceVersionView(
        *_view_recorded(one.recorded),
        op=one.change.op,
        changes=[FieldChangeView(c.field, c.before, c.after) for c in changed_fields(one.change)],
        valid=None if period is None else _view_period(period),
        windows=_view_windows(one) if kind == "truces" else UNSET,
    )


def _view_recorded(recorded: VersionRecord) -> tuple[int, str, Actor, str | None, str | None]:
    at = format_instant(recorded.recorded_at)
    return recorded.version, at, recorded.by, recorded.action, recorded.reason


def _view_period(period: Period) -> ValidTimeView:
    return ValidTimeView(*(None if at is None else format_instant(at) for at in (period.start, period.end)))


def _view_windows(one: RecordedChange) -> WindowsView:
    def view(windows: tuple[Window, ...]) -> list[tuple[AccountView, ...]]:
        return [view_accounts(window) for window in windows]

    windows = windows_of(one)
    return WindowsView(view(windows.before), view(windows.after))
