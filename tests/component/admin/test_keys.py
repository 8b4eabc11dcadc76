"""Keys, the audit, and the first key of all."""

from pathlib import Path
from typing import Any

import pytest

from schemas.codec import encode
from schemas.events import KeyChanged
from schemas.topics import KEYS
from services.admin.bootstrap import ensure_key, feed_keys, prepare_keys
from services.platform.bus.dead_letters import DeadLetters
from services.platform.bus.embedded import EmbeddedBus
from services.platform.db.engine import Database
from services.platform.process.runtime import Runtime
from services.platform.security.keys import KeyRing, hash_secret
from services.platform.settings.config import Settings
from tests.component.ingest.running import RunningIngest
from tests.fakes import DrivenClock
from tests.tables import create_tables
from tests.unit.ingest.samples import REPORT


async def test_a_key_is_shown_once_and_counts_until_it_is_revoked(ingest: RunningIngest) -> None:
    await ingest.clock.advance(1)
    made = await ingest.operator.post("/v1/keys", json={"name": "new partner", "role": "partner"})
    assert made.status_code == 201
    secret, key_id = made.json()["key"], made.json()["id"]
    assert made.headers["location"] == f"/v1/keys/{key_id}"
    client = ingest.client(secret.removeprefix("tw_"))
    assert (await client.post("/v1/incidents", json=REPORT)).status_code == 202
    listed = await ingest.operator.get("/v1/keys")
    assert secret not in listed.text
    assert [key["name"] for key in listed.json()["items"]] == ["new partner", "admin"]
    assert (await ingest.operator.delete(f"/v1/keys/{key_id}")).status_code == 204
    assert (await ingest.operator.delete(f"/v1/keys/{key_id}")).status_code == 204
    assert (await ingest.operator.delete("/v1/keys/none")).status_code == 404
    assert (await client.post("/v1/incidents", json=REPORT)).status_code == 401
    assert (await ingest.operator.get("/v1/keys")).json()["items"][0]["revoked_at"] == "2016-05-08T12:00:01Z"


async def test_a_key_expires(ingest: RunningIngest) -> None:
    body = {"name": "guest", "role": "monitor", "expires_at": "2016-05-08T16:00:00+03:00"}
    secret = (await ingest.operator.post("/v1/keys", json=body)).json()["key"]
    guest = ingest.client(secret.removeprefix("tw_"))
    assert (await guest.get("/v1/incidents")).status_code == 200
    await ingest.clock.advance(3600)
    assert (await guest.get("/v1/incidents")).status_code == 401


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "", "role": "partner"}, "/name"),
        ({"name": "a\0b", "role": "partner"}, "/name"),
        ({"name": " a", "role": "partner"}, "/name"),
        ({"name": "x" * 101, "role": "partner"}, "/name"),
        ({"name": "a", "role": "king"}, "/role"),
        ({"name": "a"}, "/role"),
        ({"name": "a", "role": "partner", "expires_at": "2016-05-08T12:00:00Z"}, "/expires_at"),
        ({"name": "a", "role": "partner", "expires_at": "2017-05-08T12:00:00"}, "/expires_at"),
        ({"name": "a", "role": "partner", "expires_at": "9999-12-31T23:59:59-12:00"}, "/expires_at"),
        ({"name": "a", "role": "partner", "more": 1}, "/more"),
    ],
)
async def test_a_bad_key_request_is_refused(ingest: RunningIngest, body: dict[str, Any], pointer: str) -> None:
    answer = await ingest.operator.post("/v1/keys", json=body)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_keys_the_audit_and_dead_letters_are_for_operators(ingest: RunningIngest) -> None:
    for path in ("/v1/keys", "/v1/audit", "/v1/dead-letters"):
        statuses = [
            (await client.get(path)).status_code for client in (ingest.partner, ingest.monitor, ingest.client(None))
        ]
        assert statuses == [403, 403, 401]
    assert (await ingest.monitor.post("/v1/keys", json={"name": "a", "role": "operator"})).status_code == 403
    assert (await ingest.monitor.delete("/v1/keys/admin")).status_code == 403


async def test_the_last_operator_key_is_not_revoked(ingest: RunningIngest) -> None:
    (admin,) = (await ingest.operator.get("/v1/keys")).json()["items"]
    assert (await ingest.operator.delete(f"/v1/keys/{admin['id']}")).status_code == 409
    await ingest.operator.post("/v1/keys", json={"name": "second", "role": "operator"})
    assert (await ingest.operator.delete(f"/v1/keys/{admin['id']}")).status_code == 204


async def test_every_change_of_keys_is_in_the_audit_newest_first(ingest: RunningIngest) -> None:
    made = (await ingest.operator.post("/v1/keys", json={"name": "a", "role": "partner"})).json()
    await ingest.clock.advance(1)
    await ingest.operator.delete(f"/v1/keys/{made['id']}")
    await ingest.run_loops()
    first = (await ingest.operator.get("/v1/audit", params={"limit": 1})).json()
    second = (await ingest.operator.get("/v1/audit", params={"limit": 1, "after": first["next"]})).json()
    entries = first["items"] + second["items"]
    duty = {"key": "o1", "name": "duty"}
    assert [(e["actor"], e["action"], e["resource"]) for e in entries] == [
        (duty, "key.revoked", f"keys/{made['id']}"),
        (duty, "key.created", f"keys/{made['id']}"),
    ]
    assert (first["has_more"], second["has_more"]) == (True, False)
    assert made["key"] not in str(entries)


def start(directory: Path, admin_key: str | None) -> Runtime:
    clock = DrivenClock()
    database = Database(f"sqlite:///{directory}/keys.db")
    create_tables(database.engine)
    settings = Settings(database_url="", public_url="", admin_key=admin_key)
    return Runtime(settings, clock, database, EmbeddedBus(database), KeyRing(clock), DeadLetters(database, clock))


async def test_empty_storage_gets_one_operator_key_shown_once(tmp_path: Path) -> None:
    runtime = start(tmp_path, None)
    secret = await ensure_key(runtime)
    assert secret is not None
    assert await ensure_key(runtime) is None
    await feed_keys(runtime)
    principal = runtime.keys.find(secret)
    assert principal is not None
    assert (principal.name, principal.role) == ("operator", "operator")
    await runtime.database.close()


async def test_the_admin_key_counts_and_another_one_takes_its_place(tmp_path: Path) -> None:
    for admin_key, counts in (("first", {"first"}), ("first", {"first"}), ("second", {"second"})):
        runtime = start(tmp_path, admin_key)
        assert await ensure_key(runtime) is None
        await feed_keys(runtime)
        assert {key for key in ("first", "second") if runtime.keys.find(key) is not None} == counts
        await runtime.database.close()


async def test_a_key_that_was_revoked_stays_so_for_a_process_that_finds_it_made_on_the_log(tmp_path: Path) -> None:
    runtime = start(tmp_path, "first")
    await prepare_keys(runtime)
    revoked = start(tmp_path, "second")
    await prepare_keys(revoked)
    made = runtime.keys.find("first")
    assert made is not None
    change = KeyChanged(made.key_id, "admin", "operator", hash_secret("first"), "2016-05-08T12:00:00Z")
    await revoked.bus.publish([encode(KEYS, change, key=change.id, id="repeated", time=change.created_at)])
    late = start(tmp_path, "second")
    await prepare_keys(late)
    assert late.keys.find("first") is None
    assert late.keys.find("second") is not None
    for one in (runtime, revoked, late):
        await one.bus.close()
        await one.database.close()
