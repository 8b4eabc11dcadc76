"""The registry over HTTP. Source: the contract, "Registry (rules)".

Every answer carries ``Registry-Version`` and an ``ETag``: for one resource the version in which it last changed,
otherwise the registry's. A change may say by ``If-Match`` what it was made from, by ``If-None-Match: *`` that it must
be new, and by ``?dry_run=true`` that it is only to be shown what it would do.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from schemas.registry import KINDS, Announcement, Document, Kind, Truce
from services.rules import registry_requests as requests
from services.rules.domain.resources import (
    Change,
    Key,
    NoSuchResourceError,
    Resources,
    announce,
    delete,
    pointer_of,
    put,
    rebase,
    split,
)
from services.rules.registry_answers import (
    Announced,
    Changed,
    Preview,
    TruceAt,
    WindowView,
    answer_changes,
    answer_preview,
    truce_at,
    windows_of,
)
from services.rules.registry_use_cases import (
    Author,
    ChangeRefusedError,
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
from services.shared.http import Page, Problem, decode_cursor, describe, make_page, page_size, reply, who

_LISTED: Final[tuple[Kind, ...]] = ("parties", "presence", "areas", "places", "truces")
_AS_OF: Final = {"as_of": "as the registry stood then, in recorded time (RFC 3339)"}
_DRY: Final = {"dry_run": "true: change nothing, answer what would change and which verdicts would flip"}

Adopt = Callable[[Snapshot], Awaitable[None]]
Endpoint = Callable[..., Awaitable[Response]]


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
        expected = requests.precondition(request, lambda snapshot: _tag_version(snapshot, key))
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


async def _adopt_nothing(_snapshot: Snapshot) -> None:
    return None


def build_registry_router(
    database: Database, shelf: Shelf, clock: Clock, find_flips: FindFlips, adopt: Adopt = _adopt_nothing
) -> APIRouter:
    """Every route of the registry. ``shelf`` is the process's own, shared with whoever judges."""
    desk = Desk(database, shelf, clock, find_flips, adopt)
    router = APIRouter(tags=["registry"])
    _add_document(router, desk)
    _add_truces(router, desk)
    for kind in _LISTED:
        if kind != "truces":
            _add_reads(router, desk, kind)
        _add_changes(router, desk, kind)
    return router


# --- the whole document


def _add_document(router: APIRouter, desk: Desk) -> None:
    @router.get("/v1/registry")
    @describe("The whole registry as one document", answers={200: Document}, query=_AS_OF)
    async def get_registry(request: Request) -> Response:
        snapshot = await desk.look(request)
        return _answer(request, snapshot, snapshot.document)

    @router.put("/v1/registry")
    @describe(
        "Replace the whole registry",
        body=Document,
        body_types=requests.BODY_TYPES,
        answers={200: Changed},
        query=_DRY,
        roles=("operator",),
    )
    async def put_registry(request: Request) -> Response:
        principal = who(request, "operator")
        posted = await requests.document(request)

        def replace(_resources: Resources) -> Resources:
            return split(posted.document)

        author = Author(principal.name, "registry.replaced", "registry")
        try:
            outcome = await desk.change(request, author, replace, None)
        except ChangeRefusedError:
            raise posted.refusal(desk.shelf.current.compiled) from None
        answer = outcome.preview or answer_changes(outcome.snapshot.version, outcome.changes)
        return reply(answer, 200, _headers(outcome.snapshot, None))


# --- one resource of a kind


def _add_reads(router: APIRouter, desk: Desk, kind: Kind) -> None:
    @router.get(f"/v1/{kind}", name=f"list_{kind}")
    @describe(f"All {kind}, by id", answers={200: Page, "items": KINDS[kind]}, query=_AS_OF)
    async def list_all(request: Request) -> Response:
        snapshot = await desk.look(request)
        return _answer(request, snapshot, _page(request, snapshot, kind, lambda resource: resource))

    @router.get(f"/v1/{kind}/{{id}}", name=f"get_{kind}")
    @describe(f"One of the {kind}", answers={200: KINDS[kind]}, query=_AS_OF)
    async def get_one(request: Request, id: str) -> Response:
        snapshot = await desk.look(request)
        return _answer(request, snapshot, _found(snapshot, (kind, id)), (kind, id))


def _add_changes(router: APIRouter, desk: Desk, kind: Kind) -> None:
    @router.put(f"/v1/{kind}/{{id}}", name=f"put_{kind}")
    @describe(
        f"Add or replace one of the {kind}",
        body=KINDS[kind],
        body_types=requests.BODY_TYPES,
        answers={200: KINDS[kind], 201: KINDS[kind]},
        query=_DRY,
        roles=("operator",),
    )
    async def put_one(request: Request, id: str) -> Response:
        principal, key = who(request, "operator"), (kind, id)
        resource = await requests.resource(request, kind, id)
        author = Author(principal.name, f"{kind}.put", f"{kind}/{id}")
        try:
            outcome = await desk.change(request, author, lambda held: put(held, kind, id, resource), key)
        except ChangeRefusedError as error:
            faults = rebase(error.faults, error.document, pointer_of(error.document, key))
            raise requests.refusal(faults) from None
        if outcome.preview is not None:
            return reply(outcome.preview, 200, _headers(outcome.snapshot, None))
        added = any(change.before is None for change in outcome.changes)
        headers = _headers(outcome.snapshot, key)
        if added:
            headers["location"] = f"/v1/{kind}/{id}"
        return reply(outcome.snapshot.resources[key], 201 if added else 200, headers)

    @router.delete(f"/v1/{kind}/{{id}}", name=f"delete_{kind}")
    @describe(f"Remove one of the {kind} that nothing refers to", answers={204: None}, query=_DRY, roles=("operator",))
    async def delete_one(request: Request, id: str) -> Response:
        principal, key = who(request, "operator"), (kind, id)
        author = Author(principal.name, f"{kind}.deleted", f"{kind}/{id}")
        try:
            outcome = await desk.change(request, author, lambda held: delete(held, kind, id), key)
        except NoSuchResourceError:
            raise _nothing(key) from None
        except ChangeRefusedError as error:
            raise requests.conflict(error.faults, error.document) from None
        if outcome.preview is not None:
            return reply(outcome.preview, 200, _headers(outcome.snapshot, None))
        return Response(status_code=204, headers=_headers(outcome.snapshot, None))


# --- truces, with their windows


def _add_truces(router: APIRouter, desk: Desk) -> None:
    at_or_as_of = {"at": "each with the windows that are in force then (RFC 3339)", **_AS_OF}

    @router.get("/v1/truces")
    @describe("All truces, by id", answers={200: Page, "items": TruceAt}, query=at_or_as_of)
    async def list_truces(request: Request) -> Response:
        at = requests.instant(request, "at")
        snapshot = await desk.look(request)
        return _answer(request, snapshot, _page(request, snapshot, "truces", lambda t: _seen(t, snapshot, at)))

    @router.get("/v1/truces/{id}/windows")
    @describe("Every window of a truce, derived", answers={200: list[WindowView]}, query=_AS_OF)
    async def list_windows(request: Request, id: str) -> Response:
        snapshot = await desk.look(request)
        _found(snapshot, ("truces", id))
        return _answer(request, snapshot, windows_of(snapshot.registry.truces[id], snapshot.registry), ("truces", id))

    @router.get("/v1/truces/{id}")
    @describe("One truce", answers={200: TruceAt}, query=at_or_as_of)
    async def get_truce(request: Request, id: str) -> Response:
        at = requests.instant(request, "at")
        snapshot = await desk.look(request)
        return _answer(request, snapshot, _seen(_found(snapshot, ("truces", id)), snapshot, at), ("truces", id))

    @router.post("/v1/truces/{id}/announcements")
    @describe(
        "Add an announcement to a truce",
        body=Announcement,
        body_types=requests.BODY_TYPES,
        answers={201: Announced},
        query=_DRY,
        roles=("operator",),
    )
    async def post_announcement(request: Request, id: str) -> Response:
        principal = who(request, "operator")
        said = await requests.announcement(request)
        author = Author(principal.name, "truces.announced", f"truces/{id}")
        try:
            outcome = await desk.change(request, author, lambda held: announce(held, id, said), ("truces", id))
        except NoSuchResourceError:
            raise _nothing(("truces", id)) from None
        except ChangeRefusedError as error:
            raise requests.refusal(_faults_of_last(error, id)) from None
        if outcome.preview is not None:
            return reply(outcome.preview, 200, _headers(outcome.snapshot, None))
        registry = outcome.snapshot.registry
        answer = Announced(registry.version, id, said.id, windows_of(registry.truces[id], registry))
        headers = {**_headers(outcome.snapshot, ("truces", id)), "location": f"/v1/truces/{id}"}
        return reply(answer, 201, headers)


def _seen(truce: Any, snapshot: Snapshot, at: int | None) -> Truce:
    assert isinstance(truce, Truce)
    return truce if at is None else truce_at(truce, snapshot.registry, at)


def _faults_of_last(error: ChangeRefusedError, truce_id: str) -> Any:
    """Faults of a truce's last announcement as faults of that announcement."""
    truce = next(truce for truce in error.document.truces if truce.id == truce_id)
    head = pointer_of(error.document, ("truces", truce_id))
    return rebase(error.faults, error.document, f"{head}/announcements/{len(truce.announcements) - 1}")


# --- answers


def _found(snapshot: Snapshot, key: Key) -> Any:
    if key not in snapshot.resources:
        raise _nothing(key)
    return snapshot.resources[key]


def _nothing(key: Key) -> Problem:
    return Problem(404, "Not found", f"There is no {'/'.join(key)}.")


def _page(request: Request, snapshot: Snapshot, kind: Kind, show: Callable[[Any], Any]) -> Page:
    limit, cursor = page_size(request), decode_cursor(request, str)
    after = "" if cursor is None else str(cursor[0])
    ids = sorted(id for k, id in snapshot.resources if k == kind and id > after)[: limit + 1]
    page = make_page(ids, limit, lambda id: (id,))
    items = [show(snapshot.resources[kind, id]) for id in page.items]
    return Page(items, page.next, page.has_more)


def _tag_version(snapshot: Snapshot, key: Key | None) -> int | None:
    """The version that an ETag names: the registry's, or the one in which a resource last changed (None: it is not)."""
    if key is None:
        return snapshot.version
    return snapshot.versions[key] if key in snapshot.resources else None


def _headers(snapshot: Snapshot, key: Key | None) -> dict[str, str]:
    return {
        "registry-version": str(snapshot.version),
        "etag": f'"{_tag_version(snapshot, key)}"',
        "cache-control": "private, no-cache",
    }


def _answer(request: Request, snapshot: Snapshot, value: Any, key: Key | None = None) -> Response:
    headers = _headers(snapshot, key)
    if headers["etag"] in requests.tags(request, "if-none-match"):
        return Response(status_code=304, headers=headers)
    return reply(value, 200, headers)
