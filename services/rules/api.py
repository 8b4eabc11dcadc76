"""Assessments over HTTP. Source: the contract, "Assessments (rules)"."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from schemas.assessments import Assessment
from schemas.examples import ASSESSMENT, REPORT
from schemas.instants import parse_instant
from schemas.report import Report
from schemas.vocabulary import OUTCOMES
from services.rules import sql
from services.rules.domain.evaluate import Case
from services.rules.use_cases import Bench, assess
from services.shared.clock import Clock
from services.shared.db.engine import Database
from services.shared.http import (
    FieldError,
    Page,
    Problem,
    decode_cursor,
    describe,
    encode_cursor,
    make_page,
    page_size,
    read_body,
    reply,
    who,
)
from services.shared.reports import read_report


def build_router(bench: Bench, database: Database, clock: Clock) -> APIRouter:
    """The routes of assessments; registry routes are in :mod:`services.rules.registry_api`."""
    router = APIRouter(tags=["assessments"])

    @router.post("/v1/evaluate")
    @describe("Assess a report without storing anything", body=Report, answers={200: Assessment}, example=REPORT)
    async def evaluate(request: Request) -> Response:
        principal = who(request)
        await bench.catch_up()
        report = read_report(await read_body(request), clock.now(), bench.judge.zone)
        case = Case(incident_id=f"evaluated-by-{principal.key_id}", revision=1, report=report, retracted=None)
        return reply((await assess(bench.judge, [case], clock.now()))[0])

    @router.get("/v1/incidents/{incident_id}/assessments")
    @describe("Every assessment of an incident, newest first", answers={200: Page}, example={"items": [ASSESSMENT]})
    async def history(request: Request, incident_id: str) -> Response:
        principal = who(request)
        limit = page_size(request)
        cursor = decode_cursor(request, int)
        before = None if cursor is None else cursor[0]
        if principal.role == "partner" and not await database.read(
            partial(sql.belongs_to, incident_id=incident_id, partner=principal.name)
        ):
            return reply(Page([], None, False))
        numbered = await database.read(
            partial(sql.load_history, incident_id=incident_id, limit=limit + 1, before=before)
        )
        more = len(numbered) > limit
        kept = numbered[:limit]
        return reply(Page([a for _, a in kept], encode_cursor(kept[-1][0]) if more else None, more))

    @router.get("/v1/assessments")
    @describe(
        "Current assessments, by the time of the incident; a partner sees those of its own",
        answers={200: Page},
        example={"items": [ASSESSMENT]},
        query={
            "verdict": "only this verdict",
            "truce": "only incidents with a finding of this truce",
            "from": "incidents that end at or after this time",
            "to": "incidents that begin before this time",
        },
        roles=("partner", "monitor"),
    )
    async def current(request: Request) -> Response:
        principal = who(request)
        limit = page_size(request)
        wanted = _wanted(request, principal.name if principal.role == "partner" else None)
        found: Sequence[Assessment] = await database.read(partial(sql.load_current, wanted=wanted, limit=limit + 1))
        return reply(make_page(found, limit, lambda a: (parse_instant(a.occurred.start), a.incident_id)))

    return router


def _wanted(request: Request, partner: str | None) -> sql.Wanted:
    query = request.query_params
    errors: list[FieldError] = []
    verdict = query.get("verdict")
    if verdict is not None and verdict not in OUTCOMES:
        errors.append(FieldError("/verdict", f"must be one of: {', '.join(OUTCOMES)}"))
    times = {name: _time(query.get(name), name, errors) for name in ("from", "to")}
    if errors:
        raise Problem(400, "Not valid", errors=errors)
    after: Any = decode_cursor(request, int, str)
    return sql.Wanted(verdict, query.get("truce"), times["from"], times["to"], after, partner)


def _time(text: str | None, name: str, errors: list[FieldError]) -> int | None:
    if text is None:
        return None
    try:
        return parse_instant(text.replace(" ", "+"))
    except ValueError:
        errors.append(FieldError(f"/{name}", "an RFC 3339 time with an offset"))
        return None
