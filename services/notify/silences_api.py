"""The HTTP API of silences. Source: the contract, ``POST /v1/silences``."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from schemas.instants import to_instant
from services.notify.api import LIST_QUERY, MONITOR, UNKNOWN_QUERY, Desk, both, problems, refuse_unknown
from services.notify.domain.known import named_in_matchers
from services.notify.domain.silence import Silence, find_matcher_faults, matches_everything
from services.notify.sql.limits import check_silences
from services.notify.wire import SILENCE_EXAMPLE, SilenceRequest, SilenceView, view_silence
from services.shared import audit
from services.shared.clock import new_id
from services.shared.http import (
    FieldError,
    Page,
    Problem,
    decode_cursor,
    describe,
    make_page,
    page_size,
    parse,
    read_body,
    reply,
    who,
)
from services.shared.security import Principal
from services.shared.validation import find_beyond


def build_silences_router(desk: Desk) -> APIRouter:
    router = APIRouter(tags=["silences"])

    @router.post("/v1/silences")
    @describe(
        "Hold back alerts for a while; a monitor's silence holds back only its own deliveries",
        body=SilenceRequest,
        answers={201: SilenceView},
        example=SILENCE_EXAMPLE,
        query=UNKNOWN_QUERY,
        problems=(409,),
        roles=MONITOR,
    )
    async def create(request: Request) -> Response:
        principal, now = who(request, *MONITOR), desk.clock.now()
        silence = read_silence(await read_body(request), principal, now)
        await refuse_unknown(desk, request, named_in_matchers(silence.matchers))
        audit_line = _audited(principal, now, "silence.created", silence.id)
        with problems(now):
            await desk.store.add_silence(silence, both(audit_line, _limited(desk, principal, now)))
        await desk.directory.refresh()
        return reply(view_silence(silence, now), 201, {"location": f"/v1/silences/{silence.id}"})

    @router.get("/v1/silences")
    @describe(
        "Silences, the newest first, the expired ones too; a monitor sees its own and those that hold back everybody's",
        answers={200: Page},
        query=LIST_QUERY,
        roles=MONITOR,
    )
    async def index(request: Request) -> Response:
        principal, limit = who(request, *MONITOR), page_size(request)
        owner = None if principal.role == "operator" else principal.name
        before = decode_cursor(request, int, str)
        page = make_page(await desk.store.silences(owner, before, limit + 1), limit, lambda s: (s.created_at, s.id))
        now = desk.clock.now()
        return reply(Page([view_silence(s, now) for s in page.items], page.next, page.has_more))

    @router.get("/v1/silences/{id}")
    @describe("One silence", answers={200: SilenceView}, roles=MONITOR)
    async def get(id: str, request: Request) -> Response:
        found = await _find(desk, request, id, change=False)
        return reply(view_silence(found, desk.clock.now()))

    @router.delete("/v1/silences/{id}")
    @describe("End a silence now; what it held is sent if it still stands", answers={204: None}, roles=MONITOR)
    async def delete(id: str, request: Request) -> Response:
        await _find(desk, request, id, change=True)
        now = desk.clock.now()
        also = _audited(who(request, *MONITOR), now, "silence.ended", id)
        await desk.store.end_silence(id, now, also)
        await desk.directory.refresh()
        return Response(status_code=204)

    return router


def read_silence(body: bytes, principal: Principal, now: int) -> Silence:
    """Raises Problem 400 or 422 with every bad field."""
    wanted = parse(body, SilenceRequest)
    starts = now if wanted.starts_at is None else to_instant(wanted.starts_at)
    ends = to_instant(wanted.ends_at)
    faults = [FieldError(pointer, detail) for pointer, detail in find_matcher_faults(wanted.matchers)]
    if not faults and not wanted.everything and matches_everything(wanted.matchers):
        faults.append(FieldError("/matchers", 'they match every alert; say "everything": true if that is meant'))
    if not wanted.reason.strip():
        faults.append(FieldError("/reason", "must not be empty"))
    if ends <= max(starts, now):
        faults.append(FieldError("/ends_at", "must lie after the start, and not in the past"))
    faults += find_beyond({"starts_at": starts, "ends_at": ends})
    faults += [FieldError(f"/{n}", "holds a NUL character") for n in ("reason", "author") if "\0" in getattr(wanted, n)]
    if faults:
        raise Problem(422, "Not valid", errors=faults)
    return Silence(
        id="sil_" + new_id(),
        owner=None if principal.role == "operator" else principal.name,
        matchers=wanted.matchers,
        starts_at=starts,
        ends_at=ends,
        reason=wanted.reason,
        author=wanted.author or principal.name,
        created_at=now,
    )


async def _find(desk: Desk, request: Request, id: str, *, change: bool) -> Silence:
    """Raises Problem 404 where it is not the asker's to see, or to change."""
    principal = who(request, *MONITOR)
    found = await desk.store.silence(id)
    mine = found is not None and (principal.role == "operator" or found.owner == principal.name)
    if found is None or not (mine or (found.owner is None and not change)):
        raise Problem(404, "Not found", "There is no such silence.")
    return found


def _limited(desk: Desk, principal: Principal, now: int) -> Any:
    def also(connection: Any) -> None:
        if principal.role != "operator":
            check_silences(connection, principal.name, desk.limits.silences, now)

    return also


def _audited(principal: Principal, now: int, action: str, id: str) -> Any:
    def also(connection: Any) -> None:
        if principal.role == "operator":
            audit.record(connection, at=now, actor=principal.actor, action=action, resource=f"silences/{id}")

    return also
