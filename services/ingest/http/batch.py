"""POST /v1/incidents/batch: many reports in one request, each accepted or refused by itself.

A long batch goes through in slices: the event loop is never held for more than a few milliseconds, and no more than
two slices are decoded at once.
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.admission import Admission
from services.ingest.http.intake import (
    Asked,
    Intake,
    check_type,
    expect_recorded,
    key_reused,
    read_headers,
    stale_report,
)
from services.ingest.use_cases import Filing, IdempotencyKey, IntakeOutcome, KeyAnswer, KeyReused, Stale
from services.ingest.wire import MAX_BATCH, MAX_BATCH_BYTES, BatchItem
from services.platform.db.group import GroupWriter
from services.platform.http.bodies import MAX_BODY, read_body
from services.platform.http.problems import Problem
from services.platform.http.query import read_flag
from services.platform.http.raw_body import find_commas
from services.platform.http.reply import JSON_TYPE
from services.platform.http.routes import principal_of
from services.platform.security.keys import Principal
from services.platform.turns import Turns

NDJSON_TYPES: Final = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
TYPES: Final = NDJSON_TYPES | {"", JSON_TYPE}
SLICE: Final = 100
#: Errors that the answers to one batch list in all; beyond them, each bad report names its first.
MAX_BATCH_ERRORS: Final = 20_000

_LINE_START: Final = re.compile(rb"\S")
_STEP: Final = 256 * 1024
#: An array with a comma in fewer bytes than this is not decoded at once: each element costs 72 bytes, however short.
_BYTES_A_COMMA: Final = 16
#: First bytes of an element that may hold spaces.
_NESTED: Final = (b"{", b"[", b'"')
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Settlement:
    """A claimed Idempotency-Key and the answer that its batch got."""

    once: IdempotencyKey
    body: bytes


Claim = tuple[IdempotencyKey, int] | Settlement
Claimed = KeyAnswer | KeyReused | None
#: The outcomes of reports, in their order.
Take = Callable[[Sequence[Filing]], Awaitable[Sequence[IntakeOutcome]]]


@dataclass(frozen=True, slots=True)
class Batches:
    """Takes batches. ``claims`` keeps the Idempotency-Keys of batches and their answers; ``preview`` keeps nothing."""

    intake: Intake
    admission: Admission
    claims: GroupWriter[Claim, Claimed]
    preview: Take

    async def post(self, request: Request) -> Response:
        """The answer to a batch. Raises Problem 400, 413, 422; RetryLaterError: what was taken in by then stays."""
        asked = read_headers(request.scope["headers"])
        if asked.if_match is not None:
            raise Problem(400, "Not valid", "If-Match names a revision of one incident; a batch may hold many.")
        principal = principal_of(request)
        check_type(asked, TYPES)
        body = await read_body(request, MAX_BATCH_BYTES)
        reports = await split(body, lines=asked.content_type in NDJSON_TYPES)
        if read_flag(request, "dry_run"):
            return Response(await self._take_all(reports, principal, asked, self.preview), media_type=JSON_TYPE)
        with self.intake.tracing.start("accept", asked.traceparent, reports=len(reports)) as span:
            if span.traceparent is not None:
                asked = msgspec.structs.replace(asked, traceparent=span.traceparent)
            if asked.idempotency_key is None:
                return Response(await self._take_all(reports, principal, asked, self._keep), media_type=JSON_TYPE)
            return await self._take_once(reports, principal, asked, asked.idempotency_key)

    async def _take_once(self, reports: Sequence[bytes], principal: Principal, asked: Asked, key: str) -> Response:
        once = IdempotencyKey(principal.name, key, await self._fingerprint(reports, principal))
        (before,) = await self.claims.write([(once, self.admission.now())])
        if isinstance(before, KeyReused):
            raise key_reused()
        if before is not None and before.body is not None:
            return Response(before.body, media_type=JSON_TYPE)
        # Begun before and never answered (a crash, or it is under way): reports that are in already change nothing.
        body = await self._take_all(reports, principal, asked, self._keep)
        await self.claims.write([Settlement(once, body)])
        return Response(body, media_type=JSON_TYPE)

    async def _fingerprint(self, reports: Sequence[bytes], principal: Principal) -> bytes:
        digest, turns = hashlib.sha256(b"batch"), Turns()
        for report in reports:
            part = self.admission.fingerprint(bytes(report), principal.name)
            digest.update(b"%d:" % len(part) + part)
            await turns.give()
        return digest.digest()

    async def _keep(self, filings: Sequence[Filing]) -> Sequence[IntakeOutcome]:
        outcomes = await self.intake.writer.write(filings)
        self.intake.count(outcomes)
        return outcomes

    async def _take_all(self, reports: Sequence[bytes], principal: Principal, asked: Asked, take: Take) -> bytes:
        """The encoded answer. One slice is admitted while the one before it is taken."""
        results, errors_left = [], MAX_BATCH_ERRORS
        turns = Turns()
        writing: asyncio.Task[None] | None = None
        for start in range(0, len(reports), SLICE):
            items: list[BatchItem | Filing] = []
            for index, report in enumerate(reports[start : start + SLICE], start):
                item = self._admit(index, bytes(report), principal, asked, errors_left)
                if isinstance(item, BatchItem) and item.problem is not None:
                    errors_left -= len(item.problem.get("errors", ()))
                items.append(item)
                await turns.give()
            if writing is not None:
                await writing
            encoded: list[bytes] = []
            results.append(encoded)
            writing = asyncio.create_task(_fill(encoded, start, items, take))
        if writing is not None:
            await writing
        return b'{"results":[' + b",".join(part for encoded in results for part in encoded) + b"]}"

    def _admit(
        self, index: int, report: bytes, principal: Principal, asked: Asked, errors_left: int
    ) -> BatchItem | Filing:
        try:
            if len(report) > MAX_BODY:
                raise Problem(422, "Not valid", f"A report may be at most {MAX_BODY} bytes.")
            return self.admission.admit(report, principal.name, asked.traceparent)
        except Problem as problem:
            body = problem.body()
            if "errors" in body:
                body["errors"] = body["errors"][: max(1, errors_left)]
            return BatchItem(index, 422, problem=body)


async def _fill(encoded: list[bytes], start: int, items: Sequence[BatchItem | Filing], take: Take) -> None:
    filings = [item for item in items if isinstance(item, Filing)]
    outcomes = await take(filings) if filings else ()
    encoded += _encode_all(start, items, iter(outcomes))


def _encode_all(start: int, items: Sequence[BatchItem | Filing], outcomes: Iterator[IntakeOutcome]) -> list[bytes]:
    return [
        _encode(item if isinstance(item, BatchItem) else _result(index, next(outcomes)))
        for index, item in enumerate(items, start)
    ]


def _result(index: int, outcome: IntakeOutcome) -> BatchItem:
    if isinstance(outcome, Stale):
        return BatchItem(index, 409, outcome.incident_id, problem=stale_report(outcome).body())
    recorded = expect_recorded(outcome)
    return BatchItem(index, 202 if recorded.fresh else 200, recorded.incident_id, recorded.revision)


async def split(body: bytes, *, lines: bool) -> Sequence[bytes]:
    """The bytes of each report. Raises Problem 400 where the body is no array, 413 for too many reports."""
    if lines:
        return await _split_lines(body)
    reports = await _split_array(body) if _may_hold_too_many(body) else await _decoded(body)
    _check_count(len(reports))
    return reports


def _may_hold_too_many(body: bytes) -> bool:
    return body.count(b",") * _BYTES_A_COMMA > len(body)


async def _decoded(body: bytes) -> Sequence[bytes]:
    try:
        reports: Sequence[bytes] = _decode_array(body)
    except msgspec.ValidationError as error:
        raise Problem(
            400, "Not an array", "Send a JSON array of reports, or NDJSON as application/x-ndjson."
        ) from error
    except (msgspec.DecodeError, RecursionError):
        return await _split_array(body)
    return reports


def _check_count(count: int) -> None:
    if count > MAX_BATCH:
        raise Problem(413, "Content too large", f"A batch may hold at most {MAX_BATCH} reports.")


async def _split_lines(body: bytes) -> list[bytes]:
    """Lines that are not blank. Long blank stretches are skipped in steps."""
    found: list[bytes] = []
    turns, position = Turns(), 0
    while position < len(body):
        start = _LINE_START.search(body, position, position + _STEP)
        if start is None:
            position += _STEP
        else:
            end = body.find(b"\n", start.start())
            position = len(body) if end < 0 else end
            found.append(body[start.start() : position])
            _check_count(len(found))
        await turns.give()
    return found


async def _split_array(body: bytes) -> list[bytes]:
    """The elements of an array in which some are no JSON that we take (NaN, half a surrogate pair), so that these
    harm nobody else, or which may hold far too many. Raises Problem 400 where not even the elements can be told apart.
    """
    found: list[bytes] = []
    turns = Turns()
    start = body.find(b"[") + 1
    try:
        for commas in find_commas(body):
            for comma in commas:
                found.append(_element(body, start, comma))
                _check_count(len(found))
                start = comma + 1
            await turns.give()
        last = body.rfind(b"]")
        if found or body[start:last].strip():
            found.append(_element(body, start, last))
    except ValueError as error:
        raise Problem(400, "Not JSON", f"The body is not a valid UTF-8 JSON array: {error}") from error
    return found


def _element(body: bytes, start: int, end: int) -> bytes:
    """One element of an array. Raises ValueError where there is none, or several that no comma parts."""
    element = body[start:end].strip()
    if not element:
        raise ValueError(f"an element is missing before byte {end}")
    if element[:1] not in _NESTED and len(element.split(None, 1)) > 1:
        raise ValueError(f"a comma is missing before byte {end}")
    return element
