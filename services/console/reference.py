"""``/docs``: the API's reference, readable in a browser without a request to anywhere else.

Swagger UI as ``fastapi-offline`` ships it, over our own OpenAPI document.
"""

from importlib.resources import files
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from services.console.page import read_static
from services.platform.http.describe import describe
from services.platform.http.routes import make_router

#: By the last part of its path: the file's package, its place there and its type.
FILES: Final = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
}
#: Swagger UI sets styles on elements, and draws its marks from data: URLs.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "style-src 'self' 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}


def reference_router() -> APIRouter:
    """The page, its script, and the two files of Swagger UI. None needs a key."""
    router = make_router("operators")
    page, start = read_static("reference.html"), read_static("reference.js")
    bundled = files("fastapi_offline").joinpath("static")
    static = {name: bundled.joinpath(name).read_bytes() for name in FILES}

    @router.get("/docs")
    @describe("The reference of the API", roles=None, published=False)
    async def reference() -> Response:
        headers = {"content-security-policy": POLICY, "cache-control": "no-cache", **_HEADERS}
        return Response(page, headers=headers, media_type="text/html")

    @router.get("/docs/{name}")
    @describe("A file of the reference", roles=None, published=False)
    async def file(name: str) -> Response:
        if name == "reference.js":
            return Response(start, headers=_HEADERS, media_type=FILES["swagger-ui-bundle.js"])
        if name not in static:
            return Response(status_code=404)
        headers = {"cache-control": "max-age=86400", **_HEADERS}
        return Response(static[name], headers=headers, media_type=FILES[name])

    return router
