"""The pages that come from a mail: confirming, blocking an address, and unsubscribing in one click (RFC 8058).

GET shows a page with a button; only POST changes anything, since mail scanners follow every link.
"""

import html
from collections.abc import Callable
from typing import Any, Final, TypeVar

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from services.notify.api import Desk
from services.notify.domain.lifecycle import NotPossibleError
from services.notify.domain.own_headers import hide_user
from services.notify.domain.subscription import Subscription
from services.notify.use_cases import endpoints
from services.shared.http import describe

T = TypeVar("T")

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


def _describe(summary: str, **more: Any) -> Callable[[T], T]:
    """Every page is reached by a token alone, and says so where that is no longer good."""
    return describe(summary, answers={200: "text/html", 404: "text/html"}, query=_QUERY, roles=None, **more)


def build_pages_router(desk: Desk) -> APIRouter:
    router = APIRouter(tags=["subscriptions"])
    _add_confirm(router, desk)
    _add_block(router, desk)
    _add_unsubscribe(router, desk)
    return router


def _add_confirm(router: APIRouter, desk: Desk) -> None:
    async def waiting(token: str) -> tuple[Subscription, bool] | None:
        """The subscription that a confirmation token is good for now, and whether it is the contact's."""
        now = desk.clock.now()
        found = await desk.store.find(nonce=token)
        if found is not None and found.nonce_until is not None and now < found.nonce_until:
            return found, False
        found = await desk.store.find(contact_nonce=token)
        if found is None or found.contact_until is None or found.contact_until <= now or found.state == "ended":
            return None
        return found, True

    @router.get("/v1/confirm")
    @_describe("The page whose button confirms")
    async def show_confirm(token: str = "") -> Response:
        found = await waiting(token)
        if found is None:
            return _void()
        title = "Confirm the contact address" if found[1] else "Confirm the subscription"
        return _page(title, _promise(*found), "Confirm")

    @router.post("/v1/confirm")
    @_describe("Confirm a subscription, or a contact address")
    async def do_confirm(token: str = "") -> Response:
        found = await waiting(token)
        if found is None:
            return _void()
        now = desk.clock.now()
        decide = endpoints.confirm_contact if found[1] else endpoints.confirm
        try:
            await endpoints.change(
                found[0].id, lambda s: decide(s, token, now),
                store=desk.store, directory=desk.directory, also=_nothing,
            )  # fmt: skip
        except NotPossibleError:
            return _void()
        return _page("Confirmed", _promise(*found))


def _promise(subscription: Subscription, contact: bool) -> str:
    """The sentence that the reader agrees to."""
    if contact:
        named = f"Word about the endpoint of {_named(subscription)}, and about silences that end,"
        return f"{named} will be sent to {subscription.draft.contact}."
    return f"Alerts for {_named(subscription)} will be sent to {hide_user(subscription.target)}."


def _add_block(router: APIRouter, desk: Desk) -> None:
    @router.get("/v1/block")
    @_describe("The page whose button blocks an address")
    async def show_block(token: str = "") -> Response:
        address = await desk.store.find_reader(token)
        if address is None:
            return _void()
        text = f"Nothing will be sent to {address} from here any more, whoever asks for it."
        return _page("Block this address", text, "Block")

    @router.post("/v1/block")
    @_describe(
        "Block the address that a confirmation was sent to: nothing is sent to it any more; doing it twice is no error"
    )
    async def do_block(token: str = "") -> Response:
        now = desk.clock.now()
        address = await desk.store.block(token, now, lambda s, to: endpoints.block_address(s, to, now)[0])
        if address is None:
            return _void()
        await desk.directory.refresh()
        return _page("Blocked", f"Nothing is sent to {address} any more. Only an operator can lift this.")


def _add_unsubscribe(router: APIRouter, desk: Desk) -> None:
    @router.get("/v1/unsubscribe")
    @_describe("The page whose button unsubscribes")
    async def show_unsubscribe(token: str = "") -> Response:
        found = await desk.store.find(token=token)
        if found is None:
            return _void()
        return _page("Unsubscribe", f"End {_named(found)} for {hide_user(found.target)}?", "Unsubscribe")

    @router.post("/v1/unsubscribe")
    @_describe(
        "Unsubscribe in one click (RFC 8058); doing it twice is no error", body="application/x-www-form-urlencoded"
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
        return _page("Unsubscribed", f"Nothing more is sent to {hide_user(found.target)} for {_named(found)}.")


def _named(subscription: Subscription) -> str:
    return f"“{subscription.draft.name}”" if subscription.draft.name else "this subscription"


def _page(title: str, text: str, button: str | None = None, status: int = 200) -> Response:
    form = _FORM.format(label=html.escape(button)) if button else ""
    return HTMLResponse(_PAGE.format(title=html.escape(title), text=html.escape(text), form=form), status, _HEADERS)


def _void() -> Response:
    return _page("This link is no longer good", "It was used already, or is too old. Ask for a new one.", status=404)


def _nothing(_connection: object) -> None:
    return None
