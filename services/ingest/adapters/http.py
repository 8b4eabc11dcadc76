"""The HTTP API of adapters, and the address of their hooks. Source: the contract, "Adapters"."""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from services.connectors.file_pages import ReadRecord, UnreadableListError
from services.connectors.payloads import FILES
from services.ingest.adapters.domain import (
    KINDS,
    Adapter,
    AdapterRequest,
    Secrets,
    find_adapter_faults,
    is_proved,
    plan_poll,
    tables_of,
)
from services.ingest.adapters.sql import SqlAdapters, VersionLostError
from services.ingest.adapters.use_cases import Inbound, find_unknown, preview
from services.ingest.adapters.wire import AdapterView, InboundAnswer, InboundItem, PreviewAnswer, view_adapter
from services.platform import audit
from services.platform.clock import Clock
from services.platform.http.access import read_bearer
from services.platform.http.bodies import parse, parse_json, read_body
from services.platform.http.describe import describe
from services.platform.http.etags import read_tags, tag_of
from services.platform.http.lists import ListFilter, Listing, make_page, read_list
from services.platform.http.problems import FieldError, Problem
from services.platform.http.reply import reply
from services.platform.http.routes import make_router, principal_of
from services.platform.outbound.address import Policy, RefusedTargetError, check_url
from services.platform.security.keys import Principal
from services.platform.settings.config import SettingsError

ADAPTERS_LIST: Final = Listing(
    AdapterView, orders=("id", "-id"), key=(str,), filters={"kind": ListFilter("Adapters of this kind.", KINDS)}
)
EXAMPLE: Final[dict[str, Any]] = {
    "kind": "kobo",
    "partner": "Field desk",
    "fields": {"occurred": "incident/when", "location": "incident/gps", "act": "what", "casualties.killed": "dead"},
    "choices": {"act": {"shell": "shelling"}, "sites": {"hosp": "hospital"}},
    "names": {"syrian_government": "syria"},
    "form": "Truce form",
    "secret": "a-long-random-word",
    "poll": {
        "url": "https://kf.example.org/api/v2/assets/aTruceForm1/data/",
        "every": "PT15M",
        "token": "a-key-of-the-server",
    },
    "grade": "B3",
}
HOOK_HEADERS: Final = {
    "X-Trucewatch-Secret": "The adapter's secret; or X-API-Key, or Basic credentials with it as the password.",
    "X-Ushahidi-Signature": "Of Ushahidi: base64 of HMAC-SHA256 over the address of the hook and the body.",
}
HOOK_EXAMPLE: Final[dict[str, Any]] = {"_id": 990001, "incident/when": "2016-02-28T13:40:00.000+02:00", "what": "shell"}
#: In the scope of a request: its adapter and its body.
_PROVED: Final = "trucewatch.hook"
_VERSION: Final = re.compile(r'"(\d{1,9})(?:-[0-9a-f]+)?(?:-gzip)?"')


@dataclass(frozen=True, slots=True)
class AdapterParts:
    """``has_kafka``: topics can be read. ``wake`` has an adapter's list read soon. ``refused`` is told of each hook
    without the right credentials."""

    store: SqlAdapters
    inbound: Inbound
    clock: Clock
    policy: Policy
    public_url: str
    has_kafka: bool
    wake: Callable[[str], Awaitable[None]]
    refused: Callable[[], None]


def build_adapters_router(parts: AdapterParts) -> APIRouter:
    router = make_router("adapters")
    _add_resource(router, parts)
    _add_preview(router, parts)
    _add_hook(router, parts)
    return router


