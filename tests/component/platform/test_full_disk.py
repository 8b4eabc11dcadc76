"""A full disk is the database being away, whichever way a statement goes to it."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from services.platform.db.engine import Database
from services.platform.failures import RetryLaterError


def through_sqlalchemy(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE t (x)"))
    connection.execute(text("INSERT INTO t VALUES (zeroblob(1000000))"))


def past_sqlalchemy(connection: Connection) -> None:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.execute("CREATE TABLE t (x)")
    driver.execute("INSERT INTO t VALUES (zeroblob(1000000))")


@pytest.mark.parametrize("fill", [through_sqlalchemy, past_sqlalchemy])
@pytest.mark.parametrize("rows", [1, None], ids=["on the loop", "on the thread"])
async def test_what_does_not_fit_on_the_disk_is_tried_later_and_fits_once_there_is_room(
    tmp_path: Path, fill: Callable[[Connection], None], rows: int | None
) -> None:
    database = Database(f"sqlite:///{tmp_path}/a.db")

    def limited(pages: int) -> Callable[[Connection], None]:
        def work(connection: Connection) -> None:
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
            fill(connection)

        return work

    with pytest.raises(RetryLaterError, match="full"):
        await database.write(limited(10), rows=rows)
    await database.write(limited(10_000), rows=rows)
    count = await database.read(lambda c: c.execute(text("SELECT count(*) FROM t")).scalar_one())
    assert count == 1
    await database.close()
