"""The HTTP API of subscriptions. Source: the contract, "Alerts and subscriptions"."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from schemas.instants import SECOND, format_instant
from schemas.vocabulary import Role
from services.notify.decisions import drafts, endpoints, proofs
from services.notify.decisions.endpoints import Decide
from services.notify.decisions.proofs import MailContext, NewTokens
from services.notify.domain.consent import AskedTooOftenError, NotWantedError, may_mail
from services.notify.domain.known import NamedId, named_in_filter
from services.notify.domain.lifecycle import NotPossibleError
from services.notify.domain.limits import LimitReachedError, Limits
from services.notify.domain.signing import format_secret
from services.notify.domain.subscription import Draft, Subscription
from services.notify.http.subscription_bodies import merge_patch, read_draft, read_overlap, read_owner
from services.notify.http.wire import (
    DRAFT_EXAMPLE,
    Created,
    OwnerRequest,
    Queued,
    Rotated,
    RotateRequest,
    SubscriptionView,
    view_subscription,
)
from services.notify.sql.blocks import SqlBlocks
from services.notify.sql.heartbeat_counts import SqlJudgedReports
from services.notify.sql.history import SqlHistory
from services.notify.sql.limits import check_subscriptions, check_unproved
from services.notify.sql.silences import SqlSilences
from services.notify.sql.subscriptions import SqlSubscriptions
from services.notify.use_cases.change_subscription import change_subscription
from services.notify.use_cases.directory import Directory, UnknownError
from services.notify.use_cases.history import Delivered, in_general
from services.notify.use_cases.known import KnownRegistry
from services.notify.use_cases.subscribe import Also, subscribe
from services.platform import audit
from services.platform.clock import Clock, new_id, new_token
from services.platform.http.bodies import parse_json, read_body
from services.platform.http.describe import describe
from services.platform.http.etags import expect_match, tag_of
from services.platform.http.lists import Listing, make_page, read_list
from services.platform.http.problems import FieldError, Problem
from services.platform.http.reply import reply
from services.platform.http.routes import make_router, principal_of
from services.platform.outbound.address import Policy
from services.platform.security.keys import Principal

MONITOR: Final[tuple[Role, ...]] = ("monitor",)
UNKNOWN_QUERY: Final = {"allow_unknown": "true: take ids that the registry does not have."}
SUBSCRIPTIONS_LIST: Final = Listing(
    SubscriptionView, orders=("created", "-created"), key=(int, str), times="subscriptions made then"
)


@dataclass(frozen=True, slots=True)
class ApiParts:
    """The parts that the API of subscriptions works with. ``kick`` has what was queued for a subscription looked at at
    once, also where its breaker is open: its owner asked."""

    store: SqlSubscriptions
    silences: SqlSilences
    blocks: SqlBlocks
    history: SqlHistory
    directory: Directory
    policy: Policy
    clock: Clock
    kick: Callable[[str], None]
    relay: bool
    limits: Limits
    registry: KnownRegistry
    judged: SqlJudgedReports


def build_router(parts: ApiParts) -> APIRouter:
    router = make_router("subscriptions")
    _add_subscribing(router, parts)
    _add_changing(router, parts)
    _add_proof(router, parts)
    _add_owner(router, parts)
    return router


def _add_subscribing(router: APIRouter, parts: ApiParts) -> None:
    @router.post("/v1/subscriptions")
    @describe(
        "Subscribe; the channel is to be proved before anything is sent",
        body=Draft,
        answers={201: Created},
        example=DRAFT_EXAMPLE,
        query=UNKNOWN_QUERY,
        roles=MONITOR,
        problems=(409, 429),
    )
    async def create(request: Request) -> Response:
        principal = principal_of(request)
        draft = read_draft(await read_body(request), parts.policy, principal)
        await refuse_unknown(parts, request, named_in_filter(draft.filter))
        fresh, now = make_tokens(), parts.clock.now()
        with problems(now):
            made = await subscribe(
                draft, principal.name, fresh, now, _mail_context(parts, principal.name, draft),
                store=parts.store, directory=parts.directory,
                also=both(
                    audited(principal, now, "subscription.created", fresh.id),
                    limited(parts.limits, principal, lambda: True, one_more=True),
                ),
            )  # fmt: skip
        parts.kick(made.id)
        secret = made.secrets[0][0] if made.secrets else None
        headers = {"location": f"/v1/subscriptions/{made.id}", "cache-control": "no-store"}
        return reply(Created(made.id, made.state, secret, made.reason), 201, headers)

    @router.get("/v1/subscriptions")
    @describe(
        "One's own subscriptions; an operator sees all",
        lists=SUBSCRIPTIONS_LIST,
        roles=MONITOR,
    )
    async def index(request: Request) -> Response:
        principal, query = principal_of(request), read_list(request, SUBSCRIPTIONS_LIST)
        owner = principal.limited_to
        found = await parts.store.page(owner, query)
        page = make_page(query, found, lambda s: (s.created_at, s.id), lambda s: view_subscription(s, parts.relay))
        return reply(page)

    @router.get("/v1/subscriptions/{id}")
    @describe("One subscription, with the state of its endpoint", answers={200: SubscriptionView}, roles=MONITOR)
    async def get(id: str, request: Request) -> Response:
        return show(parts, await find_own(parts, request, id))


def _add_changing(router: APIRouter, parts: ApiParts) -> None:
    @router.put("/v1/subscriptions/{id}")
    @describe(
        "Replace what a subscription asks for; another address is to be proved anew",
        body=Draft,
        answers={200: SubscriptionView},
        example=DRAFT_EXAMPLE,
        query=UNKNOWN_QUERY,
        roles=MONITOR,
        problems=(412, 429),
    )
    async def put(id: str, request: Request) -> Response:
        current = await find_own(parts, request, id)
        draft = read_draft(await read_body(request), parts.policy, principal_of(request), was=current.draft)
        return await _change_draft(parts, request, current, draft)

    @router.patch("/v1/subscriptions/{id}")
    @describe(
        "Change some fields (a merge patch by RFC 7396)",
        body=dict,
        answers={200: SubscriptionView},
        example={"filter": {"min_severity": "Severe"}},
        query=UNKNOWN_QUERY,
        roles=MONITOR,
        problems=(412, 429),
    )
    async def patch(id: str, request: Request) -> Response:
        current = await find_own(parts, request, id)
        change = parse_json(await read_body(request))
        merged = msgspec.json.encode(merge_patch(msgspec.to_builtins(current.draft), change))
        draft = read_draft(merged, parts.policy, principal_of(request), was=current.draft)
        return await _change_draft(parts, request, current, draft)

    @router.delete("/v1/subscriptions/{id}")
    @describe("End a subscription; nothing more is sent", answers={204: None}, problems=(412,), roles=MONITOR)
    async def delete(id: str, request: Request) -> Response:
        await find_own(parts, request, id)
        now = parts.clock.now()
        await change(parts, request, id, "subscription.ended", lambda s: endpoints.end(s, now, "deleted by its owner"))
        return Response(status_code=204)


def _add_proof(router: APIRouter, parts: ApiParts) -> None:
    @router.post("/v1/subscriptions/{id}/verify")
    @describe(
        "Send the challenge, or the confirmation links that are missing, again; at most 3 a day to one address",
        answers={202: Queued},
        roles=MONITOR,
        problems=(412, 429),
    )
    async def verify(id: str, request: Request) -> Response:
        await find_own(parts, request, id)
        now, fresh = parts.clock.now(), make_tokens()
        after = await change(
            parts, request, id, "subscription.verified", lambda s: proofs.ask_again(s, fresh, now, parts.relay)
        )
        parts.kick(id)
        return reply(Queued(id, after.state), 202)

    @router.post("/v1/subscriptions/{id}/rotate-secret")
    @describe(
        "A new secret; both sign until the overlap ends",
        body=RotateRequest,
        answers={200: Rotated},
        example={"overlap": "P1D"},
        roles=MONITOR,
        problems=(412,),
    )
    async def rotate(id: str, request: Request) -> Response:
        await find_own(parts, request, id)
        until = parts.clock.now() + read_overlap(await read_body(request))
        secret = format_secret(new_token().encode())
        await change(parts, request, id, "subscription.rotated", lambda s: endpoints.rotate(s, secret, until))
        return reply(Rotated(id, secret, format_instant(until)), headers={"cache-control": "no-store"})


def _add_owner(router: APIRouter, parts: ApiParts) -> None:
    @router.post("/v1/subscriptions/{id}/owner")
    @describe(
        "Give a subscription to another key; one that was held is sent what waited, or is proved anew if it never was",
        body=OwnerRequest,
        answers={200: SubscriptionView},
        example={"key": "4f1c0b5e9d2a"},
        roles=("operator",),
        problems=(412, 429),
    )
    async def give(id: str, request: Request) -> Response:
        await find_own(parts, request, id)
        to = read_owner(await read_body(request), request.app.state.keys)
        now, nonce = parts.clock.now(), new_token()
        after = await change(
            parts, request, id, "subscription.given", lambda s: drafts.give(s, to.name, nonce, now, parts.relay),
            {"owner": to.name, "key": to.key_id},
        )  # fmt: skip
        parts.kick(id)
        return show(parts, after)


class problems:  # noqa: N801 - reads as a word of the sentence it stands in
    """Turns refusals of the store and of the lifecycles into problems."""

    def __init__(self, now: int = 0) -> None:
        self._now = now

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, UnknownError):
            raise Problem(404, "Not found", str(error)) from error
        if isinstance(error, NotWantedError):
            raise Problem(409, "Not possible now", errors=[FieldError(error.pointer, str(error))]) from error
        if isinstance(error, LimitReachedError):
            raise Problem(409, "Limit reached", f"{error}.") from error
        if isinstance(error, AskedTooOftenError):
            wait = max(-(-(error.again_at - self._now) // SECOND), 1)
            raise Problem(429, "Too many confirmations", f"{error}.", headers={"retry-after": str(wait)}) from error
        if isinstance(error, NotPossibleError):
            raise Problem(409, "Not possible now", str(error)) from error


def make_tokens() -> NewTokens:
    return NewTokens("sub_" + new_id(), format_secret(new_token().encode()), new_token(), new_token(), new_token())


def _mail_context(parts: ApiParts, owner: str, draft: Draft) -> MailContext:
    contact = draft.contact
    mine = (s for s in parts.directory.subscriptions.values() if s.owner == owner)
    return MailContext(parts.relay, contact is not None and any(may_mail(s, contact) for s in mine))


def audited(
    principal: Principal,
    now: int,
    action: str,
    id: str,
    detail: dict[str, Any] | None = None,
    kind: str = "subscriptions",
) -> Callable[[Any], None]:
    """One line of the audit, where an operator acts."""

    def also(connection: Any) -> None:
        if principal.role == "operator":
            audit.record(
                connection, at=now, actor=principal.actor, action=action, resource=f"{kind}/{id}", detail=detail
            )

    return also


def limited(limits: Limits, principal: Principal, unproved: Callable[[], bool], *, one_more: bool = False) -> Also:
    """How many subscriptions one owner may have. ``one_more``: there is a new one; ``unproved``: whether there is one
    more that waits for its proof. What there was before the limits were lowered may stay and be changed."""

    def also(connection: Any) -> None:
        if principal.role == "operator":
            return
        if one_more:
            check_subscriptions(connection, principal.name, limits.subscriptions)
        if unproved():
            check_unproved(connection, principal.name, limits.unproved)

    return also


def both(first: Also, second: Also | None) -> Also:
    """One after the other, in the same transaction."""

    def also(connection: Any) -> None:
        first(connection)
        if second is not None:
            second(connection)

    return also


def seen_by(request: Request, delivered: Delivered) -> Delivered:
    """A message as whoever asks may see it: only operators see what names resolve to and what failed in detail."""
    return delivered if principal_of(request).role == "operator" else in_general(delivered)


async def refuse_unknown(parts: ApiParts, request: Request, named: Iterable[NamedId]) -> None:
    """Raises Problem 422 for ids that the registry does not have, unless the request says that they are meant; 400
    where it says neither yes nor no."""
    allowed = request.query_params.get("allow_unknown", "false")
    if allowed not in ("true", "false"):
        raise Problem(400, "Not valid", errors=[FieldError("/allow_unknown", "true or false")])
    if allowed == "false" and (faults := await parts.registry.find_faults(named)):
        raise Problem(422, "Not valid", errors=[FieldError(pointer, detail) for pointer, detail in faults])


async def find_own(parts: ApiParts, request: Request, id: str) -> Subscription:
    """The subscription, if it is the asker's. Raises Problem 401, 403, 404: what is not theirs is not there."""
    principal = principal_of(request)
    with problems():
        found = await parts.store.load(id)
        if found.state == "ended" or not principal.reaches(found.owner):
            raise UnknownError(f"no subscription {id}")
        return found


