"""Alerts for readers that follow: Atom, server-sent events, and the tokens that open both."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from schemas.instants import format_instant
from schemas.vocabulary import LANGUAGES
from services.notify.alerts_api import Shelf
from services.notify.api import MONITOR, audited
from services.notify.domain import atom
from services.notify.domain.identity import hash_token
from services.notify.sql.feeds import SqlFeedTokens
from services.notify.stream import Tail, TooManyStreamsError, follow
from services.notify.use_cases.owners import READERS
from services.notify.wire import FeedToken
from services.shared.clock import new_id, new_token
from services.shared.http import (
    PROBLEM_TYPE,
    FieldError,
    Page,
    Problem,
    describe,
    reply,
    who,
)
from services.shared.security import KeyRing

FEED_ENTRIES = 100
_TOKEN = {"token": "A feed token, instead of a key."}


@dataclass(frozen=True, slots=True)
class Feeds:
    shelf: Shelf
    tokens: SqlFeedTokens
    tail: Tail


def build_feeds_router(feeds: Feeds) -> APIRouter:
    router = APIRouter(tags=["alerts"])
    _add_tokens(router, feeds)
    _add_feeds(router, feeds)
    return router


def _add_tokens(router: APIRouter, feeds: Feeds) -> None:
    @router.post("/v1/feed-tokens")
    @describe("A token for the feed and the stream, shown once", answers={201: FeedToken}, roles=MONITOR)
    async def create(request: Request) -> Response:
        principal = who(request, *MONITOR)
        made = FeedToken("feed_" + new_id(), new_token())
        now = feeds.shelf.clock.now()
        also = audited(principal, now, "feed_token.created", made.id, kind="feed-tokens")
        await feeds.tokens.add(made.id, hash_token(made.token), principal.name, now, also)
        return reply(made, 201, {"cache-control": "no-store"})

    @router.get("/v1/feed-tokens")
    @describe("One's own feed tokens, without the tokens themselves", answers={200: Page}, roles=MONITOR)
    async def index(request: Request) -> Response:
        principal = who(request, *MONITOR)
        kept = await feeds.tokens.kept(None if principal.role == "operator" else principal.name)
        items = [{"id": t.id, "owner": t.owner, "created_at": format_instant(t.created_at)} for t in kept]
        return reply(Page(items, None, False))

    @router.delete("/v1/feed-tokens/{id}")
    @describe("Take a feed token back", answers={204: None}, roles=MONITOR)
    async def delete(id: str, request: Request) -> Response:
        principal = who(request, *MONITOR)
        also = audited(principal, feeds.shelf.clock.now(), "feed_token.removed", id, kind="feed-tokens")
        if not await feeds.tokens.remove(id, None if principal.role == "operator" else principal.name, also):
            raise Problem(404, "Not found", "There is no such token.")
        return Response(status_code=204)


def _add_feeds(router: APIRouter, feeds: Feeds) -> None:
    shelf = feeds.shelf

    @router.get("/v1/alerts/feed.atom")
    @describe(
        "The newest alerts as an Atom feed",
        answers={200: atom.CONTENT_TYPE},
        query=_TOKEN | {"language": "en, ar or ru."},
        roles=MONITOR,
    )
    async def feed(request: Request) -> Response:
        await admit(request, feeds)
        language = request.query_params.get("language", "en")
        if language not in LANGUAGES:
            raise Problem(400, "Not valid", errors=[FieldError("/language", f"one of {', '.join(LANGUAGES)}")])
        newest = [entry.alert for entry in await shelf.log.newest(FEED_ENTRIES)]
        now = format_instant(shelf.clock.now())
        xml = atom.atom_feed(newest, language=language, public_url=shelf.public_url, updated=now)
        return Response(xml, media_type=atom.CONTENT_TYPE, headers={"cache-control": "private, max-age=30"})

    @router.get("/v1/alerts/stream")
    @describe(
        "Alerts as server-sent events, from now on, or from after Last-Event-ID, which is the cursor of the list. "
        "410 restored-log: the log was put back to before it; begin holds the one to go on with",
        answers={200: "text/event-stream", 410: PROBLEM_TYPE, 429: PROBLEM_TYPE, 503: PROBLEM_TYPE},
        query=_TOKEN | {"after": "A cursor, where Last-Event-ID cannot be sent."},
        headers={"Last-Event-ID": "The id of the last event that was received; the stream goes on after it."},
        roles=MONITOR,
    )
    async def stream(request: Request) -> Response:
        owner, generation = await admit(request, feeds), shelf.positions.generation

        async def allowed() -> bool:
            try:
                await admit(request, feeds)
            except Problem:
                return False
            return shelf.positions.generation == generation

        seq = await shelf.positions.find(request, request.headers.get("last-event-id"))
        seq = await shelf.log.last_seq() if seq is None else seq
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        body = follow(feeds.tail, shelf.log, seq, shelf.view, shelf.positions.encode, allowed)
        enter_stream(feeds.tail, owner)
        # Nothing is awaited from here to the response, which sees to it that the stream is counted no longer.
        return CountedStream(body, lambda: feeds.tail.leave(owner), headers)


class CountedStream(StreamingResponse):
    """A stream that says when it has ended, however: also where the client went before the first byte."""

    def __init__(self, body: AsyncIterator[bytes], on_end: Callable[[], None], headers: Mapping[str, str]) -> None:
        super().__init__(body, media_type="text/event-stream", headers=headers)
        self._on_end = on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._on_end()


def enter_stream(tail: Tail, owner: str) -> None:
    """Count one more stream. Raises Problem 429 for more than one may have, 503 where the process is full."""
    try:
        tail.enter(owner)
    except TooManyStreamsError as error:
        again = {"retry-after": "10"}
        if error.own:
            detail = f"{tail.most_of_owner} streams are open for {owner}; no more are served to one name."
            raise Problem(429, "Too many streams", detail, headers=again) from error
        raise Problem(503, "Not available now", "Too many streams are open.", headers=again) from error


async def admit(request: Request, feeds: Feeds) -> str:
    """A monitor's key, or a feed token, which counts no longer than a key of its owner; returns the owner's name.
    Raises Problem 401 or 403."""
    token = request.query_params.get("token")
    if not token:
        return who(request, *MONITOR).name
    keys: KeyRing = request.app.state.keys
    found = await feeds.tokens.find(hash_token(token))
    if found is None or not keys.has_owner(found.owner, READERS):
        raise Problem(401, "Token not valid", "Ask for a new one: POST /v1/feed-tokens.")
    return found.owner
