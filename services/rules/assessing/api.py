"""Assessments over HTTP. Source: the contract, "Assessments (rules)"."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from schemas.assessments import Assessment
from schemas.examples import ASSESSMENT, REPORT
from schemas.report import Report
from schemas.vocabulary import OUTCOMES, Language
from schemas.wording.reasons import retell
from services.platform.clock import Clock
from services.platform.db.engine import Database
from services.platform.http.accept import prefers
from services.platform.http.bodies import read_body
from services.platform.http.describe import describe
from services.platform.http.exports import BY_ACCEPT, CSV_TYPE, GEOJSON_TYPE
from services.platform.http.language import language_of
from services.platform.http.lists import ListFilter, Listing, make_page, read_list
from services.platform.http.reply import reply
from services.platform.http.routes import make_router, principal_of
from services.platform.paging import PageQuery
from services.platform.reports import read_report
from services.rules.assessing import sql
from services.rules.assessing.current_judge import CurrentJudge
from services.rules.assessing.export import csv_of, geojson_of, key_of
from services.rules.judging.evaluate import Case, Judge

HISTORY_LIST: Final = Listing(Assessment, orders=("-assessed", "assessed"), key=(int,))
ASSESSMENTS_LIST: Final = Listing(
    Assessment,
    orders=("occurred", "-occurred"),
    key=(int, str),
    times="incidents with a moment at",
    filters={
        "verdict": ListFilter("Incidents of this verdict.", OUTCOMES),
        "truce": ListFilter("Incidents with a finding of this truce."),
    },
)


def build_router(current_judge: CurrentJudge, database: Database, clock: Clock) -> APIRouter:
    """The routes of assessments; registry routes are in :mod:`services.rules.registry.api`."""
    router = make_router("assessments")

    @router.post("/v1/evaluate")
    @describe(
        "Assess a report without storing anything", body=Report, answers={200: Assessment}, example=REPORT, worded=True
    )
    async def evaluate(request: Request) -> Response:
        principal = principal_of(request)
        await current_judge.catch_up()
        report = read_report(await read_body(request), clock.now(), current_judge.judge.zone)
        case = Case(incident_id=f"evaluated-by-{principal.key_id}", revision=1, report=report, retracted=None)
        judge = current_judge.judge
        assessed = await asyncio.to_thread(judge.assess, [case], clock.now())
        return reply((await _tell(assessed, judge, language_of(request)))[0])

    @router.get("/v1/incidents/{incident_id}/assessments")
    @describe("Every assessment of an incident", lists=HISTORY_LIST, example={"items": [ASSESSMENT]}, worded=True)
    async def history(request: Request, incident_id: str) -> Response:
        principal, query = principal_of(request), read_list(request, HISTORY_LIST)
        if principal.role == "partner" and not await database.read(
            partial(sql.belongs_to, incident_id=incident_id, partner=principal.name)
        ):
            return reply(make_page(query, (), lambda one: ()))
        numbered = await database.read(partial(sql.load_history, incident_id=incident_id, query=query))
        page = make_page(query, numbered, lambda one: (one[0],), lambda one: one[1])
        told = await _tell(page.items, current_judge.judge, language_of(request))
        return reply(msgspec.structs.replace(page, items=told))

    @router.get("/v1/assessments")
    @describe(
        "Current assessments, by the time of the incident; a partner sees those of its own; as CSV, with a row of HXL "
        "hashtags, or as GeoJSON all of them",
        lists=ASSESSMENTS_LIST,
        example={"items": [ASSESSMENT]},
        roles=("partner", "monitor"),
        worded=True,
        also=(CSV_TYPE, GEOJSON_TYPE),
    )
    async def current(request: Request) -> Response:
        principal, query, accept = principal_of(request), read_list(request, ASSESSMENTS_LIST), _accepted(request)
        partner = principal.name if principal.role == "partner" else None

        async def load(query: PageQuery) -> Sequence[Assessment]:
            return await database.read(partial(sql.load_current, query=query, partner=partner))

        async def read(query: PageQuery) -> Sequence[Assessment]:
            return await _tell(await load(query), current_judge.judge, language_of(request))

        if accept == CSV_TYPE:
            return StreamingResponse(csv_of(query, load), media_type=CSV_TYPE, headers=BY_ACCEPT)
        if accept == GEOJSON_TYPE:
            return StreamingResponse(geojson_of(query, read), media_type=GEOJSON_TYPE, headers=BY_ACCEPT)
        return reply(make_page(query, await read(query), key_of), headers=BY_ACCEPT)

    return router


def _accepted(request: Request) -> str:
    """The media type of an export that the client would have in place of JSON; empty for none."""
    accept = request.headers.get("accept", "")
    return next((kind for kind in (CSV_TYPE, GEOJSON_TYPE) if prefers(accept, kind)), "")


async def _tell(assessments: Sequence[Assessment], judge: Judge, language: Language) -> list[Assessment]:
    """With their sentences in that language, made off the event loop: a page holds thousands of reasons."""
    return await asyncio.to_thread(lambda: [retell(one, judge.render, language) for one in assessments])
