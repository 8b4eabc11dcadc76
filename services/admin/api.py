"""The HTTP API of operators: keys, the audit, dead letters. Source: the contract, "Keys and roles", "Operators"."""

from typing import Annotated, Final, Literal, get_args

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from schemas.events import KeyChanged
from schemas.instants import parse_instant, to_instant
from schemas.report import Moment
from schemas.vocabulary import Role
from services.admin.use_cases import (
    AuditEntry,
    AuditTrail,
    DeadLetterStore,
    KeyTransactions,
    LastOperatorKey,
    create_key,
    new_key,
    retrying,
    revoke_key,
)
from services.platform.bus.dead_letters import DeadLetter
from services.platform.clock import Clock, new_id
from services.platform.http.bodies import parse, read_body
from services.platform.http.describe import describe
from services.platform.http.lists import ListFilter, Listing, make_page, read_list
from services.platform.http.problems import FieldError, Problem
from services.platform.http.reply import reply
from services.platform.http.routes import make_router, principal_of
from services.platform.paging import PageQuery, page_items
from services.platform.security.keys import KeyRing, new_secret

MAX_NAME = 100


class KeyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key to be made. Keys of one name are one partner: a new one of the same name takes over from an old one."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
    role: Role
    expires_at: Moment | None = None


class KeyView(msgspec.Struct, frozen=True):
    """A key without its secret."""

    id: str
    name: str
    role: Role
    created_at: str
    expires_at: str | None
    revoked_at: str | None


class KeyMade(msgspec.Struct, frozen=True):
    """A new key; ``key`` is its secret, shown this once."""

    id: str
    name: str
    role: Role
    key: str
    created_at: str
    expires_at: str | None


class KeyInUse(msgspec.Struct, frozen=True):
    """The key that a request shows."""

    id: str
    name: str
    role: Role


class Retried(msgspec.Struct, frozen=True):
    """The dead letter is on its topic again."""

    id: str
    status: Literal["retried"] = "retried"


KEYS_LIST: Final = Listing(
    KeyView,
    orders=("-created", "created"),
    key=(int, str),
    times="keys made then",
    filters={"role": ListFilter("Keys of this role.", get_args(Role)), "name": ListFilter("Keys of this name.")},
)
AUDIT_LIST: Final = Listing(AuditEntry, orders=("-at", "at"), key=(int, str), times="changes made then")
DEAD_LETTERS_LIST: Final = Listing(
    DeadLetter,
    orders=("-died", "died"),
    key=(int, str),
    times="events given up on then",
    filters={
        "topic": ListFilter("Events of this topic."),
        "consumer": ListFilter("What this consumer gave up on."),
    },
)


def build_router(
    clock: Clock, ring: KeyRing, keys: KeyTransactions, audit: AuditTrail, dead_letters: DeadLetterStore
) -> APIRouter:
    """The routes that operators alone may use. A change of a key counts in ``ring`` at once."""
    router = make_router()
    _add_keys(router, clock, ring, keys)
    _add_audit(router, audit)
    _add_dead_letters(router, clock, dead_letters)
    return router


