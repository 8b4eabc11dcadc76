"""No personal value of what other systems send reaches the database, its log, or Kafka's segments."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg
from psycopg import sql

from tests.parts.cluster import PUBLIC_URL, Cluster, eventually
from tests.parts.form_server import KOBO, ODK, FormServer
from tests.unit.connectors.form_samples import CHOICES, KOBO_FIELDS, ODK_FIELDS, PERSONAL, USHAHIDI_FIELDS
from tests.unit.connectors.reading import SAMPLES, sample

SECRET: Final = "a secret of the forms"
#: Keys under which the samples hold somebody's name, account, device, number or address.
PERSONAL_KEYS: Final = frozenset(
    {"_submitted_by", "username", "deviceid", "deviceId", "phonenumber", "simserial", "subscriberid", "email",
     "formhub/uuid", "filename", "by_whom", "submitterName", "author_email", "author_realname", "contact"}
)  # fmt: skip
#: A shorter value is found everywhere by chance.
SHORTEST: Final = 5


def personal_values(value: Any) -> Iterator[str]:
    """Every personal value in a JSON document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key.rpartition("/")[2] in PERSONAL_KEYS and isinstance(inner, str):
                yield inner
            yield from personal_values(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from personal_values(inner)


def all_personal_values() -> set[str]:
    found = {one for file in SAMPLES.rglob("*.json") for one in personal_values(json.loads(file.read_bytes()))}
    return {one for one in found | set(PERSONAL) if len(one) >= SHORTEST}


def put(client: httpx.Client, kind: str, fields: dict[str, str], **changes: Any) -> None:
    body = {
        "kind": kind, "partner": "Field desk", "fields": fields, "choices": CHOICES, "form": "demo.example",
        "secret": SECRET, **changes,
    }  # fmt: skip
    client.put(f"/v1/adapters/{kind}", json=body).raise_for_status()


def send(client: httpx.Client, source: FormServer) -> None:
    """Every sample of a form, by hook and by list, and one that is refused."""
    for name, path in (("kobo_api_page_after_edit.json", KOBO), ("odk_odata_page.json", ODK)):
        page = json.loads(sample(name))
        source.has(path, *(page.get("results") or page["value"]))
    kobo = json.loads(sample("kobo_rest_service_body.json"))
    put(client, "kobo", KOBO_FIELDS, poll={"url": source.url(KOBO), "every": "PT10S"})
    put(client, "odk", ODK_FIELDS, poll={"url": source.url(ODK), "every": "PT10S"})
    put(client, "ushahidi", USHAHIDI_FIELDS)
    fetched = [*json.loads(sample("kobo_api_submissions.json"))["results"]]
    fetched += json.loads(sample("kobo_api_submissions_nested.json"))["results"]
    hook = {"x-trucewatch-secret": SECRET, "authorization": ""}
    for body in (kobo, {**kobo, "_id": 990002, "incident/what": "unheard of"}, *fetched):
        client.post("/v1/inbound/kobo", json=body, headers=hook)
    for body in json.loads(sample("odk_webhook_bodies.json")):
        client.post("/v1/inbound/odk", json=body, headers=hook)
    client.post("/v1/inbound/odk", json=json.loads(sample("odk_odata_submissions.json")), headers=hook)
    signed = sample("ushahidi_webhook_body.json")
    digest = hmac.new(SECRET.encode(), f"{PUBLIC_URL}/v1/inbound/ushahidi".encode() + signed, hashlib.sha256).digest()
    headers = {**hook, "x-ushahidi-signature": base64.b64encode(digest).decode()}
    client.post("/v1/inbound/ushahidi", content=signed, headers=headers).raise_for_status()


def test_no_personal_value_is_in_the_database_its_log_or_kafkas_segments(
    cluster: Cluster, client: httpx.Client
) -> None:
    with FormServer() as source:
        send(client, source)
        eventually(lambda: all(shown(client, kind)["last_full_at"] for kind in ("kobo", "odk")), 60)
        eventually(lambda: shown(client, "ushahidi")["read"], 30)
        refused = "unheard of"
        for wanted in ("kobo-aTruceForm0000000001-990001", "odk-aaaaaaaa-0000-4000-8000-000000000001", refused):
            eventually(lambda: wanted.encode() in in_kafka(cluster), 30)  # noqa: B023 - called at once
            assert wanted.encode() in in_database(cluster)
        personal = all_personal_values()
        assert len(personal) > len(PERSONAL)
        # Values that the files of the database hold compressed are looked for in its rows.
        everywhere = in_kafka(cluster) + in_database(cluster) + in_files(cluster.postgres.home / "data") + logs(cluster)
        assert [one for one in sorted(personal) if one.encode() in everywhere] == []
        for kind in ("kobo", "odk", "ushahidi"):
            client.delete(f"/v1/adapters/{kind}").raise_for_status()


def shown(client: httpx.Client, kind: str) -> dict[str, Any]:
    return dict(client.get(f"/v1/adapters/{kind}").json())


def in_files(directory: Path) -> bytes:
    """The tables and the write-ahead log as files, some of which may end meanwhile."""
    found: list[bytes] = []
    for file in (one for part in ("base", "pg_wal") for one in (directory / part).rglob("*") if one.is_file()):
        with suppress(FileNotFoundError):
            found.append(file.read_bytes())
    return b"".join(found)


def in_kafka(cluster: Cluster) -> bytes:
    """The segments of every topic."""
    return b"".join(file.read_bytes() for file in (cluster.directory / "kafka").rglob("*.log"))


def logs(cluster: Cluster) -> bytes:
    return b"".join(service.log.read_bytes() for service in cluster.services if service.log.exists())


def in_database(cluster: Cluster) -> bytes:
    """Every row of every table, bytes as they are."""
    with psycopg.connect(cluster.database_uri) as connection:
        columns = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND data_type IN ('bytea', 'text', 'character varying', 'jsonb', 'json')"
        ).fetchall()
        found: list[bytes] = []
        for table, column in columns:
            query = sql.SQL("SELECT {} FROM {}").format(sql.Identifier(column), sql.Identifier(table))
            for (value,) in connection.execute(query):
                found.append(value if isinstance(value, bytes) else str(value).encode())
    return b"\n".join(found)
