"""The registry over HTTP. Source: the contract, "Registry (rules)".

Every answer carries ``Registry-Version`` and an ``ETag``: for one resource the version in which it last changed,
otherwise the registry's. A change may say by ``If-Match`` what it was made from, by ``If-None-Match: *`` that it must
be new, and by ``?dry_run=true`` that it is only to be shown what it would do.
"""

import asyncio
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from schemas.registry import KINDS, Announcement, Document, Kind, Truce
from services.rules import registry_requests as requests
from services.rules.domain.resources import (
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
    truce_at,
    windows_of,
)
from services.rules.registry_desk import (
    Adopt,
    Desk,
    answer,
    find_resource,
    is_known,
    list_page,
    no_such,
    version_headers,
)
from services.rules.registry_use_cases import Author, ChangeRefusedError, FindFlips, Shelf, Snapshot
from services.rules.registry_wire import write_document
from services.shared.clock import Clock
from services.shared.db.engine import Database
from services.shared.http import Page, describe, reply, who

_LISTED: Final[tuple[Kind, ...]] = ("parties", "presence", "areas", "places", "truces")
_AS_OF: Final = {"as_of": "as the registry stood then, in recorded time (RFC 3339)"}
_DRY: Final = {"dry_run": "true: change nothing, answer what would change and which verdicts would flip"}


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
        if is_known(request, snapshot):
            return answer(request, snapshot, None)
        written = msgspec.Raw(await asyncio.to_thread(write_document, snapshot.document))
        return answer(request, snapshot, written)

    @router.put("/v1/registry")
    @describe(
        "Replace the whole registry",
        body=Document,
        body_types=requests.BODY_TYPES,
        answers={200: (Changed, Preview)},
        query=_DRY,
        problems=(412,),
        roles=("operator",),
    )
    async def put_registry(request: Request) -> Response:
        principal = who(request, "operator")
        posted = await requests.document(request)

        def replace(_resources: Resources) -> Resources:
            return split(posted.document)

        author = Author(principal.actor, "registry.replaced", "registry")
        try:
            outcome = await desk.change(request, author, replace, None)
        except ChangeRefusedError:
            raise await asyncio.to_thread(posted.refusal, desk.shelf.current.compiled) from None
        told = outcome.preview or answer_changes(outcome.snapshot.version, outcome.changes)
        return reply(told, 200, version_headers(outcome.snapshot, None))


# --- one resource of a kind


def _add_reads(router: APIRouter, desk: Desk, kind: Kind) -> None:
    @router.get(f"/v1/{kind}", name=f"list_{kind}")
    @describe(f"All {kind}, by id", answers={200: Page, "items": KINDS[kind]}, query=_AS_OF)
    async def list_all(request: Request) -> Response:
        snapshot = await desk.look(request)
        return answer(request, snapshot, list_page(request, snapshot, kind, lambda resource: resource))

    @router.get(f"/v1/{kind}/{{id}}", name=f"get_{kind}")
    @describe(f"One of the {kind}", answers={200: KINDS[kind]}, query=_AS_OF)
    async def get_one(request: Request, id: str) -> Response:
        snapshot = await desk.look(request)
        return answer(request, snapshot, find_resource(snapshot, (kind, id)), (kind, id))


def _add_changes(router: APIRouter, desk: Desk, kind: Kind) -> None:
    @router.put(f"/v1/{kind}/{{id}}", name=f"put_{kind}")
    @describe(
        f"Add or replace one of the {kind}",
        body=KINDS[kind],
        body_types=requests.BODY_TYPES,
        answers={200: (KINDS[kind], Preview), 201: KINDS[kind]},
        query=_DRY,
        problems=(412,),
        roles=("operator",),
    )
    async def put_one(request: Request, id: str) -> Response:
        principal, key = who(request, "operator"), (kind, id)
        resource = await requests.resource(request, kind, id)
        author = Author(principal.actor, f"{kind}.put", f"{kind}/{id}")
        try:
            outcome = await desk.change(request, author, lambda held: put(held, kind, id, resource), key)
        except ChangeRefusedError as error:
            faults = rebase(error.faults, error.document, pointer_of(error.document, key))
            raise requests.refusal(faults) from None
        if outcome.preview is not None:
            return reply(outcome.preview, 200, version_headers(outcome.snapshot, None))
        added = any(change.before is None for change in outcome.changes)
        headers = version_headers(outcome.snapshot, key)
        if added:
            headers["location"] = f"/v1/{kind}/{id}"
        return reply(outcome.snapshot.resources[key], 201 if added else 200, headers)

    @router.delete(f"/v1/{kind}/{{id}}", name=f"delete_{kind}")
    @describe(
        f"Remove one of the {kind} that nothing refers to",
        answers={204: None, 200: Preview},
        query=_DRY,
        roles=("operator",),
        problems=(409, 412),
    )
    async def delete_one(request: Request, id: str) -> Response:
        principal, key = who(request, "operator"), (kind, id)
        author = Author(principal.actor, f"{kind}.deleted", f"{kind}/{id}")
        try:
            outcome = await desk.change(request, author, lambda held: delete(held, kind, id), key)
        except NoSuchResourceError:
            raise no_such(key) from None
        except ChangeRefusedError as error:
            raise requests.conflict(error.faults, error.document) from None
        if outcome.preview is not None:
            return reply(outcome.preview, 200, version_headers(outcome.snapshot, None))
        return Response(status_code=204, headers=version_headers(outcome.snapshot, None))