def _add_resource(router: APIRouter, parts: AdapterParts) -> None:
    store, clock = parts.store, parts.clock

    @router.put("/v1/adapters/{id}")
    @describe(
        "Set how a source's submissions become reports; secrets are stored encrypted and never shown",
        body=AdapterRequest,
        answers={200: AdapterView, 201: AdapterView},
        example=EXAMPLE,
        headers={"If-Match": "The version that is replaced; 412 if it is not the latest."},
        roles=("operator",),
        problems=(409, 412),
    )
    async def put_adapter(id: str, request: Request) -> Response:
        wanted = parse(await read_body(request), AdapterRequest)
        _refuse_faults(parts, id, wanted)
        before = await store.find(id)
        _expect_version(request, before)
        now = clock.now()
        with_secrets = before is not None and (before.has_secret or before.has_token)
        secrets = _secrets(wanted, await store.secrets(id) if with_secrets else Secrets())
        adapter = _make(id, wanted, secrets, before, now)
        action = "adapter.created" if before is None else "adapter.changed"
        also = _audited(principal_of(request), now, action, adapter)
        try:
            await store.put(adapter, secrets, also)
        except VersionLostError:
            raise Problem(409, "Changed meanwhile", "Somebody changed this adapter at the same time.") from None
        except SettingsError as error:
            raise Problem(409, "No key for secrets", str(error)) from None
        await parts.wake(id)
        return await _shown(parts, adapter, 201 if before is None else 200)

    @router.get("/v1/adapters")
    @describe("Adapters, without their secrets", lists=ADAPTERS_LIST, roles=("operator",))
    async def get_adapters(request: Request) -> Response:
        query, now = read_list(request, ADAPTERS_LIST), clock.now()
        found = await store.page(query)
        return reply(make_page(query, found, lambda pair: (pair[0].id,), lambda pair: view_adapter(*pair, now)))

    @router.get("/v1/adapters/{id}")
    @describe("One adapter and what it has done", answers={200: AdapterView}, roles=("operator",))
    async def get_adapter(id: str) -> Response:
        return await _shown(parts, await _find(store, id))

    @router.delete("/v1/adapters/{id}")
    @describe("Remove an adapter; what it reported stays", answers={204: None}, roles=("operator",), problems=(412,))
    async def delete_adapter(id: str, request: Request) -> Response:
        adapter = await _find(store, id)
        _expect_version(request, adapter)
        also = _audited(principal_of(request), clock.now(), "adapter.deleted", adapter)
        if not await store.delete(id, also):
            raise _absent()
        return Response(status_code=204)


def _add_preview(router: APIRouter, parts: AdapterParts) -> None:

    @router.post("/v1/adapters/{id}/preview")
    @describe(
        "Show what an adapter makes of a body that its source sends or lists; nothing is stored",
        body=Any,
        answers={200: PreviewAnswer},
        example=HOOK_EXAMPLE,
        roles=("operator",),
    )
    async def post_preview(id: str, request: Request) -> Response:
        adapter = await _find(parts.store, id)
        records = await _read_records(parts, adapter, await read_body(request))
        return reply(PreviewAnswer(preview(parts.inbound, adapter, records), find_unknown(records)))


def _add_hook(router: APIRouter, parts: AdapterParts) -> None:

    async def prove(request: Request) -> Principal | None:
        return await _prove(parts, request)

    async def take(id: str, request: Request) -> Response:
        adapter, body = request.scope[_PROVED] if _PROVED in request.scope else await _opened(parts, request)
        items = await parts.inbound.take(adapter, await _read(parts, adapter, body))
        if any(item.ignored for item in items):
            await parts.wake(id)
        return _answer(adapter, items)

    router.post("/v1/inbound/{id}")(
        describe(
            "Take what a source sends by itself: it shows the adapter's secret; an operator's key does, too",
            body=Any,
            answers={200: InboundAnswer, 202: InboundAnswer},
            example=HOOK_EXAMPLE,
            headers=HOOK_HEADERS,
            roles=("operator",),
            admit=prove,
            problems=(422,),
        )(take)
    )

    @router.post("/v1/inbound/{id}/{form}")
    @describe(
        "The same, for sources that need an address for each form", body=Any, roles=("operator",), admit=prove,
        published=False,
    )  # fmt: skip
    async def take_form(id: str, form: str, request: Request) -> Response:
        return await take(id, request)


async def _opened(parts: AdapterParts, request: Request) -> tuple[Adapter, bytes]:
    """Raises Problem 404, 413."""
    return _of_form(await _find(parts.store, request.path_params["id"])), await read_body(request)


