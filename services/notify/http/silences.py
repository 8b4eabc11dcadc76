"""The HTTP API of silences. Source: the contract, ``POST /v1/silences``."""

from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from schemas.instants import to_instant
from services.notify.domain.known import named_in_matchers
from services.notify.domain.silence import Silence, find_matcher_faults, matches_everything
from services.notify.http.subscriptions import (
    MONITOR,
    UNKNOWN_QUERY,
    ApiParts,
    both,
    problems,
    refuse_unknown,
)
from services.notify.http.wire import SILENCE_EXAMPLE, SilenceRequest, SilenceView, view_silence
from services.notify.sql.limits import check_silences
from services.platform import audit
from services.platform.clock import new_id
from services.platform.http.bodies import parse, read_body
from services.platform.http.describe import describe
from services.platform.http.lists import Listing, make_page, read_list
from services.platform.http.problems import FieldError, Problem
from services.platform.http.reply import reply
from services.platform.http.routes import make_router, principal_of
from services.platform.http.validation import find_beyond
from services.platform.security.keys import Principal

SILENCES_LIST: Final = Listing(
    SilenceView, orders=("-created", "created"), key=(int, str), times="silences in force at some moment of"
)


def build_silences_router(parts: ApiParts) -> APIRouter:
    router = make_router("silences")

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
        principal, now = principal_of(request), parts.clock.now()
        silence = read_silence(await read_body(request), principal, now)
        await refuse_unknown(parts, request, named_in_matchers(silence.matchers))
        audit_line = _audited(principal, now, "silence.created", silence.id)
        with problems(now):
            await parts.silences.add(silence, both(audit_line, _limited(parts, principal, now)))
        await parts.directory.refresh()
        return reply(view_silence(silence, now), 201, {"location": f"/v1/silences/{silence.id}"})

    @router.get("/v1/silences")
    @describe(
        "Silences, the expired ones too; a monitor sees its own and those that hold back everybody's",
        lists=SILENCES_LIST,
        roles=MONITOR,
    )
    async def index(request: Request) -> Response:
        principal, query = principal_of(request), read_list(request, SILENCES_LIST)
        owner = principal.limited_to
        found, now = await parts.silences.page(owner, query), parts.clock.now()
        return reply(make_page(query, found, lambda s: (s.created_at, s.id), lambda s: view_silence(s, now)))

    @router.get("/v1/silences/{id}")
    @describe("One silence", answers={200: SilenceView}, roles=MONITOR)
    async def get(id: str, request: Request) -> Response:
        found = await _find(parts, request, id, change=False)
        return reply(view_silence(found, parts.clock.now()))

    @router.delete("/v1/silences/{id}")
    @describe("End a silence now; what it held is sent if it still stands", answers={204: None}, roles=MONITOR)
    async def delete(id: str, request: Request) -> Response:
        await _find(parts, request, id, change=True)
        now = parts.clock.now()
        also = _audited(principal_of(request), now, "silence.ended", id)
        await parts.silences.end(id, now, also)
        await parts.directory.refresh()
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
        owner=principal.limited_to,
        matchers=wanted.matchers,
        starts_at=starts,
        ends_at=ends,
        reason=wanted.reason,
        author=wanted.author or principal.name,
        created_at=now,
    )


async def _find(parts: ApiParts, request: Request, id: str, *, change: bool) -> Silence:
    """Raises Problem 404 where it is not the asker's to see, or to change."""
    principal = principal_of(request)
    found = await parts.silences.get(id)
    mine = found is not None and principal.reaches(found.owner)
    if found is None or not (mine or (found.owner is None and not change)):
        raise Problem(404, "Not found", "There is no such silence.")
    return found


def _limited(parts: ApiParts, principal: Principal, now: int) -> Any:
    def also(connection: Any) -> None:
        if principal.role != "operator":
            check_silences(connection, principal.name, parts.limits.silences, now)

    return also


def _audited(principal: Principal, now: int, action: str, id: str) -> Any:
    def also(connection: Any) -> None:
        if principal.role == "operator":
            audit.record(connection, at=now, actor=principal.actor, action=action, resource=f"silences/{id}")

    return also
