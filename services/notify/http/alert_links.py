"""Links in messages lead people here: to one alert as it stands now, by a token that opens nothing else."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, TypeVar

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from schemas.assessments import Alert
from schemas.instants import SECOND
from schemas.vocabulary import Language
from schemas.wording.words import Words, words
from schemas.zones import UTC
from services.notify.domain.alert_link import LinkTo, is_good, read_token
from services.notify.domain.subscription import Subscription
from services.notify.http.alerts import AlertReader
from services.notify.http.confirm import void_page
from services.notify.http.wire import AlertView
from services.notify.kinds.alert import alert_page
from services.notify.render import alert_html, cap, wording
from services.notify.render.place_map import draw_place
from services.notify.use_cases.directory import UnknownError
from services.notify.use_cases.take_alerts import Logged
from services.platform.http.describe import describe
from services.platform.http.language import PARAMETER, answer_in, choose_language
from services.platform.http.reply import reply
from services.platform.http.routes import make_router

T = TypeVar("T")

_HEADERS: Final = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_UNTIL: Final = ". The token ends with the subscription or after 90 days; then, as for any other, 404"


class LinkedSubscriptions(Protocol):
    async def load(self, id: str) -> Subscription: ...


@dataclass(frozen=True, slots=True)
class Opened:
    """An alert that a token opens: every revision of it, and the language of its reader."""

    said: LinkTo
    revisions: Sequence[Logged]
    language: Language

    @property
    def newest(self) -> Logged:
        return self.revisions[-1]


def build_links_router(reader: AlertReader, store: LinkedSubscriptions) -> APIRouter:
    router = make_router("alerts")

    async def answer(request: Request, token: str, write: Callable[[Opened], Response]) -> Response:
        found = await _open(request, token, reader, store)
        return void_page(request, "page.void.alert") if found is None else write(found)

    @router.get("/a/{token}")
    @_describe("The page that a message's link leads to: one alert as it stands now, for people", "text/html")
    async def page(token: str, request: Request) -> Response:
        def write(found: Opened) -> Response:
            html = alert_html.render_alert(_show(found, reader, f"/a/{token}"), words(found.language))
            return HTMLResponse(html, headers={**_HEADERS, "content-security-policy": alert_html.policy()})

        return await answer(request, token, write)

    @router.get("/a/{token}/json")
    @_describe("The alert of a message's link as JSON", AlertView)
    async def as_json(token: str, request: Request) -> Response:
        return await answer(
            request, token, lambda found: reply(reader.view(found.newest, found.language), headers=_HEADERS)
        )

    @router.get("/a/{token}/cap")
    @_describe("The alert of a message's link as CAP 1.2", cap.CONTENT_TYPE)
    async def as_cap(token: str, request: Request) -> Response:
        return await answer(
            request,
            token,
            lambda found: Response(reader.cap(found.revisions), media_type=cap.CONTENT_TYPE, headers=_HEADERS),
        )

    return router


def _describe(summary: str, answer: Any) -> Callable[[T], T]:
    return describe(summary + _UNTIL, answers={200: answer, 404: "text/html"}, roles=None, worded=True)


async def _open(request: Request, token: str, reader: AlertReader, store: LinkedSubscriptions) -> Opened | None:
    """The alert that the token opens now; None where it opens nothing, whatever the cause."""
    said = read_token(token)
    if said is None:
        return None
    try:
        subscription = await store.load(said.subscription)
    except UnknownError:
        return None
    if not is_good(token, subscription, reader.clock.now()):
        return None
    revisions = await reader.log.revisions(said.alert)
    return Opened(said, revisions, _language(request, subscription)) if revisions else None


def _language(request: Request, subscription: Subscription) -> Language:
    """The language that the link asks for, else the subscription's: the reader comes from a message in it."""
    if PARAMETER in request.query_params:
        return choose_language(request)
    answer_in(request, subscription.draft.language)
    return subscription.draft.language


def _show(found: Opened, reader: AlertReader, data: str) -> alert_html.Shown:
    alert, language = found.newest.alert, found.language
    say, place = words(language), alert.place
    drawn = {
        area: outlines
        for area in dict.fromkeys([*([place.area] if place.area else []), *alert.areas])
        if (outlines := reader.outlines_of(area))
    }
    page = alert_page(alert, status=alert.status, language=language)
    until = say.day(found.said.until_s * SECOND, UTC)
    return alert_html.Shown(
        page=replace(page, notes=(say.say("mail.link_note"), say.say("page.alert.own", day=until))),
        later=[_later(one, say) for one in found.revisions if one.alert.revision > found.said.revision],
        map=draw_place(place, list(drawn.values())),
        place=wording.place_name(alert, say),
        areas=_names(alert, list(drawn), say),
        data=data,
    )


def _later(entry: Logged, say: Words) -> alert_html.Later:
    alert = entry.alert
    return alert_html.Later(
        say.name("status", alert.status),
        say.moment_with_offset(entry.recorded_at, wording.zone_of(alert)),
        wording.changes(alert, say.language),
    )


def _names(alert: Alert, areas: Sequence[str], say: Words) -> str:
    return say.join([say.foreign(wording.id_name(alert, say.language, area)) for area in areas])