async def _prove(parts: AdapterParts, request: Request) -> Principal | None:
    """The partner for whom a hook comes that shows its adapter's secret; None for a request that shows a key. Raises
    Problem 401, also where there is no such adapter: strangers do not learn which there are."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    if read_bearer(headers.get("authorization")) is not None:
        return None
    try:
        adapter, body = request.scope[_PROVED] = await _opened(parts, request)
    except Problem as problem:
        if problem.status != 404:
            raise
        parts.refused()
        raise _unproved() from None
    secret = (await parts.store.secrets(adapter.id)).secret if adapter.has_secret else None
    url = parts.public_url + request.scope["path"]
    if secret is None or not is_proved(adapter.kind, secret, url, body, headers):
        parts.refused()
        raise _unproved()
    return Principal(f"adapters/{adapter.id}", adapter.partner, "partner")


def _unproved() -> Problem:
    return Problem(
        401, "Credentials needed", "The request does not show the adapter's secret.",
        headers={"www-authenticate": "Basic"},
    )  # fmt: skip


async def _read_records(parts: AdapterParts, adapter: Adapter, body: bytes) -> list[ReadRecord]:
    """Raises Problem 400 for what is not JSON, 422 for a file from which nothing can be read."""
    if adapter.kind not in FILES:
        return parts.inbound.read(adapter, parse_json(body))
    try:
        return (await asyncio.to_thread(parts.inbound.read_page, adapter, body)).records
    except UnreadableListError as error:
        raise Problem(422, "Not valid", str(error)) from None


async def _read(parts: AdapterParts, adapter: Adapter, body: bytes) -> list[ReadRecord]:
    """Raises Problem 400 for what is not JSON, of which nothing but its digest is kept."""
    try:
        return await _read_records(parts, adapter, body)
    except Problem as problem:
        await parts.inbound.bury(adapter.id, {"sha256": hashlib.sha256(body).hexdigest()}, problem)
        raise Problem(422, "Not valid", problem.detail) from None


def _answer(adapter: Adapter, items: list[InboundItem]) -> Response:
    """One record that is refused is refused as such; of several each answers for itself."""
    if len(items) == 1 and items[0].problem is not None:
        return reply(items[0].problem, 422, {"content-type": "application/problem+json", "content-language": "en"})
    fresh = any(item.status == 202 for item in items) and adapter.kind != "ushahidi"
    return reply(InboundAnswer(200, items), 202 if fresh else 200)


def _refuse_faults(parts: AdapterParts, id: str, wanted: AdapterRequest) -> None:
    """Raises Problem 422 with every fault."""
    errors = [FieldError(pointer, detail) for pointer, detail in find_adapter_faults(id, wanted)]
    if wanted.kind == "kafka" and not parts.has_kafka:
        errors.append(
            FieldError(
                "/kind", "kafka needs the services apart on Kafka; this log is embedded and has no topics of partners"
            )
        )
    if wanted.poll is not None:
        try:
            check_url(wanted.poll.url, parts.policy)
        except RefusedTargetError as error:
            errors.append(FieldError("/poll/url", str(error)))
    if errors:
        raise Problem(422, "Not valid", errors=errors)


def _secrets(wanted: AdapterRequest, before: Secrets) -> Secrets:
    """The secrets to be kept: one that is left out stays as it was."""
    secret = before.secret if wanted.secret is msgspec.UNSET else wanted.secret
    if wanted.poll is None:
        return Secrets(secret, None)
    return Secrets(secret, before.token if wanted.poll.token is msgspec.UNSET else wanted.poll.token)


def _make(id: str, wanted: AdapterRequest, secrets: Secrets, before: Adapter | None, now: int) -> Adapter:
    return Adapter(
        id=id,
        version=1 if before is None else before.version + 1,
        kind=wanted.kind,
        partner=wanted.partner,
        tables=tables_of(wanted),
        poll=None if wanted.poll is None else plan_poll(wanted.poll),
        topic=wanted.topic,
        has_secret=secrets.secret is not None,
        has_token=secrets.token is not None,
        created_at=now if before is None else before.created_at,
        updated_at=now,
    )


def _expect_version(request: Request, found: Adapter | None) -> None:
    """Raises Problem 412 where If-Match names another version, 400 for what is not a list of tags."""
    given = request.headers.getlist("if-match")
    if not given:
        return
    tags = read_tags(",".join(given))
    named = {int(match[1]) for tag in tags if (match := _VERSION.fullmatch(tag)) is not None}
    if found is None or ("*" not in tags and found.version not in named):
        raise Problem(412, "Precondition failed", "It changed since: read it again.")


async def _shown(parts: AdapterParts, adapter: Adapter, status: int = 200) -> Response:
    view = view_adapter(adapter, await parts.store.state(adapter.id), parts.clock.now())
    answer = reply(view, status)
    answer.headers["etag"] = f'"{adapter.version}-{tag_of(bytes(answer.body))}"'
    if status == 201:
        answer.headers["location"] = f"/v1/adapters/{adapter.id}"
    return answer


async def _find(store: SqlAdapters, id: str) -> Adapter:
    """Raises Problem 404."""
    found = await store.find(id)
    if found is None:
        raise _absent()
    return found


def _of_form(adapter: Adapter) -> Adapter:
    """Raises Problem 404 for one that reads a topic."""
    if adapter.kind == "kafka":
        raise Problem(404, "Not found", "This adapter reads a topic, and takes no requests.")
    return adapter


def _absent() -> Problem:
    return Problem(404, "Not found", "There is no such adapter.")


def _audited(principal: Principal, now: int, action: str, adapter: Adapter) -> Any:
    def also(connection: Any) -> None:
        audit.record(
            connection, at=now, actor=principal.actor, action=action, resource=f"adapters/{adapter.id}",
            detail={"kind": adapter.kind, "partner": adapter.partner, "version": adapter.version},
        )  # fmt: skip

    return also
