"""The HTTP API of alerts: the gap-free list, one alert in two forms, why it went where it went."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from schemas.instants import format_instant, to_instant
from schemas.vocabulary import Language
from services.notify.http.positions import Positions
from services.notify.http.subscriptions import MONITOR, ApiParts, find_own, seen_by
from services.notify.http.wire import AlertView, Backtest, MessageView, SpanRequest, Trace, view_delivery
from services.notify.render import cap
from services.notify.render.json import Data, alert_data
from services.notify.sql.alert_log import SqlAlertLog
from services.notify.use_cases.rehearse import rehearse
from services.notify.use_cases.take_alerts import Logged
from services.notify.use_cases.trace_alert import NOT_RAISED, trace_alert, trace_revision
from services.platform.clock import Clock
from services.platform.http.accept import prefers, read_weights
from services.platform.http.bodies import parse, read_body
from services.platform.http.describe import describe
from services.platform.http.language import language_of
from services.platform.http.lists import Listing, Page, read_list
from services.platform.http.problems import PROBLEM_TYPE, FieldError, Problem
from services.platform.http.reply import reply
from services.platform.http.routes import make_router
from services.platform.http.validation import find_beyond

#: A backtest looks at no more alerts than this, and shows no more than that many of them.
MOST_TESTED = 100_000
MOST_SHOWN = 1_000
VIEWED_AT_ONCE = 32
ALERTS_LIST = Listing(AlertView, orders=("recorded",), key=None, times="revisions recorded then")


@dataclass(frozen=True, slots=True)
class AlertReader:
    """The parts that the API of alerts works with."""

    log: SqlAlertLog
    positions: Positions
    clock: Clock
    public_url: str
    rings_of: cap.RingsOf = cap.no_rings
    outlines_of: cap.RingsOf = cap.no_rings

    def view(self, entry: Logged, language: Language) -> Data:
        """An alert as every list and the stream show it."""
        return alert_data(
            entry.alert,
            status=entry.alert.status,
            language=language,
            sent_at=entry.recorded_at,
            public_url=self.public_url,
        )

    def cap(self, revisions: Sequence[Logged]) -> bytes:
        """The newest revision of an alert as CAP; ``revisions`` are all of it."""
        newest, alerts = revisions[-1].alert, [entry.alert for entry in revisions]
        return cap.cap_of(newest, newest.status, alerts, self.public_url, self.rings_of)

    async def view_all(self, entries: Sequence[Logged], language: Language) -> list[msgspec.Raw]:
        """The views of many alerts, in JSON, without holding the event loop for more than a few milliseconds."""
        views = []
        for number, entry in enumerate(entries, 1):
            views.append(msgspec.Raw(msgspec.json.encode(self.view(entry, language))))
            if number % VIEWED_AT_ONCE == 0:
                await asyncio.sleep(0)
        return views


def build_alerts_router(reader: AlertReader, parts: ApiParts) -> APIRouter:
    router = make_router("alerts")
    _add_reading(router, reader)
    _add_trace(router, reader, parts)
    _add_backtest(router, reader, parts)
    return router


def _add_reading(router: APIRouter, reader: AlertReader) -> None:
    @router.get("/v1/alerts")
    @describe(
        "Every revision of every alert, in order of commit, without gaps; there is always a next to come back with. "
        "410 restored-log: the log was put back to before this cursor; begin holds the one to go on with",
        answers={410: PROBLEM_TYPE},
        lists=ALERTS_LIST,
        roles=MONITOR,
        worded=True,
    )
    async def index(request: Request) -> Response:
        query, seq = read_list(request, ALERTS_LIST), await reader.positions.find(request) or 0
        found = await reader.log.page(replace(query, after=(seq,)))
        kept = found[: query.limit]
        last = kept[-1].seq if kept else seq
        views = await reader.view_all(kept, language_of(request))
        return reply(Page(views, reader.positions.encode(last), len(found) > len(kept)))

    @router.get("/v1/alerts/{id}")
    @describe(
        "The newest revision of one alert; as CAP 1.2 where the Accept header asks for application/cap+xml",
        answers={200: AlertView},
        roles=MONITOR,
        worded=True,
    )
    async def get(id: str, request: Request) -> Response:
        revisions = await find_revisions(reader, id)
        if wants_cap(request.headers.get("accept", "")):
            return Response(reader.cap(revisions), media_type=cap.CONTENT_TYPE, headers={"vary": "accept"})
        return reply(reader.view(revisions[-1], language_of(request)), headers={"vary": "accept"})


def _add_trace(router: APIRouter, reader: AlertReader, parts: ApiParts) -> None:
    @router.get("/v1/alerts/{id}/trace")
    @describe(
        "Why a subscription got an alert, or did not: every step, to the first that did not let it pass. For the id of "
        "an incident: of its newest alert, or that it raised none",
        answers={200: Trace},
        query={
            "subscription": "The id of the subscription.",
            "revision": "The revision of the alert; if absent, the first one that got through.",
        },
        roles=MONITOR,
    )
    async def trace(id: str, request: Request) -> Response:
        subscription = await find_own(parts, request, request.query_params.get("subscription", ""))
        revisions = await reader.log.revisions(id) or _newest_alert(await reader.log.of_incident(id))
        if not revisions and await parts.judged.knows(id):
            return reply(Trace(False, list(NOT_RAISED), []))
        if not revisions:
            raise Problem(404, "Not found", "There is no such alert, and no incident of that id was judged lately.")
        alert, wanted = revisions[0].alert.id, read_revision(request)
        silences = await parts.silences.in_force(revisions[0].recorded_at, revisions[-1].recorded_at + 1)
        sent = [seen_by(request, d) for d in await parts.history.about(subscription.id, alert)]
        if wanted is None:
            steps = await trace_alert(revisions, subscription, silences, sent)
        else:
            entry = next((one for one in revisions if one.alert.revision == wanted), None)
            if entry is None:
                raise Problem(404, "Not found", f"The alert has no revision {wanted}.")
            gathered = await parts.history.gathered_revisions(subscription.id, alert)
            told = [(d, gathered.get(d.id, d.revision)) for d in sent]
            before = max((revision for _, revision in told if revision < wanted), default=0)
            sent = [d for d, revision in told if revision == wanted]
            steps = trace_revision(entry, subscription, silences, before, sent)
        delivered = any(d.state == "delivered" for d in sent)
        return reply(Trace(delivered, steps, [view_delivery(d) for d in sent]))


def _add_backtest(router: APIRouter, reader: AlertReader, parts: ApiParts) -> None:
    @router.post("/v1/subscriptions/{id}/backtest")
    @describe(
        "What a subscription, as it is now, would have got of the incidents of a time, as if each had been reported at "
        "its end; nothing is sent. "
        f"At most {MOST_TESTED:,} revisions of alerts are looked at; beyond, 422. The first {MOST_SHOWN:,} alerts and "
        "the first as many messages are shown; count and message_count tell of all",
        body=SpanRequest,
        answers={200: Backtest},
        example={"from": "2016-05-01T00:00:00Z", "to": "2016-06-01T00:00:00Z"},
        roles=MONITOR,
        worded=True,
    )
    async def backtest(id: str, request: Request) -> Response:
        subscription = await find_own(parts, request, id)
        span = parse(await read_body(request), SpanRequest)
        start, end = to_instant(span.start), to_instant(span.end)
        if beyond := find_beyond({"from": start, "to": end}):
            raise Problem(422, "Not valid", errors=beyond)
        if end <= start:
            raise Problem(422, "Not valid", errors=[FieldError("/to", "must lie after the start")])
        times = await reader.log.rehearsal_times(start, end, MOST_TESTED)
        if len(times) > MOST_TESTED:
            raise Problem(422, "Not valid", errors=[FieldError("/to", f"more than {MOST_TESTED} alerts; ask for less")])
        silences = await parts.silences.in_force(start, max([end, *(at for _, at in times[-1:])]))
        pages = reader.log.at_moments(times)
        got = await rehearse(subscription, pages, reader.log.numbered, silences, end, MOST_SHOWN)
        shown = [MessageView(format_instant(m.at), m.type, list(m.alerts)) for m in got.messages]
        alerts = await reader.view_all(got.alerts, language_of(request))
        return reply(Backtest(got.count, alerts, got.message_count, shown))


def _newest_alert(entries: Sequence[Logged]) -> list[Logged]:
    """The revisions of the newest of an incident's alerts; none where it has none."""
    return [entry for entry in entries if entry.alert.id == entries[-1].alert.id]


def read_revision(request: Request) -> int | None:
    """Raises Problem 400 for what is no number of a revision."""
    text = request.query_params.get("revision")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= len(text) <= 9):
        raise Problem(400, "Not valid", errors=[FieldError("/revision", "must be a number from 1")])
    return int(text)


async def find_revisions(reader: AlertReader, id: str) -> list[Logged]:
    """Every revision of an alert. Raises Problem 404."""
    found = await reader.log.revisions(id)
    if not found:
        raise Problem(404, "Not found", "There is no such alert.")
    return found


def wants_cap(accept: str) -> bool:
    """Whether CAP is asked for, and not by a browser, which takes any XML."""
    return prefers(accept, cap.CONTENT_TYPE, "application/xml", "text/xml") and "text/html" not in read_weights(accept)
