"""The HTTP API of what was sent to a subscription: each message with each attempt, and sending it again."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from schemas.instants import to_instant
from services.notify.api import LIST_QUERY, MONITOR, Desk, audited, change, find_own, problems, seen_by
from services.notify.use_cases import endpoints
from services.notify.use_cases.history import refuse_held, send_test
from services.notify.wire import DeliveryView, Queued, Recovered, RecoverRequest, view_delivery
from services.shared.http import (
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
from services.shared.validation import find_beyond


def build_deliveries_router(desk: Desk) -> APIRouter:
    router = APIRouter(tags=["subscriptions"])
    _add_reading(router, desk)
    _add_sending(router, desk)
    return router


def _add_reading(router: APIRouter, desk: Desk) -> None:
    @router.get("/v1/subscriptions/{id}/deliveries")
    @describe(
        "Every message to a subscription, newest first, with every attempt and its answer",
        answers={200: Page},
        query=LIST_QUERY,
        roles=MONITOR,
    )
    async def deliveries(id: str, request: Request) -> Response:
        await find_own(desk, request, id)
        limit, before = page_size(request), decode_cursor(request, int, str)
        found = await desk.history.page(id, before, limit + 1)
        page = make_page(found, limit, lambda d: (d.created_at, d.id))
        return reply(Page([view_delivery(seen_by(request, d)) for d in page.items], page.next, page.has_more))

    @router.get("/v1/subscriptions/{id}/deliveries/{delivery}")
    @describe("One message with every attempt", answers={200: DeliveryView}, roles=MONITOR)
    async def delivery(id: str, delivery: str, request: Request) -> Response:
        await find_own(desk, request, id)
        with problems():
            return reply(view_delivery(seen_by(request, await desk.history.get(id, delivery))))


def _add_sending(router: APIRouter, desk: Desk) -> None:
    @router.post("/v1/subscriptions/{id}/deliveries/{delivery}/resend")
    @describe("Send a message again, under the same webhook-id", answers={202: Queued}, roles=MONITOR)
    async def resend(id: str, delivery: str, request: Request) -> Response:
        subscription = await find_own(desk, request, id)
        with problems():
            refuse_held(subscription)
            now, detail = desk.clock.now(), {"delivery": delivery}
            also = audited(who(request, *MONITOR), now, "delivery.resent", id, detail)
            await desk.history.resend(id, delivery, now, also)
        desk.kick(id)
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
        await find_own(desk, request, id)
        since = to_instant(parse(await read_body(request), RecoverRequest).since)
        if beyond := find_beyond({"since": since}):
            raise Problem(422, "Not valid", errors=beyond)
        now = desk.clock.now()

        await change(desk, request, id, "subscription.recovered", lambda s: endpoints.recover(s, now))
        count = await desk.history.recover(id, since, now)
        desk.kick(id)
        return reply(Recovered(count), 202)

    @router.post("/v1/subscriptions/{id}/test")
    @describe("Send a test message", answers={202: Queued}, roles=MONITOR)
    async def test(id: str, request: Request) -> Response:
        subscription = await find_own(desk, request, id)
        with problems():
            now = desk.clock.now()
            also = audited(who(request, *MONITOR), now, "subscription.tested", id)
            sent = await send_test(subscription, now, desk.history, also)
        desk.kick(id)
        return reply(Queued(sent, "pending"), 202)
