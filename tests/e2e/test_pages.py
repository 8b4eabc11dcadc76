"""The pages for partners, monitors and operators, followed word by word, on a server with the worked example."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.e2e.conftest import worked_example
from tests.parts.cluster import eventually
from tests.parts.service import Service
from tests.scenario import bearer, reports

DOCS: Final = Path(__file__).parents[2] / "docs"
#: For the page of operators, who decide about it.
UNDETERMINED: Final = {**reports()[0], "external_id": "somewhere", "location": {"place": "Nowhere in particular"}}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with worked_example(tmp_path_factory.mktemp("pages")) as running:
        yield running


def commands(page: str) -> str:
    """The shell blocks of a page, one after the other, as somebody would type them."""
    return "\n".join(re.findall(r"^```sh\n(.*?)^```$", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE))


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("page", "role"),
    [
        ("partners.md", "partner"),
        ("monitors.md", "monitor"),
        ("operators.md", "operator"),
        ("importing.md", "partner"),
        ("connectors.md", "operator"),
    ],
)
def test_every_command_of_the_page_works(service: Service, tmp_path: Path, page: str, role: str) -> None:
    with httpx.Client(base_url=service.url, headers=bearer(), timeout=30) as client:
        made = client.post("/v1/keys", json={"name": role, "role": role}).raise_for_status().json()
        client.post("/v1/incidents", json=UNDETERMINED).raise_for_status()
        eventually(lambda: client.get("/v1/review", params={"why": "undetermined"}).json()["items"], 60)
    data = service.command[service.command.index("--data") + 1]
    follow(commands(page), tmp_path, service, made["key"], DATA=data)


def follow(script: str, tmp_path: Path, service: Service, key: str, **env: str) -> None:
    """Run the commands of a page as somebody would who has this key, in a directory of their own."""
    (tmp_path / "trucewatch").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m services "$@"\n')
    (tmp_path / "trucewatch").chmod(0o755)
    given = os.environ | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": str(DOCS.parent),
        "TRUCEWATCH_URL": service.url,
        "TRUCEWATCH_KEY": key,
        **env,
    }
    told = subprocess.run(
        ["bash", "-c", "set -euo pipefail\n" + script], cwd=tmp_path, env=given, capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr
