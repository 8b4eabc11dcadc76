"""The HTTP API of alerts: the gap-free list, one alert in two forms, why it went where it went."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from schemas.instants import format_instant, to_instant
from services.notify.api import MONITOR, Desk, find_own, seen_by
from services.notify.courier import render_cap
from services.notify.domain import cap
from services.notify.domain.message import Data, alert_data
from services.notify.positions import Positions
from services.notify.sql.alerts import SqlAlertLog
from services.notify.use_cases.explain import rehearse, trace_alert
from services.notify.use_cases.take_alerts import Logged
from services.notify.wire import Backtest, MessageView, SpanRequest, Trace, view_delivery
from services.shared.clock import Clock
from services.shared.http import (
    PROBLEM_TYPE,
    FieldError,
    Page,
    Problem,
    describe,
    page_size,
    parse,
    read_body,
    reply,
    who,
)
from services.shared.validation import find_beyond

#: A backtest looks at no more alerts than this, and shows no more than that many of them.
MOST_TESTED = 100_000
MOST_SHOWN = 1_000
VIEWED_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Shelf:
    """What the API of alerts works with."""

    log: SqlAlertLog
    positions: Positions
    clock: Clock
    public_url: str

    def view(self, entry: Logged) -> Data:
        """An alert in English, as every list and the stream show it."""
        return alert_data(
            entry.alert,
            status=entry.alert.status,
            language="en",
            sent_at=entry.recorded_at,
            public_url=self.public_url,
        )

    async def view_all(self, entries: Sequence[Logged]) -> list[msgspec.Raw]:
        """The views of many alerts, in JSON, without holding the event loop for more than a few milliseconds."""
        views = []
        for number, entry in enumerate(entries, 1):
            views.append(msgspec.Raw(msgspec.json.encode(self.view(entry))))
            if number % VIEWED_AT_ONCE == 0:
                await asyncio.sleep(0)
        return views


def build_alerts_router(shelf: Shelf, desk: Desk) -> APIRouter:
    router = APIRouter(tags=["alerts"])
    _add_reading(router, shelf)
    _add_explaining(router, shelf, desk)
    return router


def _add_reading(router: APIRouter, shelf: Shelf) -> None:
    @router.get("/v1/alerts")
    @describe(
        "Every revision of every alert, in order of commit, without gaps; there is always a next to come back with. "
        "410 restored-log: the log was put back to before this cursor; begin holds the one to go on with",
        answers={200: Page, 410: PROBLEM_TYPE},
        query={"limit": "Items a page: 100, at most 1,000.", "after": "The cursor of the page before."},
        roles=MONITOR,
    )
    async def index(request: Request) -> Response:
        who(request, *MONITOR)
        limit, seq = page_size(request), await shelf.positions.find(request) or 0
        found = await shelf.log.after(seq, limit + 1)
        kept = found[:limit]
        last = kept[-1].seq if kept else seq
        return reply(Page(await shelf.view_all(kept), shelf.positions.encode(last), len(found) > limit))

    @router.get("/v1/alerts/{id}")
    @describe(
        "The newest revision of one alert; as CAP 1.2 where the Accept header asks for application/cap+xml",
        answers={200: dict},
        roles=MONITOR,
    )
    async def get(id: str, request: Request) -> Response:
        who(request, *MONITOR)
        revisions = await find_revisions(shelf, id)
        if wants_cap(request.headers.get("accept", "")):
            newest = revisions[-1].alert
            xml = render_cap(newest, newest.status, revisions, shelf.public_url)
            return Response(xml, media_type=cap.CONTENT_TYPE, headers={"vary": "accept"})
        return reply(shelf.view(revisions[-1]), headers={"vary": "accept"})


def _add_explaining(router: APIRouter, shelf: Shelf, desk: Desk) -> None:
    @router.get("/v1/alerts/{id}/trace")
    @describe(
        "Why a subscription got an alert, or did not: every step, to the first that did not let it pass",
        answers={200: Trace},
        query={"subscription": "The id of the subscription."},
        roles=MONITOR,
    )
    async def trace(id: str, request: Request) -> Response:
        who(request, *MONITOR)
        subscription = await find_own(desk, request, request.query_params.get("subscription", ""))
        revisions = await find_revisions(shelf, id)
        silences = await desk.store.silences_at(revisions[0].recorded_at, revisions[-1].recorded_at + 1)
        sent = [seen_by(request, d) for d in await desk.history.about(subscription.id, id)]
        steps = await trace_alert(revisions, subscription, silences, sent)
        delivered = any(d.state == "delivered" for d in sent)
        return reply(Trace(delivered, steps, [view_delivery(d) for d in sent]))

    @router.post("/v1/subscriptions/{id}/backtest")
    @describe(
        "What a subscription, as it is now, would have got of the alerts of a time; nothing is sent. "
        f"At most {MOST_TESTED:,} revisions of alerts are looked at; beyond, 422. The first {MOST_SHOWN:,} alerts and "
        "the first as many messages are shown; count and message_count tell of all",
        body=SpanRequest,
        answers={200: Backtest},
        example={"from": "2016-05-01T00:00:00Z", "to": "2016-06-01T00:00:00Z"},
        roles=MONITOR,
    )
    async def backtest(id: str, request: Request) -> Response:
        subscription = await find_own(desk, request, id)
        span = parse(await read_body(request), SpanRequest)
        start, end = to_instant(span.start), to_instant(span.end)
        if beyond := find_beyond({"from": start, "to": end}):
            raise Problem(422, "Not valid", errors=beyond)
        if end <= start:
            raise Problem(422, "Not valid", errors=[FieldError("/to", "must lie after the start")])
        count, last = await shelf.log.extent(start, end)
        if count > MOST_TESTED:
            raise Problem(422, "Not valid", errors=[FieldError("/to", f"more than {MOST_TESTED} alerts; ask for less")])
        pages, silences = shelf.log.between(start, end, last), await desk.store.silences_at(start, end)
        got = await rehearse(subscription, pages, shelf.log.numbered, silences, end, MOST_SHOWN)
        shown = [MessageView(format_instant(m.at), m.type, list(m.alerts)) for m in got.messages]
        return reply(Backtest(got.count, await shelf.view_all(got.alerts), got.message_count, shown))


async def find_revisions(shelf: Shelf, id: str) -> list[Logged]:
    """Every revision of an alert. Raises Problem 404."""
    found = await shelf.log.revisions(id)
    if not found:
        raise Problem(404, "Not found", "There is no such alert.")
    return found


def wants_cap(accept: str) -> bool:
    """Whether CAP is asked for, and not less than JSON."""
    weights = {}
    for part in accept.split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        try:
            weights[kind] = float(quality)
        except ValueError:
            weights[kind] = 0.0
    asked = max(weights.get(kind, 0.0) for kind in (cap.CONTENT_TYPE, "application/xml", "text/xml"))
    return asked > 0 and asked >= weights.get("application/json", 0.0) and "text/html" not in weights
