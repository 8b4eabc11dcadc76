"""A database is let go of, whatever it is doing: PostgreSQL may answer late, or never."""

import asyncio

import psycopg
import pytest
from sqlalchemy import Connection, text

from services.platform.db import timeouts as timeouts
from services.platform.db.engine import Database
from services.platform.failures import RetryLaterError
from services.platform.settings.config import normal_url
from tests.parts.postgres import Postgres

#: The holder of the lock keeps it: a call that has not come back by then hangs.
HUNG_S = 120.0


def write(connection: Connection) -> None:
    connection.execute(text("INSERT INTO things VALUES (1)"))


def read(connection: Connection) -> None:
    connection.execute(text("SELECT count(*) FROM things"))


async def test_what_waits_for_a_lock_is_broken_off_and_so_is_what_was_queued_behind_it(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeouts, "CLOSE_S", 0.5)
    with postgres.database() as uri, psycopg.connect(uri) as other:
        other.execute("CREATE TABLE things (id INTEGER)")
        other.commit()
        other.execute("LOCK TABLE things IN ACCESS EXCLUSIVE MODE")
        database = Database(normal_url(uri))
        asked = [asyncio.ensure_future(database.write(write))]
        await until_waiting(uri)
        asked += [asyncio.ensure_future(database.write(write)) for _ in range(3)]
        asked += [asyncio.ensure_future(database.read(read)) for _ in range(3)]
        await asyncio.sleep(0)
        async with asyncio.timeout(HUNG_S):
            await database.close()
        told = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(one) for one in told} <= {RetryLaterError, asyncio.CancelledError}
        other.rollback()
        assert other.execute("SELECT count(*) FROM things").fetchone() == (0,)


async def test_a_connection_that_was_being_opened_when_all_were_broken_off_is_broken_off_too(
    postgres: Postgres,
) -> None:
    watching = timeouts.AnswerTimeouts()
    with postgres.database() as uri:
        watching.admit()
        connection = psycopg.connect(uri)
        watching.hang_up()
        with pytest.raises(psycopg.OperationalError):
            watching.prepare(connection, None)
        with pytest.raises(psycopg.OperationalError):
            watching.admit()


async def until_waiting(uri: str) -> None:
    with psycopg.connect(uri, autocommit=True) as looking:
        waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        while not looking.execute(waits).fetchone():  # noqa: ASYNC110 - a database offers no event to wait for
            await asyncio.sleep(0.01)
