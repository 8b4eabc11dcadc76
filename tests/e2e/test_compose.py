"""The compose file, really run: brought up on podman, a report in through the gateway, the webhook out, taken down."""

import json
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import yaml

from deploy.make_secrets import main as make_secrets
from schemas.examples import REPORT
from tests.parts.cluster import eventually
from tests.parts.containers import ROOT, Composition, Podman
from tests.parts.process import PartFailedError, free_port
from tests.parts.receiver import Receiver
from tests.scenario import OPERATOR_KEY, bearer, registry_document

pytestmark = pytest.mark.timeout(900)

PATIENCE_S = 400.0


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Podman:
    return Podman(tmp_path_factory.mktemp("podman"))


@pytest.fixture(scope="module")
def system(podman: Podman, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composition]:
    port, secrets = free_port(), tmp_path_factory.mktemp("composed") / "secrets"
    old = secrets.with_name("compose.env")
    old.write_text(f"TRUCEWATCH_ADMIN_KEY={OPERATOR_KEY}\n")
    make_secrets(secrets, old)
    settings = {
        "SECRETS_DIRECTORY": str(secrets),
        "TRUCEWATCH_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "GATEWAY_BIND": f"127.0.0.1:{port}",
        # Only the bridge networks of podman, from which the receiver on this machine is reached.
        "TRUCEWATCH_WEBHOOK_ALLOW": "10.88.0.0/13",
    }
    with Composition(podman, f"truce{port}", settings) as composition:
        composition.wait_healthy(PATIENCE_S)
        yield composition


@pytest.fixture(scope="module")
def outside(podman: Podman, system: Composition) -> Iterator[Receiver]:
    """A subscriber's receiver on this machine, at the address by which containers reach it."""
    (network,) = json.loads(podman.run("network", "inspect", f"{system.project}_default"))
    with Receiver(host=network["subnets"][0]["gateway"]) as receiver:
        yield receiver


@pytest.fixture(scope="module")
def client(system: Composition) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=system.settings["TRUCEWATCH_PUBLIC_URL"], headers=bearer(), timeout=30) as client:
        yield client


def test_a_report_goes_in_at_the_gateway_and_comes_out_as_a_signed_webhook(
    system: Composition, client: httpx.Client, outside: Receiver
) -> None:
    client.put("/v1/registry", json=registry_document()).raise_for_status()
    made = client.post(
        "/v1/subscriptions", json={"name": "desk", "channel": {"type": "webhook", "url": outside.url("/desk")}}
    )
    assert made.status_code == 201, made.text
    outside.trust("/desk", made.json()["secret"])
    wait_active(client, made.json()["id"])

    posted = client.post("/v1/incidents", json={**REPORT, "external_id": "composed-1"})
    assert posted.status_code == 202, posted.text
    delivered = outside.wait_for(lambda found: len(found) >= 1, 30, "/desk")

    assert [d.type for d in delivered] == ["alert.raised"]
    assert delivered[0].signed is True
    assert delivered[0].message["data"]["incident_id"] == posted.json()["incident_id"]


def test_every_service_answers_at_the_one_origin(system: Composition, client: httpx.Client) -> None:
    owned = ("/v1/incidents", "/v1/registry", "/v1/assessments", "/v1/alerts", "/v1/subscriptions", "/v1/dead-letters")
    assert {path: client.get(path).status_code for path in owned} == dict.fromkeys(owned, 200)

    def states() -> dict[str, str]:
        status = client.get("/status", headers={"accept": "application/json"}).json()
        return {name: part.get("state") for name, part in status["components"].items()}

    well = dict.fromkeys(("ingest", "rules", "notify", "bus", "database"), "ok")
    eventually(lambda: well.items() <= states().items(), 30, states)


