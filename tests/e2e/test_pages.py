"""The pages for partners and monitors, followed word by word, on a server with the worked example."""

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
from tests.parts.service import Service
from tests.scenario import bearer

DOCS: Final = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with worked_example(tmp_path_factory.mktemp("pages")) as running:
        yield running


def commands(page: str) -> str:
    """The shell blocks of a page, one after the other, as somebody would type them."""
    return "\n".join(re.findall(r"^```sh\n(.*?)^```$", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize(("page", "role"), [("partners.md", "partner"), ("monitors.md", "monitor")])
def test_every_command_of_the_page_works(service: Service, tmp_path: Path, page: str, role: str) -> None:
    with httpx.Client(base_url=service.url, headers=bearer(), timeout=30) as client:
        made = client.post("/v1/keys", json={"name": role, "role": role}).raise_for_status().json()
    (tmp_path / "trucewatch").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m services "$@"\n')
    (tmp_path / "trucewatch").chmod(0o755)
    root = str(DOCS.parent)
    env = os.environ | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": root,
        "TRUCEWATCH_URL": service.url,
        "TRUCEWATCH_KEY": made["key"],
    }
    script = "set -euo pipefail\n" + commands(page)
    told = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
