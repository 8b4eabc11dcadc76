"""The console over HTTP: ``/status`` as JSON or as a page with the two files that it needs, and the desk."""

from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

import schemas
from services.console.desk import desk_router
from services.console.page import StatusPage, read_static
from services.console.reference import reference_router
from services.platform.clock import Clock
from services.platform.http.accept import prefers
from services.platform.http.describe import describe
from services.platform.http.language import answer_in, language_of
from services.platform.http.reply import reply
from services.platform.http.routes import add_routes, make_router
from services.status.report import Status

HTML: Final = "text/html"
_FILES: Final = {"live.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml"}

Supply = Callable[[], Awaitable[Status]]


def status_router(supply: Supply, clock: Clock, basemap: str | None = None) -> APIRouter:
    """The routes of the console. ``supply`` composes the status at each request; none of them needs a key. ``basemap``:
    the operator's own archive of PMTiles."""
    router = make_router("operators")
    page = StatusPage()
    document = files(schemas).joinpath("generated", "openapi.json").read_bytes()

    async def show(request: Request) -> Response:
        html = page.render(await supply(), clock.now(), language_of(request))
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
        worded=True,
    )
    async def status(request: Request) -> Response:
        if prefers(request.headers.get("accept", ""), HTML):
            return await show(request)
        answer_in(request, "en")
        return reply(await supply(), headers={"vary": "accept", "cache-control": "no-store"})

    @router.get("/openapi.json")
    @describe("The OpenAPI document", roles=None, published=False)
    async def openapi() -> Response:
        return Response(document, headers={"cache-control": "no-cache"}, media_type="application/json")

    for name, kind in _FILES.items():
        _add_file(router, name, kind)
    add_routes(router, [reference_router(), desk_router(None if basemap is None else Path(basemap))])
    return router


def _add_file(router: APIRouter, name: str, kind: str) -> None:
    content = read_static(name)

    @router.get(f"/console/{name}")
    @describe("A file of the console", roles=None, published=False)
    async def file() -> Response:
        return Response(content, headers={"cache-control": "no-cache"}, media_type=kind)


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
    "adapters": {"active": 2, "failing": []},
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
