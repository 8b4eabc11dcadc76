"""The real parts as session fixtures: each starts when the first test asks for it, and ends with the session."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.chromium import Chromium
from tests.parts.kafka import Kafka
from tests.parts.mail import Mailbox
from tests.parts.postgres import Postgres
from tests.parts.receiver import Receiver

pytest_plugins = ["tests.parts.missing"]


@pytest.fixture(scope="session")
def parts_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where parts keep their data and logs for this session."""
    return tmp_path_factory.mktemp("parts")


@pytest.fixture(scope="session")
def kafka(parts_directory: Path) -> Iterator[Kafka]:
    """A running broker, shared: use topics and groups of your own."""
    with Kafka(parts_directory / "kafka") as broker:
        yield broker


@pytest.fixture(scope="session")
def postgres(parts_directory: Path) -> Iterator[Postgres]:
    """A running server, shared: use ``with postgres.database() as uri``."""
    with Postgres(parts_directory / "postgres") as server:
        yield server


@pytest.fixture(scope="session")
def _receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def receiver(_receiver: Receiver) -> Receiver:
    """A webhook receiver without history."""
    _receiver.forget()
    return _receiver


@pytest.fixture(scope="session")
def _mailbox() -> Iterator[Mailbox]:
    with Mailbox() as mailbox:
        yield mailbox


@pytest.fixture
def smtp(_mailbox: Mailbox) -> Mailbox:
    """A mail server with an empty mailbox."""
    _mailbox.forget()
    return _mailbox


@pytest.fixture(scope="session")
def chromium() -> Chromium:
    """Fails, with the reason, where there is no Chromium."""
    return Chromium()
