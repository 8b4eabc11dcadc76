"""The HTTP API of what was sent to a subscription: each message with each attempt, and sending it again."""

from typing import Final, get_args

from fastapi import APIRouter, Request
from starlette.responses import Response

from schemas.instants import to_instant
from services.notify.decisions import endpoints
from services.notify.domain.lifecycle import DeliveryState
from services.notify.http.subscriptions import (
    MONITOR,
    ApiParts,
    audited,
    change,
    find_own,
    problems,
    seen_by,
)
from services.notify.http.wire import DeliveryView, Queued, Recovered, RecoverRequest, view_delivery
from services.notify.use_cases.history import RECOVERED, send_test
from services.notify.use_cases.history import resend as resend_message
from services.platform.http.bodies import parse, read_body
from services.platform.http.describe import describe
from services.platform.http.lists import ListFilter, Listing, make_page, read_list
from services.platform.http.problems import Problem
from services.platform.http.reply import reply
from services.platform.http.routes import make_router, principal_of
from services.platform.http.validation import find_beyond

DELIVERIES_LIST: Final = Listing(
    DeliveryView,
    orders=("-created", "created"),
    key=(int, str),
    times="messages made then",
    filters={
        "status": ListFilter("Messages of this status.", get_args(DeliveryState)),
        "alert": ListFilter("Messages about this alert alone."),
    },
)


def build_deliveries_router(parts: ApiParts) -> APIRouter:
    router = make_router("subscriptions")
    _add_reading(router, parts)
    _add_sending(router, parts)
    return router


def _add_reading(router: APIRouter, parts: ApiParts) -> None:
    @router.get("/v1/subscriptions/{id}/deliveries")
    @describe(
        "Every message to a subscription, with every attempt and its answer",
        lists=DELIVERIES_LIST,
        roles=MONITOR,
    )
    async def deliveries(id: str, request: Request) -> Response:
        await find_own(parts, request, id)
        query = read_list(request, DELIVERIES_LIST)
        found = await parts.history.page(id, query)
        shown = make_page(query, found, lambda d: (d.created_at, d.id), lambda d: view_delivery(seen_by(request, d)))
        return reply(shown)

    @router.get("/v1/subscriptions/{id}/deliveries/{delivery}")
    @describe("One message with every attempt", answers={200: DeliveryView}, roles=MONITOR)
    async def delivery(id: str, delivery: str, request: Request) -> Response:
        await find_own(parts, request, id)
        with problems():
            return reply(view_delivery(seen_by(request, await parts.history.get(id, delivery))))


def _add_sending(router: APIRouter, parts: ApiParts) -> None:
    @router.post("/v1/subscriptions/{id}/deliveries/{delivery}/resend")
    @describe("Send a message again, under the same webhook-id", answers={202: Queued}, roles=MONITOR)
    async def resend(id: str, delivery: str, request: Request) -> Response:
        subscription = await find_own(parts, request, id)
        with problems():
            now, detail = parts.clock.now(), {"delivery": delivery}
            also = audited(principal_of(request), now, "delivery.resent", id, detail)
            await resend_message(subscription, delivery, now, parts.history, also)
        parts.kick(id)
        return reply(Queued(delivery, "pending"), 202)

    @router.post("/v1/subscriptions/{id}/recover")
    @describe(
        "Queue again what failed or was held since a time; an endpoint that is off is switched on",
        body=RecoverRequest,
        answers={202: Recovered},
        example={"since": "2016-05-08T00:00:00Z"},
        roles=MONITOR,
        problems=(412,),
    )
    async def recover(id: str, request: Request) -> Response:
        await find_own(parts, request, id)
        since = to_instant(parse(await read_body(request), RecoverRequest).since)
        if beyond := find_beyond({"since": since}):
            raise Problem(422, "Not valid", errors=beyond)
        now = parts.clock.now()

        await change(parts, request, id, "subscription.recovered", lambda s: endpoints.recover(s, now))
        count = await parts.history.queue_again_since(id, since, RECOVERED, now)
        parts.kick(id)
        return reply(Recovered(count), 202)

    @router.post("/v1/subscriptions/{id}/test")
    @describe("Send a test message", answers={202: Queued}, roles=MONITOR)
    async def test(id: str, request: Request) -> Response:
        subscription = await find_own(parts, request, id)
        with problems():
            now = parts.clock.now()
            also = audited(principal_of(request), now, "subscription.tested", id)
            sent = await send_test(subscription, now, parts.history, also)
        parts.kick(id)
        return reply(Queued(sent, "pending"), 202)
