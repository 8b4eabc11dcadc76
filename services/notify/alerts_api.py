"""The HTTP API of alerts: the gap-free list, one alert. Source: the contract, "Alerts and subscriptions"."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.notify.domain.message import Data, alert_data
from services.notify.sql.alerts import SqlAlertLog
from services.notify.use_cases.take_alerts import Logged
from services.shared.clock import Clock
from services.shared.http import Page, Problem, decode_cursor, describe, encode_cursor, page_size, reply, who


@dataclass(frozen=True, slots=True)
class Shelf:
    """What the API of alerts works with."""

    log: SqlAlertLog
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


def build_alerts_router(shelf: Shelf) -> APIRouter:
    router = APIRouter(tags=["alerts"])

    @router.get("/v1/alerts")
    @describe(
        "Every revision of every alert, in order of commit, without gaps; there is always a next to come back with",
        answers={200: Page},
        query={"limit": "Items a page: 100, at most 1,000.", "after": "The cursor of the page before."},
        roles=("monitor",),
    )
    async def index(request: Request) -> Response:
        who(request, "monitor")
        limit, after = page_size(request), decode_cursor(request, int)
        seq = after[0] if after else 0
        found = await shelf.log.after(seq, limit + 1)
        kept = found[:limit]
        last = kept[-1].seq if kept else seq
        return reply(Page([shelf.view(entry) for entry in kept], encode_cursor(last), len(found) > limit))

    @router.get("/v1/alerts/{id}")
    @describe("The newest revision of one alert", answers={200: dict}, roles=("monitor",))
    async def get(id: str, request: Request) -> Response:
        who(request, "monitor")
        return reply(shelf.view(await find_alert(shelf, id)))

    return router


async def find_alert(shelf: Shelf, id: str) -> Logged:
    """Raises Problem 404."""
    entry = await shelf.log.latest(id)
    if entry is None:
        raise Problem(404, "Not found", "There is no such alert.")
    return entry
