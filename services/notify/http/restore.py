"""The HTTP API of a restored storage: whether deliveries are held, and sending again."""

from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter, Request
from msgspec import Struct
from starlette.responses import Response

from schemas.instants import format_instant
from services.notify.domain.generation import Generation
from services.notify.sending.observer import BacklogSource
from services.notify.sql.generations import GenerationStore
from services.platform import audit
from services.platform.clock import Clock
from services.platform.http.describe import describe
from services.platform.http.reply import reply
from services.platform.http.routes import make_router, principal_of

_EXAMPLE: Final = {
    "generation": "9f2c4e6a1b3d5f70",
    "restored_at": "2016-05-08T12:00:00Z",
    "deliveries": "held",
    "waiting": 12,
}


class Restored(Struct, frozen=True):
    """``generation`` names the log as it is since the last restore, ``restored_at`` when that was (null: never).
    ``deliveries`` are held after a restore until they are released; ``waiting`` is how many messages there are to send,
    retries included."""

    generation: str
    restored_at: str | None
    deliveries: str
    waiting: int


def build_restore_router(
    storage: GenerationStore,
    queue: BacklogSource,
    clock: Clock,
    pause: Callable[[bool], None],
    kick: Callable[[], None],
) -> APIRouter:
    router = make_router("operators")

    async def view() -> Response:
        found = storage.generation
        restored_at = None if found.restored_at is None else format_instant(found.restored_at)
        return reply(Restored(found.id, restored_at, "held" if found.held else "sent", await queue.backlog()))

    @router.get("/v1/restore")
    @describe(
        "Whether the storage was restored from a backup, and whether deliveries are held since",
        answers={200: Restored},
        example=_EXAMPLE,
        roles=("operator",),
    )
    async def get(request: Request) -> Response:
        return await view()

    @router.post("/v1/restore/release")
    @describe(
        "Send again after a restore: what waits goes out, under the ids that it had before",
        answers={200: Restored},
        example=_EXAMPLE | {"deliveries": "sent"},
        roles=("operator",),
    )
    async def release(request: Request) -> Response:
        principal, now = principal_of(request), clock.now()

        def also(connection: Any) -> None:
            audit.record(connection, at=now, actor=principal.actor, action="deliveries.released", resource="restore")

        if storage.generation.held:
            await storage.release(also)
            pause(storage.generation.held)
            kick()
        return await view()

    return router


def tell_held(generation: Generation) -> str | None:
    """For ``/status``; None where deliveries are not held."""
    if not generation.held or generation.restored_at is None:
        return None
    since = format_instant(generation.restored_at)
    return f"nothing is sent since the storage was restored at {since}: POST /v1/restore/release when all is well"
