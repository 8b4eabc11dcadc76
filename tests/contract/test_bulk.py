"""Many rows in one statement, in every database alike."""

import time
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import BigInteger, Column, Connection, Integer, LargeBinary, MetaData, Table, Text, select, text
from sqlalchemy.exc import DataError, IntegrityError

from services.platform.db.bulk import insert_new_rows, insert_rows, scalar, select_by_key, update_rows, upsert_rows
from services.platform.db.engine import Database
from services.platform.failures import RetryLaterError
from services.platform.settings.config import normal_url
from tests.parts.postgres import Postgres

things = Table(
    "things",
    MetaData(),
    Column("id", Text, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("at", BigInteger),
    Column("body", LargeBinary),
    Column("order", Text),
)
COLUMNS = ("id", "number", "at", "body", "order")
#: Fewer than the smallest size that either database treats apart, each size, and what does not divide.
COUNTS = [1, 2, 15, 16, 17, 64, 100, 200]

Row = tuple[Any, ...]


@pytest.fixture
async def held(database: Database) -> AsyncIterator[Database]:
    things.metadata.create_all(database.engine)
    yield database
    things.metadata.drop_all(database.engine)


@pytest.fixture
async def served(postgres: Postgres) -> AsyncIterator[tuple[Database, str]]:
    """A database of PostgreSQL alone, and where it is."""
    with postgres.database() as uri:
        database = Database(normal_url(uri))
        things.metadata.create_all(database.engine)
        yield database, uri
        await database.close()


def rows(count: int, number: int = 0, **more: Any) -> list[Row]:
    plain = {"at": 2**53 + 1, "body": b"\x00\xff'\\", "order": 'حلب {"a",NULL}', **more}
    return [(f"t{i:04}", number + i, plain["at"], plain["body"], plain["order"]) for i in range(count)]


async def stored(database: Database) -> list[Row]:
    return await database.read(lambda c: [tuple(row) for row in c.execute(select(things).order_by(things.c.id))])


@pytest.mark.parametrize("count", COUNTS)
async def test_what_was_inserted_is_found_again_as_it_was(held: Database, count: int) -> None:
    await held.write(lambda c: insert_rows(c, things, COLUMNS, rows(count)))
    assert await stored(held) == rows(count)
    keys = [row[0] for row in rows(count)]
    found = await held.read(lambda c: select_by_key(c, "SELECT id, number FROM things WHERE id", [*keys, "none"]))
    assert sorted(map(tuple, found)) == [row[:2] for row in rows(count)]


@pytest.mark.parametrize("count", [1, 100])
async def test_a_column_may_hold_nothing_at_all(held: Database, count: int) -> None:
    nothing = rows(count, at=None, body=None, order=None)
    await held.write(lambda c: insert_rows(c, things, COLUMNS, nothing))
    await held.write(lambda c: upsert_rows(c, things, COLUMNS, nothing))
    assert await stored(held) == nothing


@pytest.mark.parametrize("count", COUNTS)
async def test_a_key_that_is_taken_refuses_all_of_them_and_the_next_write_succeeds(held: Database, count: int) -> None:
    taken = rows(count)[-1:]
    await held.write(lambda c: insert_rows(c, things, COLUMNS, taken))
    with pytest.raises(IntegrityError):
        await held.write(lambda c: insert_rows(c, things, COLUMNS, rows(count)))
    assert await stored(held) == taken
    await held.write(lambda c: insert_new_rows(c, things, COLUMNS, rows(count, 1000)))
    assert await stored(held) == [*rows(count, 1000)[:-1], *taken]


@pytest.mark.parametrize("count", COUNTS)
async def test_what_is_there_is_replaced_and_only_by_what_is_higher_where_asked(held: Database, count: int) -> None:
    await held.write(lambda c: upsert_rows(c, things, COLUMNS, rows(count, 10)))
    await held.write(lambda c: upsert_rows(c, things, COLUMNS, rows(count, 10, order="later"), rising="number"))
    assert await stored(held) == rows(count, 10)
    await held.write(lambda c: upsert_rows(c, things, COLUMNS, rows(count, 11, order="later"), rising="number"))
    assert await stored(held) == rows(count, 11, order="later")
    await held.write(lambda c: upsert_rows(c, things, COLUMNS, rows(count, 5)))
    assert await stored(held) == rows(count, 5)


@pytest.mark.parametrize("count", COUNTS)
async def test_only_rows_that_hold_what_was_named_are_changed(held: Database, count: int) -> None:
    other = ("u", 1, None, None, "other")
    await held.write(lambda c: insert_rows(c, things, COLUMNS, [*rows(count, order="mine"), other]))
    changes = [(row[0], 7, None) for row in rows(count)] + [("u", 7, None), ("none", 7, None)]
    await held.write(lambda c: update_rows(c, things, ("id", "number", "body"), changes, only=("order", "mine")))
    assert await stored(held) == [(row[0], 7, row[2], None, "mine") for row in rows(count)] + [other]


async def test_no_rows_are_no_statement(held: Database) -> None:
    def nothing(c: Any) -> list[Any]:
        insert_rows(c, things, COLUMNS, [])
        insert_new_rows(c, things, COLUMNS, [])
        upsert_rows(c, things, COLUMNS, [])
        update_rows(c, things, ("id", "number"), [], only=("order", "mine"))
        return select_by_key(c, "SELECT id FROM things WHERE id", [])

    assert await held.write(nothing) == []
    assert await held.read(lambda c: scalar(c, "SELECT max(number) FROM things")) is None


@pytest.mark.parametrize("count", [1, 100])
@pytest.mark.parametrize("column", ["number", "at"])
async def test_a_number_that_is_too_large_for_its_column_is_refused_and_never_cut_off(
    served: tuple[Database, str], column: str, count: int
) -> None:
    """On PostgreSQL; SQLite's columns take 63 bits, whatever they are called."""
    database, _ = served
    too_large = {"number": 2**31, "at": 2**63}[column]
    wrong = [
        *rows(count)[:-1],
        tuple(too_large if c == column else v for c, v in zip(COLUMNS, rows(1)[0], strict=True)),
    ]
    with pytest.raises(DataError, match="out of range"):
        await database.write(lambda c: insert_rows(c, things, COLUMNS, wrong))
    await database.write(lambda c: insert_rows(c, things, COLUMNS, rows(count)))
    assert await stored(database) == rows(count)


@pytest.mark.parametrize("count", [1, 100])
async def test_a_session_that_the_database_ended_is_one_that_is_away(served: tuple[Database, str], count: int) -> None:
    database, uri = served

    def work(c: Connection) -> None:
        end_session(c, uri)
        insert_rows(c, things, COLUMNS, rows(count))

    with pytest.raises(RetryLaterError):
        await database.write(work)
    await database.write(lambda c: insert_rows(c, things, COLUMNS, rows(count)))
    assert await stored(database) == rows(count)


def end_session(connection: Connection, uri: str) -> None:
    """As the database does where a process stands still within a transaction."""
    pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    connection.execute(text("SET idle_in_transaction_session_timeout = '1ms'"))
    with psycopg.connect(uri, autocommit=True) as other:
        while other.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchone():
            time.sleep(0.01)