def test_the_gateway_bounds_heads_and_passes_on_that_a_body_was_too_slow(system: Composition) -> None:
    address = urlsplit(system.settings["TRUCEWATCH_PUBLIC_URL"])

    def ask(request: bytes) -> bytes:
        with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
            connection.sendall(request)
            return connection.recv(4096)

    assert ask(b"GET /livez HTTP/1.1\r\nhost:") == b""
    assert ask(b"GET /livez HTTP/1.1\r\nhost: a\r\nx: " + b"a" * 40_000).startswith(b"HTTP/1.1 431 ")
    head = b"POST /v1/incidents HTTP/1.1\r\nhost: a\r\nauthorization: Bearer %s\r\n" % OPERATOR_KEY.encode()
    begun = ask(head + b"content-type: application/json\r\ncontent-length: 1000\r\n\r\n{")
    assert begun.startswith(b"HTTP/1.1 408 ")


def test_mail_is_caught(system: Composition, client: httpx.Client) -> None:
    client.post(
        "/v1/subscriptions", json={"name": "mail", "channel": {"type": "email", "to": "someone@example.org"}}
    ).raise_for_status()
    deadline = time.monotonic() + 30
    while "someone@example.org" not in system.logs("mail", 200):
        assert time.monotonic() < deadline, system.logs("mail", 200)
        time.sleep(0.2)


def test_no_container_runs_as_root(system: Composition) -> None:
    assert "0" not in {system.user(name) for name in system.names}


def test_a_restart_of_everything_loses_nothing(system: Composition, client: httpx.Client) -> None:
    before = client.post("/v1/incidents", json={**REPORT, "external_id": "composed-2"}).json()["incident_id"]
    system.restart()
    system.wait_healthy(PATIENCE_S)
    assert client.get(f"/v1/incidents/{before}").status_code == 200


def test_no_secret_stands_in_the_environment_of_a_container(system: Composition) -> None:
    directory = Path(system.settings["SECRETS_DIRECTORY"])
    secrets = [(directory / name).read_text().strip() for name in ("database_password", "admin_key", "secret_key")]
    for name in system.names:
        shown = system.podman.run("inspect", system.container(name))
        assert [secret for secret in secrets if secret in shown] == [], name


def test_secrets_are_made_once_and_taken_over_from_an_older_file(tmp_path: Path) -> None:
    old = tmp_path / "compose.env"
    old.write_text("POSTGRES_PASSWORD=before\nTRUCEWATCH_SMTP_URL=smtp://relay\nTRUCEWATCH_ADMIN_KEY=\n")
    directory = tmp_path / "secrets"
    make_secrets(directory, old)
    first = {path.name: path.read_text().strip() for path in directory.iterdir()}
    assert (first["database_password"], first["smtp_url"]) == ("before", "smtp://relay")
    assert len(first["admin_key"]) == len(first["secret_key"]) == 64
    make_secrets(directory)
    assert {path.name: path.read_text().strip() for path in directory.iterdir()} == first
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_without_secrets_nothing_starts(podman: Podman) -> None:
    with pytest.raises(PartFailedError, match=r"compose\.env\.example"):
        Composition(podman, "nosecrets", {"GATEWAY_BIND": "127.0.0.1:1"}).compose("config")


def test_every_service_restarts_is_checked_and_drops_its_capabilities() -> None:
    document = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    dockerfile = Path(ROOT / "deploy" / "Dockerfile").read_text()
    checked = {stage.split()[0] for stage in dockerfile.split(" AS ")[1:] if "HEALTHCHECK" in stage.split("\nFROM ")[0]}
    for name, service in document["services"].items():
        assert service["restart"] == "unless-stopped", name
        assert service["cap_drop"] == ["ALL"], name
        assert "healthcheck" in service or service["build"]["target"] in checked, name
    assert set(document["volumes"]) == {"kafka", "postgres"}


def wait_active(client: httpx.Client, subscription: str) -> None:
    deadline = time.monotonic() + 30
    while (state := client.get(f"/v1/subscriptions/{subscription}").json())["status"] != "active":
        assert time.monotonic() < deadline, state
        time.sleep(0.1)
