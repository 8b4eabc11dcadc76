"""The console in a real browser, over a server that answers as the API does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
import uvicorn
from fastapi import FastAPI, Request
from playwright.async_api import Page, expect
from starlette.responses import JSONResponse

from services.console.api import status_router
from services.openapi.examples import ALERT
from services.platform.process.lifecycle import bind
from services.status.report import Status
from tests.fakes import DrivenClock
from tests.parts.chromium import DESKTOP, Chromium
from tests.unit.console.test_status import compose

KEY = "tw_right"
TELEPHONE: Any = {"width": 390, "height": 800}


@dataclass
class Server:
    """The status that the browser sees; a test changes it as it goes."""

    url: str = ""
    status: Status = field(default_factory=compose)
    alerts: list[dict[str, Any]] = field(default_factory=lambda: [dict(ALERT)])

    def app(self) -> FastAPI:
        app = FastAPI(openapi_url=None, docs_url=None)

        async def supply() -> Status:
            return self.status

        @app.get("/v1/alerts")
        async def alerts(request: Request) -> JSONResponse:
            if request.headers.get("authorization") != f"Bearer {KEY}":
                return JSONResponse({}, 401)
            after = int(request.query_params.get("after", 0))
            items = self.alerts[after : after + 2]
            more = after + 2 < len(self.alerts)
            return JSONResponse({"items": items, "next": str(after + len(items)), "has_more": more})

        app.include_router(status_router(supply, DrivenClock()))
        return app


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server, listener = Server(), bind("127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    running = uvicorn.Server(uvicorn.Config(server.app(), log_config=None, lifespan="off"))
    task = asyncio.create_task(running.serve(sockets=[listener]))
    try:
        yield server
    finally:
        running.should_exit = running.force_exit = True
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def opened(chromium: Chromium, path: str = "", viewport: Any = DESKTOP) -> AsyncIterator[tuple[Server, Page]]:
    """The page, which must neither fail nor break its own policy as long as a test looks at it."""
    complaints: list[str] = []
    async with serving() as server, chromium.page(viewport) as page:
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if "policy" in said.text.lower() else None)
        await page.goto(server.url + path)
        yield server, page
        assert complaints == []


async def test_a_link_with_a_key_shows_alerts_and_the_key_leaves_the_address_bar(chromium: Chromium) -> None:
    async with opened(chromium, f"status#key={KEY}") as (server, page):
        await expect(page.locator(".alert")).to_have_count(1)
        await expect(page.locator(".headline")).to_have_text(ALERT["headline"])
        assert page.url == server.url + "status"
        server.alerts += [{**ALERT, "id": f"a{n}", "headline": f"news {n}"} for n in range(5)]
        await expect(page.locator(".alert")).to_have_count(6)
        await expect(page.locator(".headline").first).to_have_text("news 4")


async def test_a_later_revision_takes_the_place_of_the_one_before(chromium: Chromium) -> None:
    async with opened(chromium, f"status#key={KEY}") as (server, page):
        await expect(page.locator(".alert")).to_have_count(1)
        server.alerts.append({**ALERT, "revision": 2, "status": "cancelled", "headline": "no longer"})
        await expect(page.locator(".alert.cancelled .headline")).to_have_text("no longer")
        await expect(page.locator(".alert")).to_have_count(1)


async def test_what_a_report_says_is_never_markup(chromium: Chromium) -> None:
    async with opened(chromium, f"status#key={KEY}") as (server, page):
        server.alerts.append({**ALERT, "id": "evil", "headline": "<img src=x onerror=alert(1)>"})
        await expect(page.locator(".headline").first).to_have_text("<img src=x onerror=alert(1)>")
        assert await page.locator(".alert img").count() == 0


async def test_a_key_is_asked_for_refused_taken_and_forgotten(chromium: Chromium) -> None:
    async with opened(chromium, "status") as (_server, page):
        await page.get_by_label("API key").fill("tw_wrong")
        await page.get_by_role("button", name="Show alerts").click()
        await expect(page.locator("#live-note")).to_have_text("This key is not valid, or no longer.")
        await page.get_by_label("API key").fill(KEY)
        await page.get_by_role("button", name="Show alerts").click()
        await expect(page.locator(".alert")).to_have_count(1)
        await page.get_by_role("button", name="Forget the key").click()
        await expect(page.locator(".alert")).to_have_count(0)
        assert await page.evaluate("sessionStorage.getItem('key')") is None


async def test_the_status_refreshes_by_itself(chromium: Chromium) -> None:
    async with opened(chromium, "status") as (server, page):
        await expect(page.get_by_role("heading", level=1)).to_have_text("All is well")
        server.status = compose(bus=False)
        await expect(page.get_by_role("heading", level=1)).to_have_text("Alerts cannot flow", timeout=10_000)
        await expect(page).to_have_title("Alerts cannot flow · Trucewatch")
        await expect(page.get_by_role("status")).to_have_text("Alerts cannot flow")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, TELEPHONE])
async def test_nothing_runs_over_the_edge(chromium: Chromium, viewport: Any, scheme: Literal["light", "dark"]) -> None:
    async with opened(chromium, f"status#key={KEY}", viewport) as (_server, page):
        await page.emulate_media(color_scheme=scheme)
        await expect(page.locator(".alert")).to_have_count(1)
        assert await page.evaluate("document.documentElement.scrollWidth") == viewport["width"]


async def test_the_reference_shows_every_operation_and_asks_nobody_else(chromium: Chromium) -> None:
    asked: list[str] = []
    complaints: list[str] = []
    async with serving() as server, chromium.page(DESKTOP) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        await page.goto(server.url + "docs")
        await expect(page.locator(".opblock-summary").first).to_be_visible(timeout=60_000)
        document = await (await page.request.get(server.url + "openapi.json")).json()
        operations = sum(len(path) for path in document["paths"].values())
        await expect(page.locator(".opblock")).to_have_count(operations)
        post = page.locator(".opblock-post", has_text="/v1/incidents").first
        await post.locator(".opblock-summary-control").click()
        await expect(post.get_by_text("Idempotency-Key").first).to_be_visible()
    assert complaints == []
    assert [url for url in asked if not url.startswith((server.url, "data:"))] == []


@pytest.mark.parametrize("viewport", [DESKTOP, TELEPHONE])
async def test_arabic_reads_from_right_to_left(chromium: Chromium, viewport: Any) -> None:
    async with opened(chromium, f"status?language=ar#key={KEY}", viewport) as (server, page):
        await expect(page.get_by_role("heading", level=1)).to_have_text("كل شيء على ما يرام")
        await expect(page.locator(".alert .meta")).to_contain_text("تنبيه جديد")
        assert await page.evaluate("getComputedStyle(document.body).direction") == "rtl"
        first, last = page.locator(".card").first, page.locator(".card").last
        left, right = await last.bounding_box(), await first.bounding_box()
        assert left is not None
        assert right is not None
        assert left["x"] < right["x"] or viewport is TELEPHONE
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        server.status = compose(bus=False)
        await expect(page.get_by_role("heading", level=1)).to_have_text("التنبيهات متعطلة", timeout=10_000)
