"""Rows are packed, and those that an earlier version stored are read as before."""

from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Table, select, update

from services.ingest.sql import projections, revisions
from services.notify.sql.tables import alert_log
from services.platform.db.packing import unpack
from services.rules.assessing.sql import assessments, judged
from tests.component.assembled import Assembled, assembled
from tests.scenario import reports

PACKED: Final = (
    (revisions, "body"), (projections, "body"), (judged, "event"), (judged, "alert"), (assessments, "body"),
    (alert_log, "body"),
)  # fmt: skip


async def test_rows_that_an_earlier_version_stored_are_read_as_they_were(tmp_path: Path) -> None:
    async with assembled(tmp_path) as running:
        await running.call("POST", "/v1/incidents/batch", reports())
        await running.settle()
        before = await _read_everything(running)
        for table, column in PACKED:
            await _store_as_an_earlier_version(running, table, column)
        assert await _read_everything(running) == before
        await running.call("POST", "/v1/incidents/batch", [{**one, "description": "Corrected."} for one in reports()])
        await running.settle()
        revised = (await running.call("GET", "/v1/incidents"))["items"]
        assert {(one["revision"], one["state"]) for one in revised} == {(2, "assessed")}


async def _read_everything(running: Assembled) -> list[Any]:
    listed = await running.call("GET", "/v1/incidents")
    ids = [one["incident_id"] for one in listed["items"]]
    of_each = [await running.call("GET", f"/v1/incidents/{id}{part}") for id in ids for part in ("", "/assessments")]
    lists = [await running.call("GET", f"/v1/{name}") for name in ("alerts", "assessments", "review")]
    return [listed, *of_each, *lists]


async def _store_as_an_earlier_version(running: Assembled, table: Table, column: str) -> None:
    """The documents of a column as plain JSON, which all of them were."""
    key, document = list(table.primary_key), table.c[column]
    database = running.assembly.runtime.database
    rows = await database.read(lambda connection: connection.execute(select(*key, document)).all())
    packed = [tuple(row) for row in rows if row[-1] is not None]
    assert packed
    assert any(stored[-1][:1] != b"{" for stored in packed)
    for *names, stored in packed:
        same = [one == name for one, name in zip(key, names, strict=True)]
        statement = update(table).where(*same).values({column: unpack(stored)})
        await database.write(partial(Connection.execute, statement=statement))


async def test_what_is_kept_of_assessments_holds_no_sentence_and_what_is_answered_does(tmp_path: Path) -> None:
    async with assembled(tmp_path) as running:
        await running.call("POST", "/v1/incidents/batch", reports()[:3])
        await running.settle()
        database = running.assembly.runtime.database
        for table in (projections, assessments):
            bodies = await database.read(partial(_bodies, table))
            assert [_texts(msgspec.json.decode(unpack(body))) for body in bodies] == [{""}] * 3
        listed = (await running.call("GET", "/v1/assessments"))["items"]
        shown = [(await running.call("GET", f"/v1/incidents/{one['incident_id']}"))["assessment"] for one in listed]
        assert shown == listed
        assert all("" not in _texts(one) for one in listed)


def _bodies(table: Table, connection: Connection) -> list[bytes]:
    return list(connection.execute(select(table.c.body)).scalars())


def _texts(assessment: Any) -> set[str]:
    findings = [reason for finding in assessment["findings"] for reason in finding["reasons"]]
    return {reason["text"] for reason in (*assessment["reasons"], *findings)}
