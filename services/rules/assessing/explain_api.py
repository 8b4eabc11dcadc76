"""Explanations over HTTP. Source: the contract, "Incident reports"."""

import asyncio
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.platform.clock import Clock
from services.platform.http.describe import describe
from services.platform.http.language import language_of
from services.platform.http.problems import Problem
from services.platform.http.reply import reply
from services.platform.http.routes import make_router, principal_of
from services.rules.assessing.current_judge import CurrentJudge
from services.rules.assessing.explain import IncidentExplanation, tell_explanation
from services.rules.assessing.find_touched import JudgedIncidents
from services.rules.registry.use_cases import Snapshot

ReadRegistry = Callable[[], Awaitable[Snapshot]]


def build_explain_router(
    current: CurrentJudge, incidents: JudgedIncidents, read_registry: ReadRegistry, clock: Clock
) -> APIRouter:
    """``read_registry`` reads the registry as it stands, with its documents."""
    router = make_router("assessments")

    @router.get("/v1/incidents/{incident_id}/explain")
    @describe(
        "Why an incident is judged as it is: for each truce its windows with the words of their announcements, the "
        "part of the place in each area, the parties against the duties, every check in its order, and the one that "
        "decided",
        answers={200: IncidentExplanation},
        worded=True,
    )
    async def explain(request: Request, incident_id: str) -> Response:
        principal = principal_of(request)
        snapshot = await read_registry()
        await current.adopt(snapshot.registry)
        found = await incidents.cases_of([incident_id])
        if not found or (principal.role == "partner" and found[0][0].partner != principal.name):
            raise Problem(404, "Not found", "There is no such incident, or it was not judged yet.")
        judge, case = current.judge, found[0][0].case
        language, now = language_of(request), clock.now()
        told = await asyncio.to_thread(lambda: tell_explanation(judge.explain(case, now), judge, snapshot, language))
        return reply(told)

    return router
