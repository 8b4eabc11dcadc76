"""A running ingest for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.component.ingest.running import RunningIngest, running_ingest


@pytest.fixture
async def ingest(tmp_path: Path) -> AsyncIterator[RunningIngest]:
    async with running_ingest(tmp_path) as opened:
        yield opened
