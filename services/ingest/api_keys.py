"""The HTTP API of operators: keys, the audit, dead letters. Source: the contract, "Keys and roles", "Operators"."""

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Request
from sqlalchemy import Connection
from starlette.responses import Response

from schemas.events import KeyChanged
from schemas.instants import to_instant
from schemas.report import Moment
from schemas.vocabulary import Role
from services.ingest.keys import LastOperatorKey, create_key, new_key, revoke_key
from services.ingest.sql_keys import AuditEntry, SqlKeys, list_audit
from services.shared import audit
from services.shared.bus.dead import DeadLetter
from services.shared.clock import new_id
from services.shared.http import (
    FieldError,
    Page,
    Problem,
    decode_cursor,
    describe,
    make_page,
    page_size,
    parse,
    read_body,
    reply,
    who,
)
from services.shared.runtime import Runtime
from services.shared.security import new_secret

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


class Retried(msgspec.Struct, frozen=True):
    """The dead letter is on its topic again."""

    id: str
    status: Literal["retried"] = "retried"


def build_operator_router(runtime: Runtime) -> APIRouter:
    """The routes that operators alone may use."""
    router = APIRouter()
    _add_keys(router, runtime)
    _add_audit_and_dead_letters(router, runtime)
    return router


def _add_keys(router: APIRouter, runtime: Runtime) -> None:

    @router.post("/v1/keys")
    @describe(
        "Make an API key; its secret is shown once",
        body=KeyRequest,
        answers={201: KeyMade},
        example={"name": "Aleppo monitors", "role": "partner", "expires_at": None},
        roles=("operator",),
    )
    async def post_key(request: Request) -> Response:
        actor = who(request, "operator").actor
        now = runtime.clock.now()
        wanted = read_key_request(await read_body(request), now)
        secret = new_secret()
        expires_at = None if wanted.expires_at is None else to_instant(wanted.expires_at)
        key = new_key(new_id(), wanted.name, wanted.role, secret, now, expires_at)
        await runtime.database.write(lambda connection: create_key(SqlKeys(connection), key, actor))
        # It counts here at once; everywhere else as soon as the log has brought it.
        runtime.keys.apply(key)
        made = KeyMade(key.id, key.name, key.role, secret, key.created_at, key.expires_at)
        return reply(made, 201, {"location": f"/v1/keys/{key.id}"})

    @router.get("/v1/keys")
    @describe("Keys, newest first, without their secrets", answers={200: Page, "items": KeyView}, roles=("operator",))
    async def get_keys(request: Request) -> Response:
        who(request, "operator")
        after, limit = decode_cursor(request, str, str), page_size(request)
        keys = await runtime.database.read(lambda connection: SqlKeys(connection).all())
        left = [key for key in keys if after is None or (key.created_at, key.id) < after]
        page = make_page(left[: limit + 1], limit, lambda key: (key.created_at, key.id))
        return reply(msgspec.structs.replace(page, items=[_view(key) for key in page.items]))

    @router.delete("/v1/keys/{key_id}")
    @describe("Revoke a key", answers={204: None}, roles=("operator",), problems=(409,))
    async def delete_key(key_id: str, request: Request) -> Response:
        actor = who(request, "operator").actor
        now = runtime.clock.now()
        revoked = await runtime.database.write(lambda c: revoke_key(SqlKeys(c), key_id, now, actor))
        if revoked is None:
            raise Problem(404, "Not found", "There is no such key.")
        if isinstance(revoked, LastOperatorKey):
            raise Problem(409, "Last operator key", "Make another operator key first: nobody could make one after.")
        runtime.keys.apply(revoked)
        return Response(status_code=204)


def _add_audit_and_dead_letters(router: APIRouter, runtime: Runtime) -> None:
    @router.get("/v1/audit")
    @describe(
        "Every change by an operator, newest first", answers={200: Page, "items": AuditEntry}, roles=("operator",)
    )
    async def get_audit(request: Request) -> Response:
        who(request, "operator")
        cursor, limit = decode_cursor(request, int, str), page_size(request)
        after = None if cursor is None else (cursor[0], cursor[1])
        rows = await runtime.database.read(lambda connection: list_audit(connection, after, limit + 1))
        page = make_page(rows, limit, lambda row: row.key)
        return reply(msgspec.structs.replace(page, items=[row.entry for row in page.items]))

    @router.get("/v1/dead-letters")
    @describe(
        "What consumers gave up on, with the reasons", answers={200: Page, "items": DeadLetter}, roles=("operator",)
    )
    async def get_dead_letters(request: Request) -> Response:
        who(request, "operator")
        cursor, limit = decode_cursor(request, str), page_size(request)
        letters = await runtime.graveyard.list(None if cursor is None else cursor[0], limit + 1)
        return reply(make_page(letters, limit, lambda letter: (letter.id,)))

    @router.post("/v1/dead-letters/{letter_id}/retry")
    @describe("Put a dead letter back on its topic", answers={202: Retried}, roles=("operator",))
    async def post_retry(letter_id: str, request: Request) -> Response:
        actor = who(request, "operator").actor
        now = runtime.clock.now()

        def note(connection: Connection) -> None:
            resource = f"dead-letters/{letter_id}"
            audit.record(connection, at=now, actor=actor, action="dead_letter.retried", resource=resource)

        if not await runtime.graveyard.retry(letter_id, note):
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


def _view(key: KeyChanged) -> KeyView:
    return KeyView(key.id, key.name, key.role, key.created_at, key.expires_at, key.revoked_at)