async def change(
    parts: ApiParts,
    request: Request,
    id: str,
    action: str,
    decide: Decide,
    detail: dict[str, Any] | None = None,
    also: Also | None = None,
) -> Subscription:
    """One change by whoever asks, who has been found to be allowed. Raises Problem 412 for a stale If-Match."""
    principal = principal_of(request)
    now = parts.clock.now()
    audit_line = audited(principal, now, action, id, detail)

    def decide_if_matched(s: Subscription) -> endpoints.Decided:
        expect_match(request, msgspec.json.encode(view_subscription(s, parts.relay)))
        return decide(s)

    with problems(now):
        _, after = await change_subscription(
            id, decide_if_matched, store=parts.store, directory=parts.directory, also=both(audit_line, also)
        )
    return after


def show(parts: ApiParts, subscription: Subscription) -> Response:
    """A subscription as its owner sees it, with the tag that it is read by."""
    answer = reply(view_subscription(subscription, parts.relay))
    answer.headers["etag"] = f'"{tag_of(bytes(answer.body))}"'
    return answer


async def _change_draft(parts: ApiParts, request: Request, current: Subscription, draft: Draft) -> Response:
    id, was = current.id, {(one.kind, one.id) for one in named_in_filter(current.draft.filter)}
    new = (one for one in named_in_filter(draft.filter) if (one.kind, one.id) not in was)
    await refuse_unknown(parts, request, new)
    principal, fresh, now = principal_of(request), replace(make_tokens(), id=id), parts.clock.now()
    moved: list[str] = []

    def decide(s: Subscription) -> endpoints.Decided:
        after, jobs = drafts.change_draft(s, draft, fresh, now, _mail_context(parts, s.owner, draft))
        moved[:] = [id] if after.state == "pending" != s.state else []
        return after, jobs

    limit = limited(parts.limits, principal, lambda: bool(moved))
    after = await change(parts, request, id, "subscription.changed", decide, also=limit)
    parts.kick(id)
    return show(parts, after)
