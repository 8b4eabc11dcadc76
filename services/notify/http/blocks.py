"""The HTTP API of blocked addresses, by which an operator lets one be mailed again."""

from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from schemas.instants import format_instant
from services.notify.http.subscriptions import ApiParts
from services.notify.http.wire import BlockView
from services.notify.sql.confirmations import Block
from services.platform import audit
from services.platform.http.describe import describe
from services.platform.http.lists import Listing, make_page, read_list
from services.platform.http.problems import Problem
from services.platform.http.reply import reply
from services.platform.http.routes import make_router, principal_of

BLOCKS_LIST: Final = Listing(BlockView, orders=("-blocked", "blocked"), key=(int, str), times="blocks of then")


def _view(block: Block) -> BlockView:
    return BlockView(block.id, block.address, format_instant(block.blocked_at))


def build_blocks_router(parts: ApiParts) -> APIRouter:
    router = make_router("subscriptions")

    @router.get("/v1/mail-blocks")
    @describe("Addresses whose readers blocked them", lists=BLOCKS_LIST, roles=("operator",))
    async def index(request: Request) -> Response:
        query = read_list(request, BLOCKS_LIST)
        return reply(make_page(query, await parts.blocks.page(query), lambda b: (b.blocked_at, b.id), _view))

    @router.delete("/v1/mail-blocks/{id}")
    @describe(
        "Lift a block, since the reader of the address asked for it; subscriptions there are to be confirmed anew",
        answers={204: None},
        roles=("operator",),
    )
    async def delete(id: str, request: Request) -> Response:
        principal, now = principal_of(request), parts.clock.now()

        def also(connection: Any) -> None:
            audit.record(
                connection, at=now, actor=principal.actor, action="mail_block.lifted", resource=f"mail-blocks/{id}"
            )

        if not await parts.blocks.lift(id, also):
            raise Problem(404, "Not found", "There is no such block.")
        return Response(status_code=204)

    return router
