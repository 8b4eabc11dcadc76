"""The hot route: POST /v1/incidents in bare ASGI, in front of the framework, whose machinery costs more than the work.

It enforces the declaration that :mod:`services.ingest.http.incidents` has for the same route, which refuses queries.
"""

import asyncio
import hashlib
import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from schemas.instants import SECOND
from services.ingest.admission import Admission
from services.ingest.domain import identify
from services.ingest.http.declared import POST_INCIDENT
from services.ingest.use_cases import (
    Command,
    IdempotencyKey,
    IntakeOutcome,
    KeyReused,
    NotMatched,
    Recorded,
    Stale,
    UnknownIncident,
)
from services.ingest.wire import AcceptedReport
from services.platform.db.group import GroupWriter
from services.platform.failures import RetryLaterError
from services.platform.http.access import check, read_authorization
from services.platform.http.bodies import (
    MAX_BODY,
    MAX_DIGITS,
    read_body,
    read_encoding,
    too_large,
    unpacked,
    without_mark,
)
from services.platform.http.etags import read_tags
from services.platform.http.middleware import answer_cut
from services.platform.http.problems import Problem, away, unforeseen
from services.platform.http.reply import JSON_TYPE
from services.platform.http.routes import principal_of
from services.platform.metrics import Metrics
from services.platform.security.keys import KeyRing, Principal
from services.platform.tracing import OFF, TraceSpan, Tracing, parse_traceparent

log = logging.getLogger(__name__)

PATH: Final = "/v1/incidents"
MAX_KEY: Final = 255
JSON_TYPES: Final = frozenset({"", JSON_TYPE})
#: The tag of a revision, as an answer to a report has it, or of a whole incident as it is read, compressed or not.
_REVISION: Final = re.compile(r'"(\d{1,9})(?:-[0-9a-f]+)?(?:-gzip)?"')

_encode = msgspec.json.Encoder().encode


class Asked(msgspec.Struct, frozen=True):
    """The request headers that matter to intake."""

    authorization: str | None = None
    content_type: str = ""
    content_encoding: str = ""
    content_length: int = 0
    idempotency_key: str | None = None
    traceparent: str | None = None
    if_match: frozenset[int] | None = None


def read_headers(headers: Sequence[tuple[bytes, bytes]]) -> Asked:
    """Of a header that comes twice the last one counts, save If-Match, which is a list. Raises Problem 422 for an
    Idempotency-Key that is none, 400 for two Authorization headers and for an If-Match that is none, 415 for a
    Content-Encoding other than gzip."""
    given = dict(headers).get
    key, trace = given(b"idempotency-key"), given(b"traceparent")
    length = given(b"content-length", b"")
    return Asked(
        read_authorization(headers),
        _media_type(given(b"content-type", b"")),
        read_encoding(headers),
        int(length) if length.isdigit() and len(length) <= MAX_DIGITS else 0,
        None if key is None else _idempotency_key(key),
        None if trace is None else _traceparent(trace),
        None if given(b"if-match") is None else _revisions_named(headers),
    )


def _revisions_named(headers: Sequence[tuple[bytes, bytes]]) -> frozenset[int]:
    """The revisions that If-Match names. ``*`` and weak tags name none (RFC 9110, 13.1.1 and 8.8.3.2). Raises Problem
    400 for what is no list of entity tags."""
    tags = read_tags(b",".join(value for name, value in headers if name == b"if-match").decode("latin-1"))
    found = [_REVISION.fullmatch(tag) for tag in tags]
    return frozenset(int(match[1]) for match in found if match is not None)


@lru_cache(maxsize=256)
def _media_type(value: bytes) -> str:
    return value.decode("latin-1").partition(";")[0].strip().lower()


def _idempotency_key(value: bytes) -> str:
    key = value.decode("latin-1").strip()
    if not 1 <= len(key) <= MAX_KEY or not (key.isascii() and key.isprintable()):
        raise Problem(422, "Not valid", f"An Idempotency-Key is 1 to {MAX_KEY} printable ASCII characters.")
    return key


def _traceparent(value: bytes) -> str | None:
    """None for what is no traceparent: the standard says to go on as if there were none."""
    text = value.decode("latin-1").strip()
    return None if parse_traceparent(text) is None else text


def check_type(asked: Asked, allowed: frozenset[str]) -> None:
    """Raises Problem 415."""
    if asked.content_type not in allowed:
        raise Problem(415, "Media type not supported", f"Send {' or '.join(sorted(t for t in allowed if t))}.")


def answer(outcome: IntakeOutcome) -> Response:
    """The answer to a report or a retraction. Raises Problem 404, 409, 412, 422."""
    recorded = expect_recorded(outcome)
    body = _encode(AcceptedReport(recorded.incident_id, recorded.revision))
    location = f"{PATH}/{recorded.incident_id}"
    headers = {"location": location, "etag": f'"{recorded.revision}"'}
    return Response(body, 202 if recorded.fresh else 200, headers, JSON_TYPE)


def expect_recorded(outcome: IntakeOutcome) -> Recorded:
    """Raises Problem 404 for an incident that is not there, 409 for content that was corrected since, 412 where the
    newest revision is another one than was named, 422 for an Idempotency-Key sent with other content."""
    if isinstance(outcome, UnknownIncident):
        raise Problem(404, "Not found", "There is no such incident.")
    if isinstance(outcome, KeyReused):
        raise key_reused()
    if isinstance(outcome, Stale):
        raise stale_report(outcome)
    if isinstance(outcome, NotMatched):
        raise not_matched(outcome)
    return outcome


