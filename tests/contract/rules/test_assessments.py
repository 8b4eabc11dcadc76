"""Assessments kept in every database."""

from functools import partial

import msgspec
import pytest

from schemas.assessments import Assessment
from schemas.events import Actor
from services.rules import sql
from services.rules.domain.resources import split
from services.rules.registry_use_cases import Author, Shelf, change_registry, newest_registry, read_registry
from services.rules.registry_wire import read_document
from services.rules.use_cases import Bench, assess_incidents
from services.shared.db.engine import Database
from tests.fakes import DrivenClock
from tests.scenario import registry_document, reports
from tests.unit.rules.build import reported

MIDAN = next(r for r in reports() if r["external_id"] == "midan-20160508")


class Process:
    """Rules as one of several processes has it: told of no change that another one makes."""

    def __init__(self, database: Database) -> None:
        self.database, self.shelf, self.clock = database, Shelf(), DrivenClock()
        self.bench = Bench(self.shelf.current.registry, partial(newest_registry, database, self.shelf))

    async def put_registry(self) -> None:
        posted = split(read_document(msgspec.json.encode(registry_document())))
        await change_registry(
            self.database, self.shelf, self.clock, Author(Actor("o1", "desk"), "put", "registry"), lambda _: posted
        )

    async def judge(self, *incident_ids: str) -> None:
        events = [reported(id, MIDAN) for id in incident_ids]
        await assess_incidents(events, self.bench, self.database, self.clock, lambda _a, _b: None)

    async def history(self, incident_id: str) -> list[Assessment]:
        found = await self.database.read(partial(sql.load_history, incident_id=incident_id, limit=9, before=None))
        return [assessment for _, assessment in found]


async def test_what_is_reported_after_a_change_is_judged_by_it_in_a_process_that_was_not_told(
    database: Database,
) -> None:
    one, other = Process(database), Process(database)
    await other.judge("before")
    await one.put_registry()
    await other.judge("after-1", "after-2")
    (before,), (first,), (second,) = [await one.history(id) for id in ("before", "after-1", "after-2")]
    assert (before.registry_version, before.verdict) == (0, "not_covered")
    assert (first.registry_version, first.verdict) == (second.registry_version, second.verdict) == (1, "violation")


async def test_a_process_that_has_read_the_registry_for_another_reason_judges_by_it_too(database: Database) -> None:
    one, other = Process(database), Process(database)
    await one.put_registry()
    await read_registry(database, other.shelf)
    await other.judge("i")
    (assessment,) = await one.history("i")
    assert (assessment.registry_version, assessment.verdict) == (1, "violation")


@pytest.mark.parametrize("before", [2**63 - 1, 2**31, 0, -(2**63)])
async def test_a_cursor_that_we_did_not_make_finds_nothing_and_breaks_nothing(database: Database, before: int) -> None:
    assert await database.read(partial(sql.load_history, incident_id="i", limit=10, before=before)) == []
    wanted = sql.Wanted(after=(before, "i"))
    assert await database.read(partial(sql.load_current, wanted=wanted, limit=10)) == []
