"""The gateway and the ingress send each path to the service that owns it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
import yaml

from services.app import BUILDERS, assemble
from services.openapi.operations import find_operations
from services.platform.settings.config import embedded_url, read_settings
from tests.component.assembled import end

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
    await end(assembly)
    assert len(owners) > 30
    assert {path: route(path) for path in owners} == owners
