"""Each contract runs on every adapter of its port."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.platform.bus import kafka
from services.platform.db.engine import Database
from services.platform.settings.config import embedded_url, normal_url
from tests.statements import compiled_once
from tests.tables import create_tables


@pytest.fixture(scope="session", autouse=True)
def _statements() -> Iterator[None]:
    with compiled_once():
        yield


@pytest.fixture(autouse=True)
def _patient_publishing(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a broker that is well may take longer than the services wait."""
    monkeypatch.setattr(kafka, "PUBLISH_S", 60.0)


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
    create_tables(opened.engine)
    yield opened
    await opened.close()
