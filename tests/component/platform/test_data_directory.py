"""The data directory: private to its owner, used by one process, and a sentence where it cannot be used."""

import fcntl
import os
import stat
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from services.platform.db.engine import Database
from services.platform.process.data_directory import LOCK_FILE, DataDirectoryError, hold_data_directory
from services.platform.settings.base_url import base_url
from services.platform.settings.config import DATABASE_FILE, KEY_FILE, embedded_url, read_settings
from services.start import serve_command
from tests.parts.service import Service

FILES = (DATABASE_FILE, f"{DATABASE_FILE}-wal", f"{DATABASE_FILE}-shm", KEY_FILE, LOCK_FILE)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def serve(data: Path) -> Result:
    """The error of ``trucewatch serve`` where it cannot start."""
    return CliRunner().invoke(serve_command, ["--data", str(data), "--port", "0"], catch_exceptions=False)


@pytest.fixture
def wide_umask() -> object:
    old = os.umask(0)
    yield
    os.umask(old)


@pytest.mark.usefixtures("wide_umask")
async def test_the_directory_and_the_files_that_sqlite_makes_in_it_are_private(tmp_path: Path) -> None:
    data = tmp_path / "made" / "data"
    with hold_data_directory(data):
        database = Database(embedded_url(data))
        await database.write(lambda connection: connection.exec_driver_sql("CREATE TABLE t (x)"))
        modes = {path.name: mode(path) for path in data.iterdir()}
        await database.close()
    assert mode(data) == 0o700
    assert modes == dict.fromkeys((DATABASE_FILE, f"{DATABASE_FILE}-wal", f"{DATABASE_FILE}-shm", LOCK_FILE), 0o600)


def test_wider_modes_are_narrowed_at_the_start(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    for name in FILES:
        (data / name).touch(mode=0o644)
    with hold_data_directory(data):
        assert mode(data) == 0o700
        assert [mode(data / name) for name in FILES] == [0o600] * len(FILES)


def test_an_open_directory_with_files_of_others_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "thesis.odt").touch(mode=0o644)
    tmp_path.chmod(0o755)
    own = pytest.raises(DataDirectoryError, match=r"such as thesis\.odt: give Trucewatch a directory of its own")
    with own, hold_data_directory(tmp_path):
        pass
    assert (mode(tmp_path), mode(tmp_path / "thesis.odt")) == (0o755, 0o644)
    tmp_path.chmod(0o700)
    with hold_data_directory(tmp_path):
        assert mode(tmp_path / "thesis.odt") == 0o644


def test_a_second_serve_on_the_directory_says_so_in_one_sentence(tmp_path: Path) -> None:
    with hold_data_directory(tmp_path):
        ended = serve(tmp_path)
    assert (ended.exit_code, ended.output) == (
        2, f"Error: the data directory {tmp_path} is in use by process {os.getpid()}\n"
    )  # fmt: skip
    with hold_data_directory(tmp_path):
        pass


def test_serve_locks_its_directory_for_as_long_as_it_runs_even_if_it_is_killed(tmp_path: Path) -> None:
    data = tmp_path / "odd" / "da ta#1?x%20ü"
    with Service("serve", ["serve", "--data", str(data)], tmp_path, {}) as running:
        ended = serve(data)
        assert ended.exit_code == 2
        assert ended.output == f"Error: the data directory {data} is in use by process {running.pid}\n"
        assert {path.name for path in data.iterdir()} >= {DATABASE_FILE, f"{DATABASE_FILE}-wal", LOCK_FILE}
        assert not {path.name for path in data.parent.iterdir()} - {data.name}
        assert all(mode(path) == 0o600 for path in data.iterdir())
        running.kill()
    with (data / LOCK_FILE).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_data_directory_that_is_a_file_is_said_in_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for data, reason in {file: "it is a file", file / "below": "Not a directory"}.items():
        ended = serve(data)
        assert ended.exit_code == 2
        assert ended.output == f"Error: the data directory {data} cannot be used: {reason}\n"


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_data_directory_that_cannot_be_made_or_written_is_said_in_one_sentence(tmp_path: Path) -> None:
    ended = serve(Path("/proc/trucewatch"))
    assert ended.exit_code == 2
    assert ended.output.startswith("Error: the data directory /proc/trucewatch cannot be used: ")
    assert len(ended.output.splitlines()) == 1


def test_a_database_file_that_cannot_be_written_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / DATABASE_FILE).mkdir()
    ended = serve(tmp_path)
    assert ended.exit_code == 2
    assert ended.output == f"Error: the data directory {tmp_path} cannot be written: Is a directory\n"


def test_a_lock_file_that_leads_elsewhere_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("kept")
    (tmp_path / LOCK_FILE).symlink_to(target)
    assert serve(tmp_path).exit_code == 2
    assert target.read_text() == "kept"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("::1", "http://[::1]:8000"),
        ("fe80::1%eth0", "http://[fe80::1%25eth0]:8000"),
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("localhost", "http://localhost:8000"),
    ],
)
def test_an_ipv6_address_stands_in_brackets_in_urls(host: str, url: str) -> None:
    assert base_url(host, 8000) == url


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1"])
def test_a_host_that_is_not_of_this_machine_is_said_in_one_sentence(tmp_path: Path, host: str) -> None:
    options = ["--data", str(tmp_path), "--port", "0", "--host", host]
    ended = CliRunner().invoke(serve_command, options, catch_exceptions=False)
    assert ended.exit_code == 2
    assert ended.output.startswith(f"Error: --host: {host}:0: ")
    assert len(ended.output.splitlines()) == 1


def test_listening_on_ipv6_is_announced_with_brackets_and_links_follow(tmp_path: Path) -> None:
    class Announced(Service):
        @property
        def url(self) -> str:
            return f"http://[::1]:{self.port}"

    with Announced("serve", ["serve", "--data", str(tmp_path / "data"), "--host", "::1"], tmp_path, {}) as running:
        assert f"Listening on {running.url}/\n" in running.tail()
    settings = read_settings({}, database_url="sqlite://", host="::1", port=running.port)
    assert settings.public_url == running.url
