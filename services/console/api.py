"""The console over HTTP: ``/status`` as JSON or as a page, ``/`` the same page, and the two files that it needs."""

from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.console.page import Page, read_static
from services.console.reference import reference_router
from services.console.status import Status
from services.shared.clock import Clock
from services.shared.http import describe, reply

HTML: Final = "text/html"
_FILES: Final = {"live.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml"}

Supply = Callable[[], Awaitable[Status]]


def wants_page(accept: str) -> bool:
    """Whether an Accept header prefers HTML to JSON. A browser names HTML; ``*/*`` alone means JSON."""
    weights = dict(_weigh(part) for part in accept.split(",") if part.strip())
    page = weights.get(HTML, 0.0)
    return page > 0 and page >= weights.get("application/json", 0.0)


def _weigh(part: str) -> tuple[str, float]:
    kind, *parameters = (piece.strip() for piece in part.lower().split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return kind, float(value)
            except ValueError:
                return kind, 0.0
    return kind, 1.0


def status_router(supply: Supply, clock: Clock) -> APIRouter:
    """The routes of the console. ``supply`` composes the status at each request; none of them needs a key."""
    router = APIRouter(tags=["operators"])
    page = Page()
    document = files("schemas").joinpath("generated", "openapi.json").read_bytes()
    static = {name: read_static(name) for name in _FILES}

    async def show() -> Response:
        html = page.render(await supply(), clock.now())
        headers = {
            "content-security-policy": page.policy,
            "cache-control": "no-store",
            "vary": "accept",
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
        }
        return Response(html, headers=headers, media_type=HTML)

    @router.get("/status")
    @describe(
        "How the whole system fares; a page for a browser",
        answers={200: Status},
        example=EXAMPLE,
        roles=None,
    )
    async def status(request: Request) -> Response:
        if wants_page(request.headers.get("accept", "")):
            return await show()
        return reply(await supply(), headers={"vary": "accept", "cache-control": "no-store"})

    @router.get("/", include_in_schema=False)
    async def home() -> Response:
        return await show()

    @router.get("/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        return Response(document, headers={"cache-control": "no-cache"}, media_type="application/json")

    @router.get("/console/{name}", include_in_schema=False)
    async def file(name: str) -> Response:
        if name not in static:
            return Response(status_code=404)
        return Response(static[name], headers={"cache-control": "no-cache"}, media_type=_FILES[name])

    router.include_router(reference_router())
    return router


EXAMPLE: Final = {
    "status": "ok",
    "version": "0.1.0",
    "components": {
        "ingest": {"state": "ok"},
        "rules": {"state": "ok", "lag": 0},
        "notify": {"state": "ok", "lag": 0},
        "bus": {"state": "ok"},
        "database": {"state": "ok"},
    },
    "oldest_unassessed_s": None,
    "last_report_at": "2016-05-08T09:12:00Z",
    "deliveries": {"backlog": 2, "failure_rate": 0.004, "disabled_endpoints": 0},
    "subscriptions": {"active": 12, "failing": [], "disabled": 0},
    "mail": {"state": "ok", "detail": ""},
    "silences": {"active": 1},
    "review": {"open": 0},
    "reassessments": {"running": 0},
    "dead_letters": 0,
    "truces": {
        "in_force": [
            {
                "id": "aleppo-calm",
                "name": {"en": "Aleppo calm"},
                "from": "2016-05-06T21:01:00Z",
                "to": "2016-05-09T21:01:00Z",
                "disputed": False,
                "timezone": "Asia/Damascus",
            }
        ],
        "ending_next": [],
    },
    "last_heartbeat": None,
}
