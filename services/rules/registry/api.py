"""The registry over HTTP. Source: the contract, "Registry (rules)".

Every answer carries ``Registry-Version`` and an ``ETag``: for one resource the version in which it last changed,
otherwise the registry's. A change may say by ``If-Match`` what it was made from, by ``If-None-Match: *`` that it must
be new, and by ``?dry_run=true`` that it is only to be shown what it would do.
"""

import asyncio
from functools import partial
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from schemas.registry import KINDS, Announcement, Document, Kind, Truce
from services.platform.clock import Clock
from services.platform.http.describe import describe
from services.platform.http.reply import reply
from services.platform.http.routes import make_router, principal_of
from services.rules.judging.model import CompiledRegistry
from services.rules.registry import request_parsing
from services.rules.registry.answers import (
    AnnouncementAdded,
    ChangeAnswer,
    ChangePreview,
    ChangeView,
    RegistryUpdated,
    TruceAt,
    WindowView,
    truce_at,
    windows_of,
)
from services.rules.registry.domain.resources import (
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
from services.rules.registry.endpoint import (
    Adopt,
    RegistryEndpoint,
    answer,
    find_resource,
    is_known,
    list_page,
    listing_of,
    no_such,
    version_headers,
)
from services.rules.registry.history import RegistryHistory
from services.rules.registry.history_api import add_history, add_history_of
from services.rules.registry.use_cases import (
    Author,
    ChangeRefusedError,
    FindFlips,
    FindReach,
    RegistryCache,
    RegistryStore,
    Snapshot,
)
from services.rules.registry.wire import write_document

_LISTED: Final[tuple[Kind, ...]] = ("parties", "presence", "areas", "places", "truces")
_AS_OF: Final = {"as_of": "as the registry stood then, in recorded time (RFC 3339)"}
_CHANGE: Final = {
    "dry_run": "true: change nothing, answer what would change and which verdicts would flip",
    "reason": "why: kept in the history and the audit, and told with every message that the change causes",
}


async def _adopt_nothing(_snapshot: Snapshot) -> None:
    return None


def _finds_nothing(_before: CompiledRegistry, _after: CompiledRegistry) -> bytes | None:
    return None


def build_registry_router(
    store: RegistryStore,
    cache: RegistryCache,
    clock: Clock,
    find_flips: FindFlips,
    history: RegistryHistory,
    adopt: Adopt = _adopt_nothing,
    find_reach: FindReach = _finds_nothing,
) -> APIRouter:
    """Every route of the registry. ``cache`` is the process's own, shared with the judge."""
    endpoint = RegistryEndpoint(store, cache, clock, find_flips, adopt, find_reach)
    router = make_router("registry")
    _add_document(router, endpoint)
    add_history(router, history)
    _add_truces(router, endpoint)
    _add_announcing(router, endpoint)
    for kind in _LISTED:
        if kind != "truces":
            _add_reads(router, endpoint, kind)
        _add_changes(router, endpoint, kind)
        add_history_of(router, history, kind)
    return router


# --- the whole document


def _add_document(router: APIRouter, endpoint: RegistryEndpoint) -> None:
    @router.get("/v1/registry")
    @describe("The whole registry as one document", answers={200: Document}, query=_AS_OF)
    async def get_registry(request: Request) -> Response:
        snapshot = await endpoint.read(request)
        if is_known(request, snapshot):
            return answer(request, snapshot, None)
        written = msgspec.Raw(await asyncio.to_thread(write_document, snapshot.document))
        return answer(request, snapshot, written)

    @router.put("/v1/registry")
    @describe(
        "Replace the whole registry",
        body=Document,
        body_types=request_parsing.BODY_TYPES,
        answers={200: (RegistryUpdated, ChangePreview)},
        query=_CHANGE,
        problems=(412,),
        roles=("operator",),
    )
    async def put_registry(request: Request) -> Response:
        principal = principal_of(request)
        posted = await request_parsing.document(request)

        def replace(_resources: Resources) -> Resources:
            return split(posted.document)

        author = Author(principal.actor, "registry.replaced", "registry", request_parsing.reason(request))
        try:
            outcome = await endpoint.change(request, author, replace, None)
        except ChangeRefusedError:
            raise await asyncio.to_thread(posted.refusal, endpoint.cache.current.compiled) from None
        changes = [ChangeView("/".join(change.key), change.op) for change in outcome.changes]
        told = outcome.preview or RegistryUpdated(outcome.snapshot.version, outcome.reassessment, None, changes)
        return reply(told, 200, version_headers(outcome.snapshot, None))


# --- one resource of a kind


def _add_reads(router: APIRouter, endpoint: RegistryEndpoint, kind: Kind) -> None:
    @router.get(f"/v1/{kind}", name=f"list_{kind}")
    @describe(f"All {kind}, by id", lists=listing_of(kind), query=_AS_OF)
    async def list_all(request: Request) -> Response:
        snapshot = await endpoint.read(request)
        return answer(request, snapshot, list_page(request, snapshot, kind, lambda resource: resource))

    @router.get(f"/v1/{kind}/{{id}}", name=f"get_{kind}")
    @describe(f"One of the {kind}", answers={200: KINDS[kind]}, query=_AS_OF)
    async def get_one(request: Request, id: str) -> Response:
        snapshot = await endpoint.read(request)
        return answer(request, snapshot, find_resource(snapshot, (kind, id)), (kind, id))


def _add_changes(router: APIRouter, endpoint: RegistryEndpoint, kind: Kind) -> None:
    @router.put(f"/v1/{kind}/{{id}}", name=f"put_{kind}")
    @describe(
        f"Add or replace one of the {kind}",
        body=KINDS[kind],
        body_types=request_parsing.BODY_TYPES,
        answers={200: (ChangeAnswer, ChangePreview), 201: ChangeAnswer},
        query=_CHANGE,
        problems=(412,),
        roles=("operator",),
    )
    async def put_one(request: Request, id: str) -> Response:
        principal, key = principal_of(request), (kind, id)
        resource = await request_parsing.resource(request, kind, id)
        author = Author(principal.actor, f"{kind}.put", f"{kind}/{id}", request_parsing.reason(request))
        try:
            outcome = await endpoint.change(request, author, lambda held: put(held, kind, id, resource), key)
        except ChangeRefusedError as error:
            faults = rebase(error.faults, error.document, pointer_of(error.document, key))
            raise request_parsing.refusal(faults) from None
        if outcome.preview is not None:
            return reply(outcome.preview, 200, version_headers(outcome.snapshot, None))
        added = any(change.before is None for change in outcome.changes)
        headers = version_headers(outcome.snapshot, key)
        if added:
            headers["location"] = f"/v1/{kind}/{id}"
        return reply(outcome.answer(key), 201 if added else 200, headers)

    @router.delete(f"/v1/{kind}/{{id}}", name=f"delete_{kind}")
    @describe(
        f"Remove one of the {kind} that nothing refers to",
        answers={200: (ChangeAnswer, ChangePreview)},
        query=_CHANGE,
        roles=("operator",),
        problems=(409, 412),
    )
    async def delete_one(request: Request, id: str) -> Response:
        principal, key = principal_of(request), (kind, id)
        author = Author(principal.actor, f"{kind}.deleted", f"{kind}/{id}", request_parsing.reason(request))
        try:
            outcome = await endpoint.change(request, author, lambda held: delete(held, kind, id), key)
        except NoSuchResourceError:
            raise no_such(key) from None
        except ChangeRefusedError as error:
            raise request_parsing.conflict(error.faults, error.document) from None
        return reply(outcome.preview or outcome.answer(key), 200, version_headers(outcome.snapshot, None))


# --- truces, with their windows


def _add_truces(router: APIRouter, endpoint: RegistryEndpoint) -> None:
    at_or_as_of = {"at": "each with the windows that are in force then (RFC 3339)", **_AS_OF}
    at_or_as_of["as_of"] += "; without at, each with all its windows"

    @router.get("/v1/truces")
    @describe("All truces, by id", lists=listing_of("truces"), query=at_or_as_of)
    async def list_truces(request: Request) -> Response:
        at = request_parsing.instant(request, "at")
        snapshot = await endpoint.read(request)
        show = partial(_seen, request, snapshot, at)
        page = await asyncio.to_thread(list_page, request, snapshot, "truces", show)
        return answer(request, snapshot, page)

    @router.get("/v1/truces/{id}/windows")
    @describe("Every window of a truce, derived", answers={200: list[WindowView]}, query=_AS_OF)
    async def list_windows(request: Request, id: str) -> Response:
        snapshot = await endpoint.read(request)
        find_resource(snapshot, ("truces", id))
        windows = await asyncio.to_thread(windows_of, snapshot.registry.truces[id], snapshot.registry)
        return answer(request, snapshot, windows)

    @router.get("/v1/truces/{id}")
    @describe("One truce", answers={200: TruceAt}, query=at_or_as_of)
    async def get_truce(request: Request, id: str) -> Response:
        at = request_parsing.instant(request, "at")
        snapshot = await endpoint.read(request)
        # Windows depend on the areas too, which the truce's own version does not reflect.
        key: Key | None = None if _shows_windows(request, at) else ("truces", id)
        truce = await asyncio.to_thread(_seen, request, snapshot, at, find_resource(snapshot, ("truces", id)))
        return answer(request, snapshot, truce, key)


def _add_announcing(router: APIRouter, endpoint: RegistryEndpoint) -> None:
    @router.post("/v1/truces/{id}/announcements")
    @describe(
        "Add an announcement to a truce",
        body=Announcement,
        body_types=request_parsing.BODY_TYPES,
        answers={201: AnnouncementAdded, 200: ChangePreview},
        query=_CHANGE,
        problems=(412,),
        roles=("operator",),
    )
    async def post_announcement(request: Request, id: str) -> Response:
        principal = principal_of(request)
        said = await request_parsing.announcement(request)
        author = Author(principal.actor, "truces.announced", f"truces/{id}", request_parsing.reason(request))
        try:
            outcome = await endpoint.change(
                request, author, lambda held: announce(held, id, said), ("truces", id), said
            )
        except NoSuchResourceError:
            raise no_such(("truces", id)) from None
        except ChangeRefusedError as error:
            raise request_parsing.refusal(_faults_of_last(error, id)) from None
        if outcome.preview is not None:
            return reply(outcome.preview, 200, version_headers(outcome.snapshot, None))
        registry = outcome.snapshot.registry
        windows = await asyncio.to_thread(windows_of, registry.truces[id], registry)
        truce = outcome.snapshot.resources["truces", id]
        told = AnnouncementAdded(registry.version, outcome.reassessment, truce, windows)
        headers = {**version_headers(outcome.snapshot, ("truces", id)), "location": f"/v1/truces/{id}"}
        return reply(told, 201, headers)


def _shows_windows(request: Request, at: int | None) -> bool:
    return at is not None or "as_of" in request.query_params


def _seen(request: Request, snapshot: Snapshot, at: int | None, truce: Any) -> Truce:
    assert isinstance(truce, Truce)
    return truce_at(truce, snapshot.registry, at) if _shows_windows(request, at) else truce


def _faults_of_last(error: ChangeRefusedError, truce_id: str) -> Any:
    """Faults of a truce's last announcement as faults of that announcement."""
    truce = next(truce for truce in error.document.truces if truce.id == truce_id)
    head = pointer_of(error.document, ("truces", truce_id))
    return rebase(error.faults, error.document, f"{head}/announcements/{len(truce.announcements) - 1}")
