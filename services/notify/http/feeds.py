"""Alerts for readers that follow: Atom, server-sent events, and the tokens that open both."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from schemas.instants import format_instant
from services.notify.domain.identity import hash_token
from services.notify.http.alerts import AlertReader
from services.notify.http.stream import Tail, TooManyStreamsError, follow
from services.notify.http.subscriptions import MONITOR, audited
from services.notify.http.wire import FeedToken, FeedTokenView
from services.notify.render import atom
from services.notify.sql.feeds import KeptToken, SqlFeedTokens
from services.notify.use_cases.hold_ownerless import READERS
from services.platform.clock import new_id, new_token
from services.platform.http.describe import describe, described_of
from services.platform.http.language import language_of
from services.platform.http.lists import Listing, make_page, read_list
from services.platform.http.problems import PROBLEM_TYPE, Problem
from services.platform.http.reply import reply
from services.platform.http.routes import authorize, make_router, principal_of
from services.platform.security.keys import KeyRing, Principal

FEED_ENTRIES = 100
#: When an empty feed was last updated: a time that stays the same, so that its entity tag does.
EMPTY_SINCE = format_instant(0)
_TOKEN = {"token": "A feed token, instead of a key."}


@dataclass(frozen=True, slots=True)
class Feeds:
    reader: AlertReader
    tokens: SqlFeedTokens
    tail: Tail


TOKENS_LIST = Listing(FeedTokenView, orders=("created", "-created"), key=(int, str), times="tokens made then")


def _view(token: KeptToken) -> FeedTokenView:
    return FeedTokenView(token.id, token.owner, format_instant(token.created_at))


def build_feeds_router(feeds: Feeds) -> APIRouter:
    router = make_router("alerts")
    _add_tokens(router, feeds)
    _add_feeds(router, feeds)
    return router


def _add_tokens(router: APIRouter, feeds: Feeds) -> None:
    @router.post("/v1/feed-tokens")
    @describe("A token for the feed and the stream, shown once", answers={201: FeedToken}, roles=MONITOR)
    async def create(request: Request) -> Response:
        principal = principal_of(request)
        made = FeedToken("feed_" + new_id(), new_token())
        now = feeds.reader.clock.now()
        also = audited(principal, now, "feed_token.created", made.id, kind="feed-tokens")
        await feeds.tokens.add(made.id, hash_token(made.token), principal.name, now, also)
        return reply(made, 201, {"cache-control": "no-store"})

    @router.get("/v1/feed-tokens")
    @describe("One's own feed tokens, without the tokens themselves", lists=TOKENS_LIST, roles=MONITOR)
    async def index(request: Request) -> Response:
        principal, query = principal_of(request), read_list(request, TOKENS_LIST)
        kept = await feeds.tokens.page(principal.limited_to, query)
        return reply(make_page(query, kept, lambda t: (t.created_at, t.id), _view))

    @router.delete("/v1/feed-tokens/{id}")
    @describe("Take a feed token back", answers={204: None}, roles=MONITOR)
    async def delete(id: str, request: Request) -> Response:
        principal = principal_of(request)
        also = audited(principal, feeds.reader.clock.now(), "feed_token.removed", id, kind="feed-tokens")
        if not await feeds.tokens.remove(id, principal.limited_to, also):
            raise Problem(404, "Not found", "There is no such token.")
        return Response(status_code=204)


def _add_feeds(router: APIRouter, feeds: Feeds) -> None:
    reader = feeds.reader

    async def admit(request: Request) -> Principal | None:
        return await find_token_owner(feeds.tokens, request)

    @router.get("/v1/alerts/feed.atom")
    @describe(
        "The newest alerts as an Atom feed",
        answers={200: atom.CONTENT_TYPE},
        query=_TOKEN,
        roles=MONITOR,
        admit=admit,
        worded=True,
    )
    async def feed(request: Request) -> Response:
        newest = [entry.alert for entry in await reader.log.newest(FEED_ENTRIES)]
        xml = atom.atom_feed(newest, language=language_of(request), public_url=reader.public_url, updated=EMPTY_SINCE)
        return Response(xml, media_type=atom.CONTENT_TYPE, headers={"cache-control": "private, max-age=30"})

    @router.get("/v1/alerts/stream")
    @describe(
        "Alerts as server-sent events, from now on, or from after Last-Event-ID, which is the cursor of the list. "
        "410 restored-log: the log was put back to before it; begin holds the one to go on with",
        answers={200: "text/event-stream", 410: PROBLEM_TYPE, 429: PROBLEM_TYPE, 503: PROBLEM_TYPE},
        query=_TOKEN | {"after": "A cursor, where Last-Event-ID cannot be sent."},
        headers={"Last-Event-ID": "The id of the last event that was received; the stream goes on after it."},
        roles=MONITOR,
        admit=admit,
        worded=True,
    )
    async def stream(request: Request) -> Response:
        owner, generation = principal_of(request).name, reader.positions.generation

        async def allowed() -> bool:
            try:
                await authorize(request, described_of(stream))
            except Problem:
                return False
            return reader.positions.generation == generation

        seq = await reader.positions.find(request, request.headers.get("last-event-id"))
        seq = await reader.log.last_seq() if seq is None else seq
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        view = partial(reader.view, language=language_of(request))
        body = follow(feeds.tail, reader.log, seq, view, reader.positions.encode, allowed)
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


async def find_token_owner(tokens: SqlFeedTokens, request: Request) -> Principal | None:
    """The owner of the feed token that a request shows, None where it shows none. A token counts no longer than a key
    of its owner. Raises Problem 401."""
    token = request.query_params.get("token")
    if not token:
        return None
    keys: KeyRing = request.app.state.keys
    found = await tokens.find(hash_token(token))
    if found is None or not keys.has_owner(found.owner, READERS):
        raise Problem(401, "Token not valid", "Ask for a new one: POST /v1/feed-tokens.")
    return Principal(found.id, found.owner, "monitor")
