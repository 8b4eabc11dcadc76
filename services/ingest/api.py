"""The HTTP API of incidents. Source: the contract, "Incident reports"."""

import hashlib
from dataclasses import replace
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from schemas.local_time import read_moment
from schemas.report import Report
from schemas.vocabulary import OUTCOMES
from services.ingest.admission import LocalTime
from services.ingest.batch import TYPES, Batches
from services.ingest.intake import Intake, answer, check_type, read_headers
from services.ingest.reading import Listed, Query, cursor_types, find_incident, list_incidents
from services.ingest.use_cases import Once, Retraction
from services.ingest.wire import (
    Accepted,
    BatchAnswer,
    IncidentSummary,
    IncidentView,
    RetractionRequest,
)
from services.shared.clock import Clock
from services.shared.db.engine import Database
from services.shared.etags import tag_of
from services.shared.http import (
    JSON_TYPE,
    PROBLEM_TYPE,
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

EXAMPLE: Final[dict[str, Any]] = {
    "external_id": "state-tv-20160508-midan",
    "occurred": {"from": "2016-05-08T00:00:00+03:00", "to": "2016-05-09T00:00:00+03:00"},
    "act": "shelling",
    "location": {"place": "Midan, Aleppo", "lat": 36.2140, "lon": 37.1660, "radius_km": 1.0},
    "perpetrators": ["opposition fighters"],
    "targets": ["civilians"],
    "casualties": {"killed": 1, "injured": 0},
    "claims": [],
    "sites": [],
    "aggregate": False,
    "description": "Shells on the government-held Midan district killed a child.",
    "source": {"name": "State media", "grade": "C3", "url": "https://example.org/report/1"},
    "evidence": [],
    "language": "en",
}

#: Beside what every operation may answer: content that was corrected since, and another newest revision than named.
CONFLICTS: Final = {409: PROBLEM_TYPE, 412: PROBLEM_TYPE}
IDEMPOTENCY_KEY: Final = (
    "1 to 255 printable ASCII characters. The same key with the same content gets the first answer again, for at least "
    "48 hours; with other content 422."
)
REPORT_HEADERS: Final = {
    "Idempotency-Key": IDEMPOTENCY_KEY,
    "If-Match": "The revision that this one corrects, as an entity tag; 412 if it is not the latest.",
    "traceparent": "W3C Trace Context, version 00; handed on to every webhook that the report causes.",
}


def build_router(intake: Intake, batches: Batches, database: Database, clock: Clock, local: LocalTime) -> APIRouter:
    """The routes of incidents. POST /v1/incidents is here for the document; the hot route stands in front of it."""
    router = APIRouter()

    @router.post("/v1/incidents")
    @describe(
        "Report an incident",
        body=Report,
        answers={202: Accepted, 200: Accepted, **CONFLICTS},
        example=EXAMPLE,
        headers=REPORT_HEADERS,
        roles=("partner",),
    )
    async def post_incident(request: Request) -> Response:
        return await intake.post(request)

    @router.post("/v1/incidents/batch")
    @describe(
        "Report many incidents: a JSON array or NDJSON, up to 10,000 reports and 16 MiB",
        body=list[Report],
        body_types=tuple(sorted(media for media in TYPES if media)),
        answers={200: BatchAnswer},
        example=[EXAMPLE],
        headers={"Idempotency-Key": IDEMPOTENCY_KEY},
        roles=("partner",),
    )
    async def post_batch(request: Request) -> Response:
        return await batches.post(request)

    @router.post("/v1/incidents/{incident_id}/retraction")
    @describe(
        "Take an incident back",
        body=RetractionRequest,
        answers={202: Accepted, 200: Accepted, 412: PROBLEM_TYPE},
        example={"reason": "The source withdrew its report."},
        headers=REPORT_HEADERS,
        roles=("partner",),
    )
    async def post_retraction(incident_id: str, request: Request) -> Response:
        return await _retract(intake, clock, incident_id, request)

    @router.get("/v1/incidents/{incident_id}")
    @describe(
        "An incident: its report, its revisions, its state, its current assessment",
        answers={200: IncidentView},
        roles=("partner", "monitor"),
    )
    async def get_incident(incident_id: str, request: Request) -> Response:
        partner = _whose(request)
        found = await database.read(lambda connection: find_incident(connection, incident_id, partner))
        if found is None:
            raise Problem(404, "Not found", "There is no such incident.")
        answer = reply(found)
        # The revision stands first: what rules make of it changes the tag, and no correction has to wait for that.
        answer.headers["etag"] = f'"{found.revision}-{tag_of(bytes(answer.body))}"'
        return answer

    @router.get("/v1/incidents")
    @describe(
        "Incidents, those that began last first; a partner sees its own",
        answers={200: Page, "items": IncidentSummary},
        query={
            "from": "Incidents that touch the time from here on (RFC 3339, or a local time of the registry's zone).",
            "to": "Incidents that began before this time.",
            "verdict": "violation, undetermined, excluded or not_covered.",
            "external_id": "Incidents of this external id.",
            "limit": "Items a page: 100, at most 1,000.",
            "after": "The cursor of the page before.",
        },
        roles=("partner", "monitor"),
    )
    async def get_incidents(request: Request) -> Response:
        query = read_query(request, _whose(request), local)
        return reply(_page(await database.read(lambda connection: list_incidents(connection, query)), query.limit))

    return router


def _whose(request: Request) -> str | None:
    """The partner to whose incidents a request is confined; None for all. Raises Problem 401."""
    principal = who(request, "partner", "monitor")
    return principal.name if principal.role == "partner" else None


def _page(listed: list[Listed], limit: int) -> Page:
    page = make_page(listed, limit, lambda one: one.key)
    return msgspec.structs.replace(page, items=[one.summary for one in page.items])


def read_query(request: Request, partner: str | None, local: LocalTime) -> Query:
    """Raises Problem 400 with every bad parameter."""
    given = request.query_params
    errors: list[FieldError] = []
    moments: dict[str, int] = {}
    for name in ("from", "to"):
        if text := given.get(name):
            try:
                # An unescaped + of an offset arrives as a space.
                moments[name] = read_moment(text.replace(" ", "+"), local.zone)
            except ValueError as error:
                errors.append(FieldError(f"/{name}", str(error)))
    verdict = given.get("verdict") or None
    if verdict is not None and verdict not in OUTCOMES:
        errors.append(FieldError("/verdict", f"must be one of: {', '.join(OUTCOMES)}"))
    if errors:
        raise Problem(400, "Not valid", errors=errors)
    query = Query(
        partner, given.get("external_id"), verdict, moments.get("from"), moments.get("to"), limit=page_size(request)
    )
    return replace(query, after=decode_cursor(request, *cursor_types(query)))


async def _retract(intake: Intake, clock: Clock, incident_id: str, request: Request) -> Response:
    asked = read_headers(request.scope["headers"])
    principal = intake.authorize(asked.authorization)
    check_type(asked, frozenset({"", JSON_TYPE}))
    wanted = parse(await read_body(request), RetractionRequest)
    if "\0" in wanted.reason:
        raise Problem(422, "Not valid", errors=[FieldError("/reason", "holds a NUL character")])
    once = None
    if asked.idempotency_key is not None:
        content = b"retraction\n" + incident_id.encode() + b"\n" + wanted.reason.encode()
        once = Once(principal.name, asked.idempotency_key, hashlib.sha256(content).digest())
    owner = None if principal.role == "operator" else principal.name
    with intake.tracing.start("accept", asked.traceparent, incident=incident_id) as span:
        trace = span.traceparent or asked.traceparent
        retraction = Retraction(
            incident_id, wanted.reason, owner, principal.actor, clock.now(), once, asked.if_match, trace
        )
        return answer((await intake.writer.write([retraction]))[0])
