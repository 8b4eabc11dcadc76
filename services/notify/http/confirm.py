"""The pages that come from a mail: confirming, blocking an address, and unsubscribing in one click (RFC 8058).

GET shows a page with a button; only POST changes anything, since mail scanners follow every link.
"""

import html
from collections.abc import Callable
from typing import Any, Final, TypeVar

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from schemas.wording.lines import clean
from schemas.wording.words import Words, words
from services.notify.decisions import endpoints, proofs
from services.notify.domain.lifecycle import NotPossibleError
from services.notify.domain.own_headers import hide_user
from services.notify.domain.subscription import Subscription
from services.notify.http.subscriptions import ApiParts
from services.notify.use_cases.block_address import block_address
from services.notify.use_cases.change_subscription import change_subscription
from services.platform.http.describe import describe
from services.platform.http.language import choose_language
from services.platform.http.routes import make_router

T = TypeVar("T")

_PAGE: Final = """<!doctype html>
<html lang="{lang}" dir="{dir}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer"><title>{title}</title>
<style>body{{font:1.05rem/1.5 system-ui,sans-serif;max-width:34rem;margin:4rem auto;padding:0 1rem;
color:#1b1f24;background:#fff}}button{{font:inherit;padding:.6rem 1.4rem;border:0;border-radius:.4rem;
background:#0b5cad;color:#fff}}@media(prefers-color-scheme:dark){{body{{color:#e6e6e6;background:#16181c}}}}</style>
</head><body><h1>{title}</h1><p>{text}</p>{form}</body></html>"""
_QUERY: Final = {"token": "The token of the link."}
_FORM: Final = '<form method="post"><button type="submit">{label}</button></form>'
_HEADERS: Final = {
    "cache-control": "no-store",
    "x-robots-tag": "noindex",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def _describe(summary: str, **more: Any) -> Callable[[T], T]:
    """Every page is reached by a token alone, and says so where that is not valid any more."""
    return describe(
        summary, answers={200: "text/html", 404: "text/html"}, query=_QUERY, roles=None, worded=True, **more
    )  # fmt: skip


def build_pages_router(parts: ApiParts) -> APIRouter:
    router = make_router("subscriptions")
    _add_confirm(router, parts)
    _add_block(router, parts)
    _add_unsubscribe(router, parts)
    return router


def _add_confirm(router: APIRouter, parts: ApiParts) -> None:
    async def waiting(token: str) -> tuple[Subscription, bool] | None:
        """The subscription that a confirmation token is good for now, and whether it is the contact's."""
        now = parts.clock.now()
        found = await parts.store.find(nonce=token)
        if found is not None and found.nonce_until is not None and now < found.nonce_until:
            return found, False
        found = await parts.store.find(contact_nonce=token)
        if found is None or found.contact_until is None or found.contact_until <= now or found.state == "ended":
            return None
        return found, True

    @router.get("/v1/confirm")
    @_describe("The page whose button confirms")
    async def show_confirm(request: Request, token: str = "") -> Response:
        found = await waiting(token)
        if found is None:
            return void_page(request)
        say = _words(request, found[0])
        title = say.say(f"page.confirm.title.{'contact' if found[1] else 'channel'}")
        return _page(say, title, _promise(say, *found), say.say("page.confirm.button"))

    @router.post("/v1/confirm")
    @_describe("Confirm a subscription, or a contact address")
    async def do_confirm(request: Request, token: str = "") -> Response:
        found = await waiting(token)
        if found is None:
            return void_page(request)
        now = parts.clock.now()
        decide = proofs.confirm_contact if found[1] else proofs.confirm
        try:
            await change_subscription(
                found[0].id, lambda s: decide(s, token, now),
                store=parts.store, directory=parts.directory, also=_nothing,
            )  # fmt: skip
        except NotPossibleError:
            return void_page(request)
        say = _words(request, found[0])
        return _page(say, say.say("page.confirm.done"), _promise(say, *found))


def _promise(say: Words, subscription: Subscription, contact: bool) -> str:
    """The sentence that the reader agrees to."""
    if contact:
        return _about(say, "page.promise.contact", subscription, str(subscription.draft.contact))
    return _about(say, "page.promise.channel", subscription, hide_user(subscription.target))


def _add_block(router: APIRouter, parts: ApiParts) -> None:
    @router.get("/v1/block")
    @_describe("The page whose button blocks an address")
    async def show_block(request: Request, token: str = "") -> Response:
        asked = await parts.blocks.load_asked(token)
        if asked is None:
            return void_page(request)
        say = _words(request)
        text = say.say("page.block.text", address=say.foreign(asked.address))
        return _page(say, say.say("page.block.title"), text, say.say("page.block.button"))

    @router.post("/v1/block")
    @_describe(
        "Block the address that a confirmation was sent to: nothing is sent to it any more; doing it twice is no error"
    )
    async def do_block(request: Request, token: str = "") -> Response:
        address = await block_address(token, parts.clock.now(), parts.blocks, parts.directory)
        if address is None:
            return void_page(request)
        say = _words(request)
        return _page(say, say.say("page.block.done"), say.say("page.block.after", address=say.foreign(address)))


def _add_unsubscribe(router: APIRouter, parts: ApiParts) -> None:
    @router.get("/v1/unsubscribe")
    @_describe("The page whose button unsubscribes")
    async def show_unsubscribe(request: Request, token: str = "") -> Response:
        found = await parts.store.find(token=token)
        if found is None:
            return void_page(request)
        say = _words(request, found)
        text = _about(say, "page.unsubscribe.text", found, hide_user(found.target))
        return _page(say, say.say("page.unsubscribe.title"), text, say.say("page.unsubscribe.button"))

    @router.post("/v1/unsubscribe")
    @_describe(
        "Unsubscribe in one click (RFC 8058); doing it twice is no error", body="application/x-www-form-urlencoded"
    )
    async def do_unsubscribe(request: Request, token: str = "") -> Response:
        found = await parts.store.find(token=token)
        if found is None:
            return void_page(request)
        now = parts.clock.now()
        await change_subscription(
            found.id, lambda s: endpoints.end(s, now, "unsubscribed by mail"),
            store=parts.store, directory=parts.directory, also=_nothing,
        )  # fmt: skip
        say = _words(request, found)
        text = _about(say, "page.unsubscribe.after", found, hide_user(found.target))
        return _page(say, say.say("page.unsubscribe.done"), text)


def _words(request: Request, subscription: Subscription | None = None) -> Words:
    """The reader's language: what the request says, else the subscription's."""
    return words(choose_language(request, "en" if subscription is None else subscription.draft.language))


def _about(say: Words, key: str, subscription: Subscription, address: str) -> str:
    """A sentence about a subscription, which may have no name, and an address."""
    name = clean(subscription.draft.name)
    variant = "named" if name else "unnamed"
    return say.say(f"{key}.{variant}", name=say.foreign(name), address=say.foreign(address))


def _page(say: Words, title: str, text: str, button: str | None = None, status: int = 200) -> Response:
    form = _FORM.format(label=html.escape(button)) if button else ""
    page = _PAGE.format(
        lang=say.language, dir=say.direction, title=html.escape(title), text=html.escape(text), form=form
    )  # fmt: skip
    return HTMLResponse(page, status, _HEADERS)


def void_page(request: Request, why: str = "page.void.text") -> Response:
    """The page of a link that opens nothing, with the sentence of that key."""
    say = _words(request)
    return _page(say, say.say("page.void.title"), say.say(why), status=404)


def _nothing(_connection: object) -> None:
    return None
