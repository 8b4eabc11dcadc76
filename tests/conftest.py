"""The real parts as session fixtures: each is imported and starts when the first test asks for it, and ends with the
session."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from tests.examples import register_profiles

if TYPE_CHECKING:
    from tests.parts.chromium import Chromium
    from tests.parts.kafka import Kafka
    from tests.parts.mail import Mailbox
    from tests.parts.postgres import Postgres
    from tests.parts.receiver import Receiver

pytest_plugins = ["tests.parts.missing"]
register_profiles()

#: Side by side, what waits for processes begins first; and of it, these files and folders before the others.
FOLDERS: Final = ("e2e", "contract", "parts", "component", "unit")
LONGEST: Final = (
    "cluster",
    "test_compose.py",
    "test_verify_short.py",
    "test_bounds.py",
    "test_kafka_bus.py",
    "test_kill.py",
    "test_verify_embedded.py",
    "test_pages.py",
)
#: The tests of these folders share what they run on: one worker has them all.
SHARED: Final = ("e2e/cluster",)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a worker, order the files so that none of the long ones is left for the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _place(item.path))


def _place(path: Path) -> tuple[int, int]:
    parts = path.relative_to(Path(__file__).parent).parts
    return FOLDERS.index(parts[0]), min(
        (LONGEST.index(part) for part in parts if part in LONGEST), default=len(LONGEST)
    )


class FilesAndFolders(LoadFileScheduling):  # type: ignore[misc]
    """A file is run by one worker, and so is a folder whose tests share something."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return next((folder for folder in SHARED if f"{folder}/" in file), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FilesAndFolders:
    return FilesAndFolders(config, log)


@pytest.fixture(scope="session")
def parts_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where parts keep their data and logs for this session."""
    return tmp_path_factory.mktemp("parts")


@pytest.fixture(scope="session")
def kafka(parts_directory: Path) -> "Iterator[Kafka]":
    """A running broker, shared: use topics and groups of your own."""
    from tests.parts.kafka import Kafka

    with Kafka(parts_directory / "kafka") as broker:
        yield broker


@pytest.fixture(scope="session")
def postgres(parts_directory: Path) -> "Iterator[Postgres]":
    """A running server, shared: use ``with postgres.database() as uri``."""
    from tests.parts.postgres import Postgres

    with Postgres(parts_directory / "postgres") as server:
        yield server


@pytest.fixture(scope="session")
def _receiver() -> "Iterator[Receiver]":
    from tests.parts.receiver import Receiver

    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def receiver(_receiver: "Receiver") -> "Receiver":
    """A webhook receiver without history."""
    _receiver.forget()
    return _receiver


@pytest.fixture(scope="session")
def _mailbox() -> "Iterator[Mailbox]":
    from tests.parts.mail import Mailbox

    with Mailbox() as mailbox:
        yield mailbox


@pytest.fixture
def smtp(_mailbox: "Mailbox") -> "Mailbox":
    """A mail server with an empty mailbox."""
    _mailbox.forget()
    return _mailbox


@pytest.fixture(scope="session")
def chromium() -> "Chromium":
    """Fails, with the reason, where there is no Chromium."""
    from tests.parts.chromium import Chromium

    return Chromium()
