"""The two pages that come from a mail: confirming a subscription, and ending one in one click (RFC 8058).

GET shows a page with a button; only POST changes anything, since mail scanners follow every link.
"""

import html
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from services.notify.api import Desk
from services.notify.domain.lifecycle import NotPossibleError
from services.notify.domain.subscription import Subscription
from services.notify.use_cases import endpoints
from services.shared.http import describe

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer"><title>{title}</title>
<style>body{{font:1.05rem/1.5 system-ui,sans-serif;max-width:34rem;margin:4rem auto;padding:0 1rem;
color:#1b1f24;background:#fff}}button{{font:inherit;padding:.6rem 1.4rem;border:0;border-radius:.4rem;
background:#0b5cad;color:#fff}}@media(prefers-color-scheme:dark){{body{{color:#e6e6e6;background:#16181c}}}}</style>
</head><body><h1>{title}</h1><p>{text}</p>{form}</body></html>"""
_QUERY: Final = {"token": "The token of the link."}
_FORM: Final = '<form method="post"><button type="submit">{label}</button></form>'
_HEADERS: Final = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def build_pages_router(desk: Desk) -> APIRouter:
    router = APIRouter(tags=["subscriptions"])
    _add_confirm(router, desk)
    _add_unsubscribe(router, desk)
    return router


def _add_confirm(router: APIRouter, desk: Desk) -> None:
    async def waiting(token: str) -> Subscription | None:
        """The subscription that a confirmation token is good for now."""
        found = await desk.store.find(nonce=token)
        if found is None or found.nonce_until is None or found.nonce_until <= desk.clock.now():
            return None
        return found

    @router.get("/v1/confirm")
    @describe("The page whose button confirms", answers={200: "text/html", 404: "text/html"}, query=_QUERY, roles=None)
    async def show_confirm(token: str = "") -> Response:
        found = await waiting(token)
        if found is None:
            return _void()
        return _page(
            "Confirm the subscription", f"Alerts for {_named(found)} will be sent to {found.target}.", "Confirm"
        )

    @router.post("/v1/confirm")
    @describe("Confirm a subscription", answers={200: "text/html", 404: "text/html"}, query=_QUERY, roles=None)
    async def do_confirm(token: str = "") -> Response:
        found = await waiting(token)
        if found is None:
            return _void()
        now = desk.clock.now()
        try:
            await endpoints.change(
                found.id, lambda s: endpoints.confirm(s, token, now),
                store=desk.store, directory=desk.directory, also=_nothing,
            )  # fmt: skip
        except NotPossibleError:
            return _void()
        return _page("Confirmed", f"Alerts for {_named(found)} will be sent to {found.target}.")


def _add_unsubscribe(router: APIRouter, desk: Desk) -> None:
    @router.get("/v1/unsubscribe")
    @describe(
        "The page whose button unsubscribes", answers={200: "text/html", 404: "text/html"}, query=_QUERY, roles=None
    )
    async def show_unsubscribe(token: str = "") -> Response:
        found = await desk.store.find(token=token)
        if found is None:
            return _void()
        return _page("Unsubscribe", f"End {_named(found)} for {found.target}?", "Unsubscribe")

    @router.post("/v1/unsubscribe")
    @describe(
        "Unsubscribe in one click (RFC 8058); doing it twice is no error",
        body="application/x-www-form-urlencoded",
        answers={200: "text/html", 404: "text/html"},
        query=_QUERY,
        roles=None,
    )
    async def do_unsubscribe(request: Request, token: str = "") -> Response:
        found = await desk.store.find(token=token)
        if found is None:
            return _void()
        now = desk.clock.now()
        await endpoints.change(
            found.id, lambda s: endpoints.end(s, now, "unsubscribed by mail"),
            store=desk.store, directory=desk.directory, also=_nothing,
        )  # fmt: skip
        return _page("Unsubscribed", f"Nothing more is sent to {found.target} for {_named(found)}.")


def _named(subscription: Subscription) -> str:
    return f"“{subscription.draft.name}”" if subscription.draft.name else "this subscription"


def _page(title: str, text: str, button: str | None = None, status: int = 200) -> Response:
    form = _FORM.format(label=html.escape(button)) if button else ""
    return HTMLResponse(_PAGE.format(title=html.escape(title), text=html.escape(text), form=form), status, _HEADERS)


def _void() -> Response:
    return _page("This link is no longer good", "It was used already, or is too old. Ask for a new one.", status=404)


def _nothing(_connection: object) -> None:
    return None
