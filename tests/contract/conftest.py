"""Each contract runs on every adapter of its port."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.shared.config import embedded_url, normal_url
from services.shared.db.engine import Database
from services.shared.db.tables import metadata


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield embedded_url(tmp_path)
    else:
        with request.getfixturevalue("postgres").database() as uri:
            yield normal_url(uri)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database of each kind with all tables."""
    opened = Database(database_url)
    metadata.create_all(opened.engine)
    yield opened
    await opened.close()
