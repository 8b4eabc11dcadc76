"""The desk at which requests about the registry are handled: look, change, answer. Routes: ``registry_api``."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from fastapi import Request
from starlette.responses import Response

from schemas.registry import Kind
from services.rules import registry_requests as requests
from services.rules.domain.resources import Change, Key
from services.rules.registry_answers import Preview, answer_preview
from services.rules.registry_use_cases import (
    Author,
    Edit,
    FindFlips,
    PreconditionFailedError,
    Shelf,
    Snapshot,
    change_registry,
    preview_change,
    read_registry,
)
from services.shared.clock import Clock
from services.shared.db.engine import Database
from services.shared.http import Page, Problem, decode_cursor, encode_cursor, make_page, page_size, reply, who

#: A page ends with the resource that makes it longer than this.
MAX_PAGE_BYTES: Final = 4 * 1024 * 1024

Adopt = Callable[[Snapshot], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Desk:
    """What the routes work with. ``adopt`` is told of each new version before its request is answered."""

    database: Database
    shelf: Shelf
    clock: Clock
    find_flips: FindFlips
    adopt: Adopt

    async def look(self, request: Request) -> Snapshot:
        who(request)
        return await read_registry(self.database, self.shelf, requests.instant(request, "as_of"))

    async def change(self, request: Request, author: Author, edit: Edit, key: Key | None) -> "Outcome":
        """Raises Problem 412 where the request was made from another version; what ``edit`` raises."""
        if requests.flag(request, "dry_run"):
            held = await read_registry(self.database, self.shelf)
            changes, flips, count = await preview_change(self.database, self.shelf, edit, self.find_flips)
            return Outcome(held, changes, answer_preview(changes, flips, count))
        expected = requests.precondition(request, lambda snapshot: tag_version(snapshot, key))
        try:
            snapshot, changes = await change_registry(self.database, self.shelf, self.clock, author, edit, expected)
        except PreconditionFailedError:
            raise Problem(412, "Changed meanwhile", "If-Match or If-None-Match does not fit what stands.") from None
        if changes:
            await self.adopt(snapshot)
        return Outcome(snapshot, changes, None)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What stands after a change, what differs; ``preview`` is the answer to a dry run."""

    snapshot: Snapshot
    changes: list[Change]
    preview: Preview | None


def find_resource(snapshot: Snapshot, key: Key) -> Any:
    if key not in snapshot.resources:
        raise no_such(key)
    return snapshot.resources[key]


def no_such(key: Key) -> Problem:
    return Problem(404, "Not found", f"There is no {'/'.join(key)}.")


def list_page(request: Request, snapshot: Snapshot, kind: Kind, show: Callable[[Any], Any]) -> Page:
    """One page, shorter than asked for where its resources are long."""
    limit, cursor, length = page_size(request), decode_cursor(request, str), 0
    after = "" if cursor is None else str(cursor[0])
    ids = sorted(id for k, id in snapshot.resources if k == kind and id > after)[: limit + 1]
    page = make_page(ids, limit, lambda id: (id,))
    items: list[msgspec.Raw] = []
    for id in page.items:
        items.append(msgspec.Raw(msgspec.json.encode(show(snapshot.resources[kind, id]))))
        length += len(items[-1])
        if length > MAX_PAGE_BYTES and id != page.items[-1]:
            return Page(items, encode_cursor(id), has_more=True)
    return Page(items, page.next, page.has_more)


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
    return version_headers(snapshot, key)["etag"] in requests.tags(request, "if-none-match")


def answer(request: Request, snapshot: Snapshot, value: Any, key: Key | None = None) -> Response:
    headers = version_headers(snapshot, key)
    if is_known(request, snapshot, key):
        return Response(status_code=304, headers=headers)
    return reply(value, 200, headers)
