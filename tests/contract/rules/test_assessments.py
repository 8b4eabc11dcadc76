"""Assessments kept in every database."""

from functools import partial

import pytest

from services.rules import sql
from services.shared.db.engine import Database


@pytest.mark.parametrize("before", [2**63 - 1, 2**31, 0, -(2**63)])
async def test_a_cursor_that_we_did_not_make_finds_nothing_and_breaks_nothing(database: Database, before: int) -> None:
    assert await database.read(partial(sql.load_history, incident_id="i", limit=10, before=before)) == []
    wanted = sql.Wanted(after=(before, "i"))
    assert await database.read(partial(sql.load_current, wanted=wanted, limit=10)) == []
