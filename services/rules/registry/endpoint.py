"""Handles requests about the registry: read, change, answer with ETags. Routes: ``registry.api``."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from fastapi import Request
from starlette.responses import Response

from schemas.registry import KINDS, Announcement, Kind
from services.platform.clock import Clock
from services.platform.http.lists import Listing, Page, cursor_after, make_page, read_list
from services.platform.http.problems import Problem
from services.platform.http.query import read_flag
from services.platform.http.reply import reply
from services.platform.paging import page_items
from services.rules.registry import request_parsing
from services.rules.registry.answers import ChangeAnswer, ChangePreview, TruceAt, answer_preview
from services.rules.registry.domain.resources import Key, ResourceChange
from services.rules.registry.use_cases import (
    Author,
    Edit,
    FindFlips,
    FindReach,
    PreconditionFailedError,
    RegistryCache,
    RegistryStore,
    Snapshot,
    change_registry,
    preview_change,
    read_registry,
)

#: A page ends with the resource that makes it longer than this.
MAX_PAGE_BYTES: Final = 4 * 1024 * 1024

Adopt = Callable[[Snapshot], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class RegistryEndpoint:
    """The parts that the routes work with. ``adopt`` is told of each new version before its request is answered."""

    store: RegistryStore
    cache: RegistryCache
    clock: Clock
    find_flips: FindFlips
    adopt: Adopt
    find_reach: FindReach

    async def read(self, request: Request) -> Snapshot:
        return await read_registry(self.store, self.cache, request_parsing.instant(request, "as_of"))

    async def change(
        self, request: Request, author: Author, edit: Edit, key: Key | None, said: Announcement | None = None
    ) -> "ChangeOutcome":
        """``said``: the announcement that ``edit`` adds. Raises Problem 412 where the request was made from another
        version; what ``edit`` raises."""
        expected = request_parsing.precondition(request, lambda snapshot: tag_version(snapshot, key))
        if read_flag(request, "dry_run"):
            effect = await preview_change(self.store, self.cache, edit, self.find_flips)
            if not expected(effect.before):
                raise _changed_meanwhile(effect.before)
            return ChangeOutcome(effect.before, list(effect.changes), answer_preview(effect, said))
        try:
            snapshot, changes = await change_registry(
                self.store, self.cache, self.clock, author, edit, expected, self.find_reach
            )
        except PreconditionFailedError:
            raise _changed_meanwhile(self.cache.current) from None
        if changes:
            await self.adopt(snapshot)
        return ChangeOutcome(snapshot, changes, None)


def _changed_meanwhile(held: Snapshot) -> Problem:
    detail = (
        f"If-Match or If-None-Match does not match; the registry is at version {held.version}. Nothing was changed."
    )
    return Problem(412, "Changed meanwhile", detail)


@dataclass(frozen=True, slots=True)
class ChangeOutcome:
    """The snapshot after a change, and what differs; ``preview`` is the answer to a dry run."""

    snapshot: Snapshot
    changes: list[ResourceChange]
    preview: ChangePreview | None

    @property
    def reassessment(self) -> str | None:
        return self.snapshot.reassessment if self.changes else None

    def answer(self, key: Key) -> ChangeAnswer:
        """The answer to a change of one resource."""
        return ChangeAnswer(self.snapshot.version, self.reassessment, self.snapshot.resources.get(key))


def find_resource(snapshot: Snapshot, key: Key) -> Any:
    if key not in snapshot.resources:
        raise no_such(key)
    return snapshot.resources[key]


def no_such(key: Key) -> Problem:
    return Problem(404, "Not found", f"There is no {'/'.join(key)}.")


def list_page(request: Request, snapshot: Snapshot, kind: Kind, show: Callable[[Any], Any]) -> Page:
    """One page, shorter than asked for where its resources are long."""
    query, length = read_list(request, listing_of(kind)), 0
    ids = page_items([id for k, id in snapshot.resources if k == kind], query, lambda id: (id,))
    page = make_page(query, ids, lambda id: (id,))
    items: list[msgspec.Raw] = []
    for id in page.items:
        items.append(msgspec.Raw(msgspec.json.encode(show(snapshot.resources[kind, id]))))
        length += len(items[-1])
        if length > MAX_PAGE_BYTES and id != page.items[-1]:
            return Page(items, cursor_after(query, (id,)), has_more=True)
    return Page(items, page.next, page.has_more)


def listing_of(kind: Kind) -> Listing:
    """The list of the resources of a kind."""
    return Listing(TruceAt if kind == "truces" else KINDS[kind], orders=("id", "-id"), key=(str,))


def tag_version(snapshot: Snapshot, key: Key | None) -> int | None:
    """The version that an ETag names: the registry's, or the one in which a resource last changed (None: it is not)."""
    if key is None:
        return snapshot.version
    return snapshot.versions[key] if key in snapshot.resources else None


def version_headers(snapshot: Snapshot, key: Key | None) -> dict[str, str]:
    return {
        "registry-version": str(snapshot.version),
        "etag": f'"{tag_version(snapshot, key)}"',
        "cache-control": "private, no-cache",
    }


def is_known(request: Request, snapshot: Snapshot, key: Key | None = None) -> bool:
    """Whether the client has this version already."""
    return version_headers(snapshot, key)["etag"] in request_parsing.tags(request, "if-none-match")


def answer(request: Request, snapshot: Snapshot, value: Any, key: Key | None = None) -> Response:
    headers = version_headers(snapshot, key)
    if is_known(request, snapshot, key):
        return Response(status_code=304, headers=headers)
    return reply(value, 200, headers)