def stale_report(stale: Stale) -> Problem:
    """The content was superseded: to send it all the same, name the revision that it follows."""
    return Problem(
        409,
        "Stale report",
        f"This is what revision {stale.revision} said; revision {stale.latest} has come since. "
        f'If it is to hold again, send it with If-Match: "{stale.latest}".',
        type="stale-report",
        more={"incident_id": stale.incident_id, "revision": stale.revision, "latest": stale.latest},
    )


def not_matched(found: NotMatched) -> Problem:
    if found.latest is None:
        return Problem(412, "Precondition failed", "There is no such incident yet.")
    return Problem(
        412,
        "Precondition failed",
        f"If-Match does not name the newest revision, which is {found.latest}.",
        headers={"etag": f'"{found.latest}"'},
        more={"latest": found.latest},
    )


def key_reused() -> Problem:
    return Problem(422, "Idempotency-Key reused", "This Idempotency-Key was sent with other content before.")


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes single reports in. ``writer`` makes them durable, many at once."""

    keys: KeyRing
    admission: Admission
    writer: GroupWriter[Command, IntakeOutcome]
    metrics: Metrics
    tracing: Tracing = OFF

    async def post(self, request: Request) -> Response:
        """The answer to POST /v1/incidents. Raises Problem, RetryLaterError."""
        asked = read_headers(request.scope["headers"])
        check_type(asked, JSON_TYPES)
        return answer(await self.take(principal_of(request), asked, await read_body(request)))

    async def take(self, principal: Principal, asked: Asked, body: bytes) -> IntakeOutcome:
        """Admit one report and wait until it is durable. Raises Problem 400, 422; RetryLaterError."""
        with self.tracing.start("accept", asked.traceparent) as span:
            return await self._take(principal, asked, body, span)

    async def _take(self, principal: Principal, asked: Asked, body: bytes, span: TraceSpan) -> IntakeOutcome:
        filing = self.admission.admit(body, principal.name, span.traceparent or asked.traceparent)
        span.set("incident", filing.incident_id)
        if asked.if_match is not None:
            filing = msgspec.structs.replace(filing, if_match=asked.if_match)
        if asked.idempotency_key is not None:
            fingerprint = hashlib.sha256(b"report" + filing.incident_id.encode() + identify(filing.report)).digest()
            filing = msgspec.structs.replace(
                filing, once=IdempotencyKey(principal.name, asked.idempotency_key, fingerprint)
            )
        outcome = (await self.writer.write([filing]))[0]
        self.metrics.intake_seconds.observe((self.admission.now() - filing.received_at) / SECOND)
        if isinstance(outcome, Recorded) and outcome.fresh:
            self.metrics.incidents_accepted.inc()
        return outcome

    def count(self, outcomes: Iterable[IntakeOutcome]) -> None:
        """Count what became a revision."""
        if fresh := sum(isinstance(outcome, Recorded) and outcome.fresh for outcome in outcomes):
            self.metrics.incidents_accepted.inc(fresh)

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """``app`` with the hot route in front of it."""

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            hot = scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "POST"
            # A query has no meaning here; the check of all routes refuses it.
            if hot and not scope["query_string"]:
                await self._serve(scope, receive, send)
            else:
                await app(scope, receive, send)

        return serve

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            asked = read_headers(scope["headers"])
            principal = check(self.keys, asked.authorization, POST_INCIDENT.roles or ())
            check_type(asked, JSON_TYPES)
            body = await _receive(receive, asked)
            if body is None:
                return
            recorded = expect_recorded(await self.take(principal, asked, body))
        except Problem as problem:
            await problem.response()(scope, receive, send)
        except asyncio.CancelledError:
            await answer_cut(scope, receive, send)
        except RetryLaterError as error:
            await away(str(error)).response()(scope, receive, send)
        except Exception:
            log.exception("a report could not be taken")
            await unforeseen().response()(scope, receive, send)
        else:
            await _send(send, recorded)


async def _receive(receive: Receive, asked: Asked) -> bytes | None:
    """The body, unpacked, None where the client went away. Raises Problem 413 as soon as it is too long, 400 where it
    is not gzip as it says."""
    if asked.content_length > MAX_BODY:
        raise too_large(MAX_BODY)
    message = await receive()
    body: bytes = message.get("body", b"")
    parts, size = [body], len(body)
    while message.get("more_body", False):
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY:
            raise too_large(MAX_BODY)
    if message["type"] == "http.disconnect":
        return None
    if size > MAX_BODY:
        raise too_large(MAX_BODY)
    whole = body if len(parts) == 1 else b"".join(parts)
    if asked.content_encoding:
        whole = await unpacked(whole, asked.content_encoding, MAX_BODY)
    return without_mark(whole)


async def _send(send: Send, recorded: Recorded) -> None:
    body = b'{"incident_id":"%b","revision":%d,"status":"accepted"}' % (
        recorded.incident_id.encode(),
        recorded.revision,
    )
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"location", b"/v1/incidents/" + recorded.incident_id.encode()),
        (b"etag", b'"%d"' % recorded.revision),
    ]
    await send({"type": "http.response.start", "status": 202 if recorded.fresh else 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
