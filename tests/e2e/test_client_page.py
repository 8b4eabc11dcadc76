"""The page about the Python client, followed word by word with the installed wheel, which has nothing of the server."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import worked_example
from tests.e2e.test_pages import DOCS
from tests.parts.installed import ROOT, Installed, build_wheel
from tests.parts.service import Service
from tests.scenario import OPERATOR_KEY, bearer, reports

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    wheel = build_wheel(tmp_path_factory.mktemp("wheel"), ROOT / "deploy" / "client")
    client = Installed(tmp_path_factory.mktemp("client"), wheel)
    blocks = re.findall(r"^```python\n(.*?)^```$", (DOCS / "client.md").read_text(), re.DOTALL | re.MULTILINE)
    (client.directory / "page.py").write_text("\n".join(blocks))
    return client


@contextmanager
def violations(service: Service) -> Iterator[None]:
    """One more, and one more, as long as the context lasts."""
    over = threading.Event()

    def report() -> None:
        with httpx.Client(base_url=service.url, headers=bearer(), timeout=60) as client:
            number = 0
            while not over.wait(0.2):
                number += 1
                client.post("/v1/incidents", json={**reports()[0], "external_id": f"more-{number}"}).raise_for_status()

    reporting = threading.Thread(target=report)
    reporting.start()
    try:
        yield
    finally:
        over.set()
        reporting.join()


def test_every_line_of_the_page_works(installed: Installed, tmp_path: Path) -> None:
    with worked_example(tmp_path) as service, violations(service):
        told = installed.run("python", "page.py", env={"TRUCEWATCH_URL": service.url, "TRUCEWATCH_KEY": OPERATOR_KEY})
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("violation\n422 [('/act', ")
    assert "raised " in told.stdout
    assert "Aleppo desk pending" in told.stdout


def test_its_types_are_found_and_hold(installed: Installed) -> None:
    python = str(installed.directory / "bin" / "python")
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", python, "page.py"]
    told = subprocess.run(command, cwd=installed.directory, env={}, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout
