"""The distributed form, for the tests that need it: two of each service, judging by the worked example."""

from collections.abc import Iterator

import httpx
import pytest

from tests.parts.cluster import KINDS, Cluster
from tests.scenario import registry_document


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster"), dict.fromkeys(KINDS, 2)) as running:
        with running.client() as client:
            client.put("/v1/registry", json=registry_document()).raise_for_status()
        yield running


@pytest.fixture
def client(cluster: Cluster) -> Iterator[httpx.Client]:
    """All services behind one origin."""
    with cluster.client() as opened:
        yield opened
