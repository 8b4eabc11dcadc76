"""Reviewing over HTTP: the queue, decisions, taking them back. Source: the contract, "Assessments (rules)"."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from schemas.assessments import Assessment, Reason
from schemas.decisions import OperatorDecision
from schemas.examples import ASSESSMENT
from schemas.instants import format_instant
from schemas.report import MAX_TEXT, Location
from schemas.text import NO_NAME, says_something
from schemas.vocabulary import Language
from schemas.wording.reasons import retell
from services.platform.http.bodies import parse, read_body
from services.platform.http.describe import describe
from services.platform.http.language import language_of
from services.platform.http.lists import ListFilter, Listing, make_page, read_list
from services.platform.http.problems import FieldError, Problem
from services.platform.http.reply import reply
from services.platform.http.routes import make_router, principal_of
from services.platform.reports import find_place_faults
from services.rules.assessing.domain.decisions import TakenBack
from services.rules.assessing.domain.review import REVIEW_REASONS, told_reasons
from services.rules.judging.evaluate import Judge
from services.rules.review.domain.candidates import Candidates, ReviewCandidates
from services.rules.review.domain.request import DecisionFault, DecisionRequest, form_faults
from services.rules.review.use_cases import (
    DecisionRefusedError,
    NoSuchDecisionError,
    NoSuchIncidentError,
    ReviewedIncident,
    Reviewing,
    decide,
    take_back,
)


class ReviewItem(msgspec.Struct, frozen=True):
    """An incident that needs a person: since when (RFC 3339), why, the reasons in words, what to choose from, and the
    assessment as it stands."""

    incident_id: str
    opened_at: str | None
    why: tuple[str, ...]
    reasons: tuple[Reason, ...]
    candidates: ReviewCandidates
    assessment: Assessment


class DecisionView(msgspec.Struct, frozen=True):
    """A decision; ``taken_back`` is null while it stands."""

    decision: OperatorDecision
    taken_back: TakenBack | None


class ReviewedView(ReviewItem, frozen=True):
    """One incident, whether it needs a person (``opened_at`` null: it does not), with every decision on it."""

    decisions: tuple[DecisionView, ...]


class DecisionMade(msgspec.Struct, frozen=True):
    """The id of a decision, and the assessment that follows from it."""

    id: str
    assessment: Assessment


class DecisionsTakenBack(msgspec.Struct, frozen=True):
    """The ids of the decisions that were taken back, and the assessment that follows."""

    taken_back: tuple[str, ...]
    assessment: Assessment


REVIEW_LIST: Final = Listing(
    ReviewItem,
    orders=("opened", "-opened"),
    key=(int, str),
    times="incidents that need a person since a moment at",
    filters={"why": ListFilter("Incidents that need a person for this reason, among others.", REVIEW_REASONS)},
)
_EXAMPLE: Final[dict[str, Any]] = {
    "incident_id": ASSESSMENT["incident_id"],
    "opened_at": "2016-05-08T09:30:00Z",
    "why": ["unresolved_party"],
    "reasons": [],
    "candidates": {
        "parties": {"opposition fighters": [{"id": "opposition", "name": "Opposition", "score": 0.71}]},
        "places": [],
    },
    "assessment": ASSESSMENT,
}
_DECISION: Final[dict[str, Any]] = {"verdict": "violation", "certainty": "Likely", "reason": "Two patrols saw it."}
_REASON: Final = {"reason": "why: kept in the audit, and told with every message that follows"}


def build_review_router(parts: Reviewing) -> APIRouter:
    """The routes of the review queue and of decisions; all are for operators."""
    router = make_router("review")
    _add_queue(router, parts)
    _add_decisions(router, parts)
    return router


def _add_queue(router: APIRouter, parts: Reviewing) -> None:
    @router.get("/v1/review")
    @describe(
        "Incidents that need a person, oldest first",
        lists=REVIEW_LIST,
        example={"items": [_EXAMPLE], "next": None, "has_more": False},
        roles=("operator",),
        worded=True,
    )
    async def queue(request: Request) -> Response:
        query = read_list(request, REVIEW_LIST)
        found = await parts.incidents.page(query)
        page = make_page(query, found, lambda one: (one.opened_at or 0, one.assessment.incident_id))
        show = partial(_item, judge=parts.judging.current.judge, language=language_of(request))
        candidates = await parts.candidates()
        items = await asyncio.to_thread(lambda: [show(one, candidates) for one in page.items])
        return reply(msgspec.structs.replace(page, items=items))

    @router.get("/v1/review/{incident_id}")
    @describe(
        "One incident for review, with every decision on it",
        answers={200: ReviewedView},
        roles=("operator",),
        worded=True,
    )
    async def one(request: Request, incident_id: str) -> Response:
        found = await parts.incidents.load(incident_id)
        if found is None:
            raise _no_incident()
        candidates, judge = await parts.candidates(), parts.judging.current.judge
        item = await asyncio.to_thread(_item, found, candidates, judge, language_of(request))
        decisions = tuple(DecisionView(one.decision, one.taken_back) for one in found.decisions)
        return reply(ReviewedView(**msgspec.structs.asdict(item), decisions=decisions))


def _add_decisions(router: APIRouter, parts: Reviewing) -> None:
    @router.post("/v1/review/{incident_id}/decision")
    @describe(
        "Decide the place, the parties, the verdict or a link of an incident",
        body=DecisionRequest,
        answers={201: DecisionMade, 200: DecisionMade},
        example=_DECISION,
        roles=("operator",),
        worded=True,
    )
    async def make(request: Request, incident_id: str) -> Response:
        wanted = read_decision(await read_body(request))
        try:
            id, assessment, new = await decide(incident_id, wanted, principal_of(request).actor, parts)
        except NoSuchIncidentError:
            raise _no_incident() from None
        except DecisionRefusedError as error:
            raise _refused(error.faults) from None
        headers = {"location": f"/v1/review/{incident_id}/decision/{id}"} if new else None
        return reply(DecisionMade(id, await _told(assessment, parts, request)), 201 if new else 200, headers)

    async def undo(request: Request, incident_id: str, id: str | None) -> Response:
        reason = request.query_params.get("reason") or None
        if reason is not None and len(reason) > MAX_TEXT:
            raise Problem(400, "Not valid", errors=[FieldError("/reason", f"at most {MAX_TEXT} characters")])
        try:
            ids, assessment = await take_back(incident_id, id, reason, principal_of(request).actor, parts)
        except NoSuchIncidentError:
            raise _no_incident() from None
        except NoSuchDecisionError:
            raise Problem(404, "Not found", "No such decision stands on this incident.") from None
        return reply(DecisionsTakenBack(tuple(ids), await _told(assessment, parts, request)))

    @router.delete("/v1/review/{incident_id}/decision")
    @describe(
        "Take back every decision on an incident",
        answers={200: DecisionsTakenBack},
        query=_REASON,
        roles=("operator",),
        worded=True,
    )
    async def undo_all(request: Request, incident_id: str) -> Response:
        return await undo(request, incident_id, None)

    @router.delete("/v1/review/{incident_id}/decision/{id}")
    @describe(
        "Take back one decision", answers={200: DecisionsTakenBack}, query=_REASON, roles=("operator",), worded=True
    )
    async def undo_one(request: Request, incident_id: str, id: str) -> Response:
        return await undo(request, incident_id, id)


def read_decision(body: bytes) -> DecisionRequest:
    """Raises Problem 400 or 422 with every bad field."""
    wanted = parse(body, DecisionRequest)
    faults = list(form_faults(wanted))
    if wanted.place is not None:
        faults += _location_faults(wanted.place)
    if faults:
        raise _refused(faults)
    return wanted


def _location_faults(place: Location) -> list[DecisionFault]:
    """As those of a report's ``location``."""
    given = {name for name in place.__struct_fields__ if getattr(place, name) is not None}
    faults = [
        DecisionFault(fault.pointer.replace("/location", "/place", 1), fault.detail)
        for fault in find_place_faults(given)
    ]
    if place.place is not None and not says_something(place.place):
        faults.append(DecisionFault("/place/place", NO_NAME))
    return faults


def _refused(faults: Sequence[DecisionFault]) -> Problem:
    return Problem(422, "Not valid", errors=[FieldError(fault.pointer, fault.detail) for fault in faults])


def _no_incident() -> Problem:
    return Problem(404, "Not found", "No incident of this id was judged.")


async def _told(assessment: Assessment, parts: Reviewing, request: Request) -> Assessment:
    judge, language = parts.judging.current.judge, language_of(request)
    return await asyncio.to_thread(retell, assessment, judge.render, language)


def _item(one: ReviewedIncident, candidates: Candidates, judge: Judge, language: Language) -> ReviewItem:
    assessment = retell(one.assessment, judge.render, language)
    return ReviewItem(
        incident_id=assessment.incident_id,
        opened_at=None if one.opened_at is None else format_instant(one.opened_at),
        why=one.why,
        reasons=told_reasons(assessment),
        candidates=candidates.of(one.case.case.report, assessment, one.why, language),
        assessment=assessment,
    )
