"""``trucewatch migrate-to``: all of an embedded storage in PostgreSQL, or nothing."""

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from services.cli import migrating
from services.cli.backup import back_up, put_back
from services.cli.main import make_cli
from services.ingest.text_search import INDEX_NAME
from services.platform.db import bulk
from services.platform.process.data_directory import hold_data_directory
from services.platform.settings.config import DATABASE_FILE
from tests.component.assembled import assembled
from tests.parts.postgres import Postgres
from tests.scenario import reports


@pytest.fixture
def uri(postgres: Postgres) -> Iterator[str]:
    with postgres.database() as uri:
        yield uri


async def _fill(folder: Path) -> None:
    with hold_data_directory(folder):
        async with assembled(folder) as running:
            channel = {"type": "email", "to": "desk@example.org"}
            await running.call("POST", "/v1/subscriptions", {"name": "Desk", "channel": channel})
            await running.call("POST", "/v1/incidents/batch", reports()[:5])
            await running.settle()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled") / "data"
    asyncio.run(_fill(folder))
    return folder


@pytest.fixture
def data(filled: Path, tmp_path: Path) -> Path:
    """A stopped storage with a few incidents, judged, and a subscription."""
    return shutil.copytree(filled, tmp_path / "data")


def migrate(data: Path, uri: str) -> Result:
    return CliRunner().invoke(make_cli(), ["migrate-to", "--data", str(data), uri], catch_exceptions=False)


def counts(data: Path) -> dict[str, int]:
    """The rows of each table, but not of those that SQLite keeps its index of words in."""
    with closing(sqlite3.connect(data / DATABASE_FILE)) as storage:
        found = storage.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        names = [name for (name,) in found if not name.startswith(INDEX_NAME)]
        return {name: storage.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}


def arrived(uri: str) -> dict[str, int]:
    with psycopg.connect(uri) as database:
        found = database.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        names = [name for (name,) in found.fetchall()]
        return {name: database.execute(f'SELECT count(*) FROM "{name}"'.encode()).fetchone()[0] for name in names}  # type: ignore[index]


def test_every_row_of_every_table_is_copied(data: Path, uri: str) -> None:
    told = migrate(data, uri)
    assert told.exit_code == 0, told.output
    assert f"{sum(counts(data).values()) - 1} rows copied, every table compared" in told.stderr
    assert f"TRUCEWATCH_SECRET_KEY_FILE={data}/secret.key" in told.stderr
    assert arrived(uri) == counts(data)
    with psycopg.connect(uri) as database, closing(sqlite3.connect(data / DATABASE_FILE)) as storage:
        (last,) = storage.execute("SELECT max(seq) FROM outbox").fetchone()
        assert database.execute("SELECT nextval(pg_get_serial_sequence('outbox', 'seq'))").fetchone() == (last + 1,)


def test_a_database_that_is_not_empty_stays_as_it_is(data: Path, uri: str) -> None:
    with psycopg.connect(uri) as database:
        database.execute("CREATE TABLE theirs (n integer)")
    told = migrate(data, uri)
    assert (told.exit_code, "not empty: it has the table theirs" in told.stderr) == (2, True)
    assert arrived(uri) == {"theirs": 0}


def test_what_arrives_otherwise_than_it_was_read_is_not_kept(
    data: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = bulk.insert_rows

    def lose_one(connection: object, table: object, columns: object, rows: object) -> None:
        insert(connection, table, columns, rows[1:] if str(table) == "assessments" else rows)  # type: ignore[arg-type,index]

    monkeypatch.setattr(migrating, "insert_rows", lose_one)
    told = migrate(data, uri)
    assert (told.exit_code, "the table assessments" in told.stderr) == (1, True)
    assert arrived(uri) == {}


def test_a_value_that_was_changed_on_the_way_is_noticed(data: Path, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    insert = bulk.insert_rows

    def spoil(connection: object, table: object, columns: object, rows: list[tuple[object, ...]]) -> None:
        if str(table) == "assessments":
            rows = [(*row[:-1], b"{}") for row in rows]
        insert(connection, table, columns, rows)  # type: ignore[arg-type]

    monkeypatch.setattr(migrating, "insert_rows", spoil)
    assert "the table assessments" in migrate(data, uri).stderr
    assert arrived(uri) == {}


def test_a_storage_in_use_is_not_copied(data: Path, uri: str) -> None:
    with hold_data_directory(data):
        told = migrate(data, uri)
    assert (told.exit_code, "is in use by process" in told.stderr) == (2, True)
    assert arrived(uri) == {}


def test_a_storage_of_another_version_is_not_copied(data: Path, uri: str) -> None:
    with closing(sqlite3.connect(data / DATABASE_FILE)) as storage:
        storage.execute("UPDATE alembic_version SET version_num = '0018'")
        storage.commit()
    told = migrate(data, uri)
    assert (told.exit_code, "is of another version: start it once" in told.stderr) == (2, True)
    assert arrived(uri) == {}


def test_a_restored_storage_that_was_not_started_since_is_not_copied(data: Path, uri: str) -> None:
    back_up(data, data.parent / "backup")
    put_back(data, data.parent / "backup")
    told = migrate(data, uri)
    assert (told.exit_code, "was restored and not started since" in told.stderr) == (2, True)
    assert arrived(uri) == {}


def test_a_directory_without_a_storage_is_left_alone(tmp_path: Path, uri: str) -> None:
    told = migrate(tmp_path, uri)
    assert (told.exit_code, "there is no storage" in told.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_away_is_told(data: Path, postgres: Postgres) -> None:
    told = migrate(data, postgres.uri("nowhere"))
    assert (told.exit_code, told.stderr.splitlines()[-1].startswith("Error: database:")) == (1, True)


def test_only_postgresql_is_a_target(data: Path) -> None:
    assert migrate(data, f"sqlite:///{data}/other.db").exit_code == 2
