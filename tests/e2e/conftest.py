"""One process that judges by the worked example."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.parts.service import Service
from tests.scenario import OPERATOR_KEY, bearer, registry_document


@contextmanager
def worked_example(directory: Path, **env: str) -> Iterator[Service]:
    """Everything in one process, with the bundled registry loaded; ``env`` beside the operator's key."""
    environ = {"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY, **env}
    with Service("serve", ["serve", "--data", str(directory / "data")], directory, environ) as running:
        with httpx.Client(base_url=running.url, headers=bearer(), timeout=120) as client:
            client.put("/v1/registry", json=registry_document()).raise_for_status()
        yield running
