"""The gateway and the ingress bound what clients may send."""

import re
from pathlib import Path
from typing import Final

import yaml

from services.platform.http.connections import address_key
from services.platform.settings.values import read_networks

DEPLOY: Final = Path(__file__).parents[3] / "deploy"


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