def _add_keys(router: APIRouter, clock: Clock, ring: KeyRing, keys: KeyTransactions) -> None:

    @router.post("/v1/keys")
    @describe(
        "Make an API key; its secret is shown once",
        body=KeyRequest,
        answers={201: KeyMade},
        example={"name": "Aleppo monitors", "role": "partner", "expires_at": None},
        roles=("operator",),
    )
    async def post_key(request: Request) -> Response:
        actor = principal_of(request).actor
        now = clock.now()
        wanted = read_key_request(await read_body(request), now)
        secret = new_secret()
        expires_at = None if wanted.expires_at is None else to_instant(wanted.expires_at)
        key = new_key(new_id(), wanted.name, wanted.role, secret, now, expires_at)
        await keys.write(lambda store: create_key(store, key, actor))
        # It counts here at once; everywhere else as soon as the log has brought it.
        ring.apply(key)
        made = KeyMade(key.id, key.name, key.role, secret, key.created_at, key.expires_at)
        return reply(made, 201, {"location": f"/v1/keys/{key.id}"})

    @router.get("/v1/keys")
    @describe("Keys, without their secrets", lists=KEYS_LIST, roles=("operator",))
    async def get_keys(request: Request) -> Response:
        query = read_list(request, KEYS_LIST)
        known = await keys.read(lambda store: store.all())
        matching = [key for key in known if _matches(key, query)]
        return reply(make_page(query, page_items(matching, query, _key_order), _key_order, _view))

    @router.get("/v1/keys/self")
    @describe("The key that the request shows: its name and its role", answers={200: KeyInUse})
    async def get_self(request: Request) -> Response:
        principal = principal_of(request)
        return reply(KeyInUse(principal.key_id, principal.name, principal.role), headers={"cache-control": "no-store"})

    @router.delete("/v1/keys/{key_id}")
    @describe("Revoke a key", answers={204: None}, roles=("operator",), problems=(409,))
    async def delete_key(key_id: str, request: Request) -> Response:
        actor = principal_of(request).actor
        now = clock.now()
        revoked = await keys.write(lambda store: revoke_key(store, key_id, now, actor))
        if revoked is None:
            raise Problem(404, "Not found", "There is no such key.")
        if isinstance(revoked, LastOperatorKey):
            raise Problem(409, "Last operator key", "Make another operator key first: nobody could make one after.")
        ring.apply(revoked)
        return Response(status_code=204)


def _add_audit(router: APIRouter, audit: AuditTrail) -> None:
    @router.get("/v1/audit")
    @describe("Every change by an operator", lists=AUDIT_LIST, roles=("operator",))
    async def get_audit(request: Request) -> Response:
        query = read_list(request, AUDIT_LIST)
        entries = await audit.list(query)
        return reply(make_page(query, entries, lambda entry: (parse_instant(entry.at), entry.id)))


def _add_dead_letters(router: APIRouter, clock: Clock, dead_letters: DeadLetterStore) -> None:
    @router.get("/v1/dead-letters")
    @describe("What consumers gave up on, with the reasons", lists=DEAD_LETTERS_LIST, roles=("operator",))
    async def get_dead_letters(request: Request) -> Response:
        query = read_list(request, DEAD_LETTERS_LIST)
        letters = await dead_letters.list(query)
        return reply(make_page(query, letters, lambda letter: (parse_instant(letter.died_at), letter.id)))

    @router.post("/v1/dead-letters/{letter_id}/retry")
    @describe("Put a dead letter back on its topic", answers={202: Retried}, roles=("operator",))
    async def post_retry(letter_id: str, request: Request) -> Response:
        actor = principal_of(request).actor
        if not await dead_letters.retry(letter_id, retrying(letter_id, actor, clock.now())):
            raise Problem(404, "Not found", "There is no such dead letter.")
        return reply(Retried(letter_id), 202)


def read_key_request(body: bytes, now: int) -> KeyRequest:
    """Raises Problem 400, 422."""
    wanted = parse(body, KeyRequest)
    errors = []
    if not wanted.name.isprintable() or wanted.name.strip() != wanted.name:
        errors.append(FieldError("/name", "may hold printable characters only, and no space at its ends"))
    if wanted.expires_at is not None and not now < to_instant(wanted.expires_at) < _LATEST:
        errors.append(FieldError("/expires_at", "must lie in the future, and before the year 9999"))
    if errors:
        raise Problem(422, "Not valid", errors=errors)
    return wanted


_LATEST = 253_370_764_800 * 1_000_000


def _key_order(key: KeyChanged) -> tuple[int, str]:
    return parse_instant(key.created_at), key.id


def _matches(key: KeyChanged, query: PageQuery) -> bool:
    roles, names, made = query.values("role"), query.values("name"), parse_instant(key.created_at)
    return (
        (not roles or key.role in roles)
        and (not names or key.name in names)
        and (query.start is None or query.start <= made)
        and (query.end is None or made < query.end)
    )


def _view(key: KeyChanged) -> KeyView:
    return KeyView(key.id, key.name, key.role, key.created_at, key.expires_at, key.revoked_at)
