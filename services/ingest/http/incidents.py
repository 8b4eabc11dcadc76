"""The HTTP API of incidents. Source: the contract, "Incident reports"."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, get_args

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from schemas.boxes import read_box
from schemas.report import Report
from schemas.vocabulary import ACT_GROUPS, ACTS, CERTAINTIES, OUTCOMES, SEVERITIES, IncidentState
from services.ingest.export import csv_of, geojson_of
from services.ingest.http.batch import TYPES, Batches
from services.ingest.http.declared import EXAMPLE, IDEMPOTENCY_KEY, POST_INCIDENT, REPORT_HEADERS
from services.ingest.http.intake import Intake, answer, check_type, read_headers
from services.ingest.incident_map import MAX_FEATURES, draw
from services.ingest.incident_view import find_incident
from services.ingest.listing import Listed, cursor_types, list_incidents, list_placed
from services.ingest.names import KnownNames, tell
from services.ingest.use_cases import IdempotencyKey, Retraction
from services.ingest.wire import (
    AcceptedReport,
    BatchAnswer,
    IncidentSummary,
    IncidentView,
    RetractionRequest,
)
from services.ingest.withheld import Reader
from services.ingest.words import read_sought
from services.platform.clock import Clock
from services.platform.db.engine import Database
from services.platform.http.accept import prefers
from services.platform.http.bodies import parse, read_body
from services.platform.http.describe import describe, describe_as
from services.platform.http.etags import tag_of
from services.platform.http.exports import BY_ACCEPT, CSV_TYPE, GEOJSON_TYPE
from services.platform.http.language import language_of
from services.platform.http.lists import ListFilter, Listing, make_page, read_list
from services.platform.http.problems import PROBLEM_TYPE, FieldError, Problem
from services.platform.http.reply import JSON_TYPE, reply
from services.platform.http.routes import make_router, principal_of
from services.platform.paging import PageQuery

INCIDENTS_LIST: Final = Listing(
    IncidentSummary,
    orders=("-occurred", "occurred", "-received", "received"),
    key=cursor_types,
    times="incidents with a moment at",
    filters={
        "verdict": ListFilter("Incidents of this verdict.", OUTCOMES),
        "truce": ListFilter("Incidents whose verdict rests on this truce."),
        "area": ListFilter("Incidents whose place touches this area."),
        "party": ListFilter("Incidents with this party, or a member of this coalition, on either side."),
        "act": ListFilter("Incidents of this act, or of this group of acts.", (*ACTS, *ACT_GROUPS)),
        "min_severity": ListFilter("Incidents of at least this severity.", SEVERITIES),
        "min_certainty": ListFilter("Of violations those of at least this certainty.", CERTAINTIES),
        "bbox": ListFilter(
            "Incidents whose place reaches into this box: west,south,east,north in degrees; west beyond east crosses "
            "the antimeridian.",
            check=read_box,
        ),
        "state": ListFilter("Incidents in this state.", get_args(IncidentState)),
        "external_id": ListFilter("Incidents of this external id."),
        "q": ListFilter(
            "Incidents with all these words, or words that begin so, in place, parties, description or external id.",
            check=read_sought,
        ),
    },
)


def build_router(intake: Intake, batches: Batches, database: Database, clock: Clock, names: KnownNames) -> APIRouter:
    """The routes of incidents. POST /v1/incidents is here for the document; the hot route is in front of it."""
    router = make_router()
    _add_reporting(router, intake, batches, clock)
    _add_reading(router, database, names)
    return router


def _add_reporting(router: APIRouter, intake: Intake, batches: Batches, clock: Clock) -> None:
    @router.post("/v1/incidents")
    @describe_as(POST_INCIDENT)
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
        query={"dry_run": "true: keep nothing, answer as if: `revision` 1 with 202 would be a new incident."},
        roles=("partner",),
    )
    async def post_batch(request: Request) -> Response:
        return await batches.post(request)

    @router.post("/v1/incidents/{incident_id}/retraction")
    @describe(
        "Take an incident back",
        body=RetractionRequest,
        answers={202: AcceptedReport, 200: AcceptedReport, 412: PROBLEM_TYPE},
        example={"reason": "The source withdrew its report."},
        headers=REPORT_HEADERS,
        roles=("partner",),
    )
    async def post_retraction(incident_id: str, request: Request) -> Response:
        return await _retract(intake, clock, incident_id, request)


def _add_reading(router: APIRouter, database: Database, names: KnownNames) -> None:
    @router.get("/v1/incidents/{incident_id}")
    @describe(
        "An incident: its report, its revisions, its state, its current assessment",
        answers={200: IncidentView},
        roles=("partner", "monitor"),
        worded=True,
    )
    async def get_incident(incident_id: str, request: Request) -> Response:
        reader = reader_of(request)
        found = await database.read(lambda connection: find_incident(connection, incident_id, reader))
        if found is None:
            raise Problem(404, "Not found", "There is no such incident.")
        if isinstance(found.assessment, msgspec.Raw):
            told: Any = msgspec.Raw(tell(bytes(found.assessment), names, language_of(request)))
            found = msgspec.structs.replace(found, assessment=told)
        answer = reply(found)
        # The revision comes first: an assessment changes the tag, and a correction need not wait for one.
        answer.headers["etag"] = f'"{found.revision}-{tag_of(bytes(answer.body))}"'
        return answer

    @router.get("/v1/incidents")
    @describe(
        "Incidents; a partner sees its own; as CSV all of them, with a row of HXL hashtags; as GeoJSON, for a map, up "
        f"to {MAX_FEATURES:,} that have a place: `id` is the beginning of the incident's id, `radius` is in km",
        lists=INCIDENTS_LIST,
        query={"detail": "With `full`, the GeoJSON is no map but an export: every incident, with its whole report."},
        roles=("partner", "monitor"),
        also=(CSV_TYPE, GEOJSON_TYPE),
    )
    async def get_incidents(request: Request) -> Response:
        return await _answer_list(request, database)


def reader_of(request: Request) -> Reader:
    """Whose incidents a request may read, and how much of them."""
    principal = principal_of(request)
    return Reader(principal.name if principal.role == "partner" else None, principal.role != "monitor")


async def _answer_list(request: Request, database: Database) -> Response:
    query, reader, accept = read_list(request, INCIDENTS_LIST), reader_of(request), request.headers.get("accept", "")

    async def read(page: PageQuery) -> Sequence[Listed]:
        return await database.read(lambda connection: list_incidents(connection, page, reader))

    if prefers(accept, CSV_TYPE):
        return StreamingResponse(csv_of(query, read), media_type=CSV_TYPE, headers=BY_ACCEPT)
    if request.query_params.get("detail") not in (None, "", "full"):
        raise Problem(400, "Not valid", errors=[FieldError("/detail", "must be full")])
    if prefers(accept, GEOJSON_TYPE) and request.query_params.get("detail"):
        return StreamingResponse(geojson_of(query, read), media_type=GEOJSON_TYPE, headers=BY_ACCEPT)
    if prefers(accept, GEOJSON_TYPE):
        size = query.limit if "limit" in request.query_params else MAX_FEATURES
        whole = replace(query, limit=size)
        body = await database.read(lambda connection: draw(list_placed(connection, whole, reader), size))
        return Response(body, media_type=GEOJSON_TYPE, headers=BY_ACCEPT)
    listed = make_page(query, await read(query), lambda one: one.key, lambda one: one.summary)
    return reply(listed, headers=BY_ACCEPT)


async def _retract(intake: Intake, clock: Clock, incident_id: str, request: Request) -> Response:
    asked, principal = read_headers(request.scope["headers"]), principal_of(request)
    check_type(asked, frozenset({"", JSON_TYPE}))
    wanted = parse(await read_body(request), RetractionRequest)
    if "\0" in wanted.reason:
        raise Problem(422, "Not valid", errors=[FieldError("/reason", "holds a NUL character")])
    once = None
    if asked.idempotency_key is not None:
        content = b"retraction\n" + incident_id.encode() + b"\n" + wanted.reason.encode()
        once = IdempotencyKey(principal.name, asked.idempotency_key, hashlib.sha256(content).digest())
    owner = principal.limited_to
    with intake.tracing.start("accept", asked.traceparent, incident=incident_id) as span:
        trace = span.traceparent or asked.traceparent
        retraction = Retraction(
            incident_id, wanted.reason, owner, principal.actor, clock.now(), once, asked.if_match, trace
        )
        return answer((await intake.writer.write([retraction]))[0])
