"""The gateway and the ingress send each path to the service that owns it, and bound what clients may send."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
import yaml

from services.app import BUILDERS, assemble
from services.openapi.document import find_operations
from services.shared.config import embedded_url, read_settings
from services.shared.connections import address_key
from services.shared.setting_values import read_networks

DEPLOY: Final = Path(__file__).parents[3] / "deploy"

Route = Callable[[str], str]


def by_caddy() -> Route:
    text = (DEPLOY / "gateway" / "Caddyfile").read_text()
    patterns = dict(re.findall(r"@(\w+) path_regexp (\S+)", text))
    assert re.search(r"handle \{\s+import to ingest", text)

    def route(path: str) -> str:
        return next((owner for owner, pattern in patterns.items() if re.search(pattern, path)), "ingest")

    return route


def by_ingress() -> Route:
    (rule,) = yaml.safe_load((DEPLOY / "kubernetes" / "ingress.yaml").read_text())["spec"]["rules"]
    # The controller tries longer expressions first.
    paths = sorted(rule["http"]["paths"], key=lambda p: -len(p["path"]))

    def route(path: str) -> str:
        owner: str = next(p["backend"]["service"]["name"] for p in paths if re.match(p["path"], path))
        return owner

    return route


@pytest.mark.parametrize("choose", [by_caddy, by_ingress])
async def test_each_path_goes_to_its_owner(choose: Callable[[], Route], tmp_path: Path) -> None:
    settings = read_settings({}, database_url=embedded_url(tmp_path), host="127.0.0.1", port=0)
    assembly = await assemble(settings, tuple(BUILDERS))
    route = choose()
    owners = {
        re.sub(r"\{[^}]+\}", "some-id", operation.path): service.name
        for service in assembly.services
        for operation in find_operations([service.router])
        if service.name in BUILDERS
    }
    for service in assembly.services:
        for ending in service.stop:
            await ending()
    await assembly.runtime.bus.close()
    await assembly.runtime.database.close()
    assert len(owners) > 30
    assert {path: route(path) for path in owners} == owners


def test_the_gateway_bounds_what_a_client_may_send_and_how_slowly() -> None:
    text = (DEPLOY / "gateway" / "Caddyfile").read_text()
    for said in ("read_header 10s", "read_body 30m", "idle 60s", "max_header_size 28KiB", "max_size 130MB"):
        assert said in text
    # A timeout of writing would end streams.
    assert not re.search(r"^\s*write ", text, re.MULTILINE)


def test_behind_a_gateway_its_connections_are_not_counted_as_one_address() -> None:
    composed = yaml.safe_load((DEPLOY.parent / "docker-compose.yml").read_text())["services"]["ingest"]["environment"]
    configured = yaml.safe_load((DEPLOY / "kubernetes" / "config.yaml").read_text())["data"]
    for environ in (composed, configured):
        trusted = read_networks(environ, "TRUCEWATCH_TRUSTED_PROXIES")
        assert address_key("10.88.0.7", trusted) is None
        assert address_key("192.0.2.1", trusted) is not None
