"""The HTTP API of blocked addresses, by which an operator lets one be mailed again."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from schemas.instants import format_instant
from services.notify.api import LIST_QUERY, Desk
from services.notify.wire import BlockView
from services.shared import audit
from services.shared.http import Page, Problem, decode_cursor, describe, make_page, page_size, reply, who


def build_blocks_router(desk: Desk) -> APIRouter:
    router = APIRouter(tags=["subscriptions"])

    @router.get("/v1/mail-blocks")
    @describe(
        "Addresses whose readers blocked them, the newest block first", answers={200: Page}, query=LIST_QUERY,
        roles=("operator",),
    )  # fmt: skip
    async def index(request: Request) -> Response:
        who(request, "operator")
        limit, before = page_size(request), decode_cursor(request, int, str)
        found = await desk.store.blocks(before, limit + 1)
        page = make_page(found, limit, lambda b: (b.blocked_at, b.id))
        views = [BlockView(b.id, b.address, format_instant(b.blocked_at)) for b in page.items]
        return reply(Page(views, page.next, page.has_more))

    @router.delete("/v1/mail-blocks/{id}")
    @describe(
        "Lift a block, since the reader of the address asked for it; subscriptions there are to be confirmed anew",
        answers={204: None},
        roles=("operator",),
    )
    async def delete(id: str, request: Request) -> Response:
        principal, now = who(request, "operator"), desk.clock.now()

        def also(connection: Any) -> None:
            audit.record(
                connection, at=now, actor=principal.actor, action="mail_block.lifted", resource=f"mail-blocks/{id}"
            )

        if not await desk.store.lift_block(id, also):
            raise Problem(404, "Not found", "There is no such block.")
        return Response(status_code=204)

    return router
