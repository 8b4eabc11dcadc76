"""Reassessments over HTTP. Source: the contract, "Registry (rules)"."""

from functools import partial
from typing import Final

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from schemas.causes import Cause
from schemas.instants import format_instant
from services.platform.clock import Clock
from services.platform.db.engine import Database
from services.platform.http.describe import describe
from services.platform.http.lists import ListFilter, Listing, make_page, read_list
from services.platform.http.problems import Problem
from services.platform.http.reply import reply
from services.platform.http.routes import make_router, principal_of
from services.rules.assessing import sql_reassessments
from services.rules.assessing.domain.reassessment import (
    STATES,
    Command,
    CommandRefusedError,
    Reassessment,
    State,
)


class ReassessmentView(msgspec.Struct, frozen=True):
    """The judging again of every incident that one change of the registry can touch.

    ``candidates`` are the incidents found so far; ``done`` those judged again; ``changed`` those that got a new
    assessment; ``flips`` those whose verdict changed. ``ended_at``: when it was done, or stopped.
    """

    id: str
    registry_version: int
    cause: Cause
    state: State
    candidates: int
    done: int
    changed: int
    flips: int
    started_at: str
    ended_at: str | None


REASSESSMENTS_LIST: Final = Listing(
    ReassessmentView,
    orders=("-started", "started"),
    key=(int,),
    filters={"state": ListFilter("Reassessments in this state.", STATES)},
)


def build_reassessments_router(database: Database, clock: Clock) -> APIRouter:
    router = make_router("registry")

    @router.get("/v1/reassessments")
    @describe("The reassessments that changes of the registry caused", lists=REASSESSMENTS_LIST, roles=("monitor",))
    async def list_all(request: Request) -> Response:
        query = read_list(request, REASSESSMENTS_LIST)
        found = await database.read(partial(sql_reassessments.load_reassessments, query=query))
        return reply(make_page(query, found, lambda one: (one.registry_version,), _view))

    @router.get("/v1/reassessments/{id}")
    @describe("One reassessment, with its progress", answers={200: ReassessmentView}, roles=("monitor",))
    async def get_one(request: Request, id: str) -> Response:
        found = await database.read(partial(sql_reassessments.load_reassessment, id=id))
        return reply(_view(_existing(id, found)))

    for command in ("stop", "resume"):
        _add_command(router, database, clock, command)
    return router


def _add_command(router: APIRouter, database: Database, clock: Clock, command: Command) -> None:
    @router.post(f"/v1/reassessments/{{id}}/{command}", name=f"{command}_reassessment")
    @describe(
        f"{command.capitalize()} a reassessment; repeated, it changes nothing",
        answers={200: ReassessmentView},
        roles=("operator",),
        problems=(409,),
    )
    async def apply(request: Request, id: str) -> Response:
        actor = principal_of(request).actor
        work = partial(sql_reassessments.command, id=id, command=command, actor=actor, now=clock.now())
        try:
            found = await database.write(work)
        except CommandRefusedError:
            raise Problem(409, "Already done", f"The reassessment {id} is done.") from None
        return reply(_view(_existing(id, found)))


def _existing(id: str, found: Reassessment | None) -> Reassessment:
    if found is None:
        raise Problem(404, "Not found", f"There is no reassessments/{id}.")
    return found


def _view(one: Reassessment) -> ReassessmentView:
    fields = msgspec.structs.asdict(one)
    ended_at = None if one.ended_at is None else format_instant(one.ended_at)
    return ReassessmentView(**{**fields, "started_at": format_instant(one.started_at), "ended_at": ended_at})
