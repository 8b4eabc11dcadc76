"""Two of each service, judging by the worked example: one cluster for all tests of this folder."""

from collections.abc import Iterator

import httpx
import pytest

from tests.parts.cluster import KINDS, Cluster
from tests.scenario import registry_document


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster"), dict.fromkeys(KINDS, 2)) as running:
        with running.client() as client:
            client.put("/v1/registry", json=registry_document()).raise_for_status()
        yield running


@pytest.fixture(autouse=True)
def _all_running(cluster: Cluster) -> Iterator[None]:
    """A process that a test leaves dead is told at that test, and started again for the next."""
    yield
    dead = [service for service in cluster.services if not service.running]
    for service in dead:
        service.start()
    assert [service.name for service in dead] == []


@pytest.fixture
def client(cluster: Cluster) -> Iterator[httpx.Client]:
    """All services behind one origin."""
    with cluster.client() as opened:
        yield opened
