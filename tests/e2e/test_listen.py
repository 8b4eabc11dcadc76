"""``trucewatch listen``: a newcomer's first webhook arrives with nothing else running."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx
import pytest

from tests.e2e.conftest import worked_example
from tests.parts.process import free_port
from tests.parts.service import Service
from tests.scenario import OPERATOR_KEY, bearer, reports

LISTEN: Final = [sys.executable, "-m", "services", "listen", "--port", "0"]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with worked_example(tmp_path_factory.mktemp("listen"), TRUCEWATCH_WEBHOOK_ALLOW="127.0.0.0/8") as running:
        yield running


@contextmanager
def listening(*more: str) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen([*LISTEN, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            child.kill()


def lines_until(child: "subprocess.Popen[str]", words: str) -> list[str]:
    """The lines printed up to one that holds ``words``; the test's own time limit ends a wait for nothing."""
    assert child.stdout is not None
    told: list[str] = []
    for line in child.stdout:
        told.append(line)
        if words in line:
            return told
    raise AssertionError(f"{words!r} is not in {told}")


def test_it_subscribes_verifies_prints_and_unsubscribes(service: Service) -> None:
    with (
        httpx.Client(base_url=service.url, headers=bearer(), timeout=30) as client,
        listening("--url", service.url, "--key", OPERATOR_KEY) as child,
    ):
        lines_until(child, "subscription active")
        client.post("/v1/incidents/batch", json=reports()).raise_for_status()
        assert lines_until(child, "alert.raised")[-1].startswith("signed ")
        assert [one["status"] for one in client.get("/v1/subscriptions").json()["items"]] == ["active"]
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == 0
        assert [one["status"] for one in client.get("/v1/subscriptions").json()["items"]] == []


def test_a_secret_of_ones_own_needs_no_key() -> None:
    with listening("--secret", "whsec_" + "A" * 32) as child:
        url = lines_until(child, "listening on")[-1].split()[-1]
        assert httpx.post(url, json={"type": "test"}).status_code == 401
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == 0


def test_a_refused_key_and_a_taken_port_are_one_sentence(service: Service) -> None:
    refused = subprocess.run([*LISTEN, "--url", service.url, "--key", "tw_" + "x" * 43], capture_output=True, text=True)
    assert (refused.returncode, refused.stderr.startswith("refused: 401")) == (3, True)
    port = service.url.rsplit(":", 1)[1]
    taken = subprocess.run(
        [*LISTEN[:-1], port, "--secret", "whsec_" + "A" * 32], capture_output=True, text=True, check=False
    )
    assert taken.returncode == 1
    assert port in taken.stderr
    assert "Traceback" not in taken.stderr
    nobody = f"http://127.0.0.1:{free_port()}"
    assert subprocess.run([*LISTEN, "--url", nobody, "--key", "tw_x"], capture_output=True).returncode == 3