# --- truces, with their windows


def _add_truces(router: APIRouter, desk: Desk) -> None:
    at_or_as_of = {"at": "each with the windows that are in force then (RFC 3339)", **_AS_OF}

    @router.get("/v1/truces")
    @describe("All truces, by id", answers={200: Page, "items": TruceAt}, query=at_or_as_of)
    async def list_truces(request: Request) -> Response:
        at = requests.instant(request, "at")
        snapshot = await desk.look(request)
        page = await asyncio.to_thread(list_page, request, snapshot, "truces", lambda truce: _seen(truce, snapshot, at))
        return answer(request, snapshot, page)

    @router.get("/v1/truces/{id}/windows")
    @describe("Every window of a truce, derived", answers={200: list[WindowView]}, query=_AS_OF)
    async def list_windows(request: Request, id: str) -> Response:
        snapshot = await desk.look(request)
        find_resource(snapshot, ("truces", id))
        windows = await asyncio.to_thread(windows_of, snapshot.registry.truces[id], snapshot.registry)
        return answer(request, snapshot, windows)

    @router.get("/v1/truces/{id}")
    @describe("One truce", answers={200: TruceAt}, query=at_or_as_of)
    async def get_truce(request: Request, id: str) -> Response:
        at = requests.instant(request, "at")
        snapshot = await desk.look(request)
        # Windows depend on the areas too, which the truce's own version does not tell.
        key: Key | None = ("truces", id) if at is None else None
        truce = await asyncio.to_thread(_seen, find_resource(snapshot, ("truces", id)), snapshot, at)
        return answer(request, snapshot, truce, key)

    @router.post("/v1/truces/{id}/announcements")
    @describe(
        "Add an announcement to a truce",
        body=Announcement,
        body_types=requests.BODY_TYPES,
        answers={201: Announced, 200: Preview},
        query=_DRY,
        problems=(412,),
        roles=("operator",),
    )
    async def post_announcement(request: Request, id: str) -> Response:
        principal = who(request, "operator")
        said = await requests.announcement(request)
        author = Author(principal.actor, "truces.announced", f"truces/{id}")
        try:
            outcome = await desk.change(request, author, lambda held: announce(held, id, said), ("truces", id))
        except NoSuchResourceError:
            raise no_such(("truces", id)) from None
        except ChangeRefusedError as error:
            raise requests.refusal(_faults_of_last(error, id)) from None
        if outcome.preview is not None:
            return reply(outcome.preview, 200, version_headers(outcome.snapshot, None))
        registry = outcome.snapshot.registry
        windows = await asyncio.to_thread(windows_of, registry.truces[id], registry)
        told = Announced(registry.version, id, said.id, windows)
        headers = {**version_headers(outcome.snapshot, ("truces", id)), "location": f"/v1/truces/{id}"}
        return reply(told, 201, headers)


def _seen(truce: Any, snapshot: Snapshot, at: int | None) -> Truce:
    assert isinstance(truce, Truce)
    return truce if at is None else truce_at(truce, snapshot.registry, at)


def _faults_of_last(error: ChangeRefusedError, truce_id: str) -> Any:
    """Faults of a truce's last announcement as faults of that announcement."""
    truce = next(truce for truce in error.document.truces if truce.id == truce_id)
    head = pointer_of(error.document, ("truces", truce_id))
    return rebase(error.faults, error.document, f"{head}/announcements/{len(truce.announcements) - 1}")
