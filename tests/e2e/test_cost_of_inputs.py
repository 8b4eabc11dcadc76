"""No request, with a key or without, costs much more memory than its own size, and none fails the server.

How long a probe waits meanwhile is measured by ``make verify``: here the machine's speed decides nothing.
"""

from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.conftest import worked_example
from tests.parts.service import Service
from tests.scenario import bearer
from tests.verify.heavy_inputs import HEAVY, Heavy, measure


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with worked_example(tmp_path_factory.mktemp("costs")) as running:
        yield running


@pytest.mark.parametrize("heavy", HEAVY, ids=[heavy.name for heavy in HEAVY])
def test_a_request_costs_memory_in_keeping_with_its_size(service: Service, heavy: Heavy) -> None:
    with httpx.Client(base_url=service.url, headers=bearer(), timeout=120) as client:
        cost = measure(client, service.pid, heavy)
        print(cost)
        assert cost.status < 500
        assert cost.peak <= cost.allowed
        assert client.get("/v1/registry").status_code == 200


def test_without_a_key_nothing_is_read(service: Service) -> None:
    with httpx.Client(base_url=service.url, timeout=120) as client:
        for heavy in HEAVY[3:6]:
            cost = measure(client, service.pid, heavy)
            assert cost.status == 401
            assert cost.peak <= cost.allowed
