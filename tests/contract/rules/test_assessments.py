"""Assessments kept in every database."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import msgspec
import pytest
from sqlalchemy import select

from schemas.assessments import Assessment
from schemas.causes import Actor, Cause
from schemas.codec import decode
from schemas.envelope import Event
from services.platform.db.engine import Database
from services.platform.failures import RetryLaterError
from services.platform.paging import PageQuery
from services.rules.assessing import sql
from services.rules.assessing.current_judge import CurrentJudge
from services.rules.assessing.domain.decisions import DecisionChange
from services.rules.assessing.domain.keeping import NewAssessment, Rekeyed
from services.rules.assessing.judge_and_keep import Judging, judge_and_keep
from services.rules.assessing.reported import assess_incidents
from services.rules.registry.domain.resources import split
from services.rules.registry.sql import SqlRegistry
from services.rules.registry.use_cases import Author, RegistryCache, change_registry, newest_registry, read_registry
from services.rules.registry.wire import read_document
from tests.fakes import DrivenClock
from tests.scenario import registry_document, reports
from tests.unit.rules.build import reported

MIDAN = next(r for r in reports() if r["external_id"] == "midan-20160508")


class Process:
    """Rules as one of several processes has it: told of no change that another one makes."""

    def __init__(self, database: Database) -> None:
        self.database, self.cache, self.clock = database, RegistryCache(), DrivenClock()
        self.store, self.judgements = SqlRegistry(database), sql.SqlJudgements(database)
        current = CurrentJudge(self.cache.current.registry, partial(newest_registry, self.store, self.cache))
        self.judging = Judging(current, self.judgements, self.clock.now, lambda _a, _b: None)

    async def put_registry(self) -> None:
        posted = split(read_document(msgspec.json.encode(registry_document())))
        await change_registry(
            self.store, self.cache, self.clock, Author(Actor("o1", "desk"), "put", "registry"), lambda _: posted
        )

    async def judge(self, *incident_ids: str) -> None:
        await self.take(*(reported(id, MIDAN) for id in incident_ids))

    async def take(self, *events: Event) -> None:
        await assess_incidents(events, self.judging)

    async def judge_again(self, cause: Cause) -> list[NewAssessment]:
        """Judge every incident again, from what is kept of it, for another cause than a report."""
        ids = await self.database.read(lambda c: list(c.execute(select(sql.judged.c.incident_id)).scalars()))
        stored = await self.judgements.cases_of(ids)
        return await judge_and_keep([case for case, _ in stored], cause, self.judging)

    async def history(self, incident_id: str) -> list[Assessment]:
        found = await self.database.read(partial(sql.load_history, incident_id=incident_id, query=PageQuery()))
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
    await read_registry(other.store, other.cache)
    await other.judge("i")
    (assessment,) = await one.history("i")
    assert (assessment.registry_version, assessment.verdict) == (1, "violation")


@pytest.mark.parametrize("before", [2**63 - 1, 2**31, 0, -(2**63)])
async def test_a_cursor_that_we_did_not_make_finds_nothing_and_breaks_nothing(database: Database, before: int) -> None:
    assert await database.read(partial(sql.load_history, incident_id="i", query=PageQuery(after=(before,)))) == []
    query = PageQuery(descending=False, after=(before, "i"))
    assert await database.read(partial(sql.load_current, query=query)) == []


OPERATOR = Actor("o1", "desk")


def change_of(version: int) -> Cause:
    return Cause("registry", OPERATOR, "the army's words came late", ("truces/aleppo-calm",), version)


async def test_an_assessment_and_its_alert_name_their_cause(database: Database) -> None:
    one = Process(database)
    await one.judge("i")
    await one.put_registry()
    (new,) = await one.judge_again(change_of(1))
    told = [decode(event) for event in new.events]
    assert told[0].assessment.cause == told[1].alert.cause == change_of(1)
    assert [a.cause for a in await one.history("i")] == [change_of(1), Cause("report", registry_version=0)]


@pytest.mark.parametrize("cause", [
    change_of(1),
    Cause("decision", OPERATOR, "seen by two patrols", ("decisions/d1",)),
    Cause("link", None, None, ("incidents/other",)),
])  # fmt: skip
async def test_a_revision_is_judged_once_for_each_cause(database: Database, cause: Cause) -> None:
    one, other = Process(database), Process(database)
    await one.judge("i")
    await one.put_registry()
    assert len(await one.judge_again(cause)) == 1
    assert [await process.judge_again(cause) for process in (one, other)] == [[], []]
    await other.judge("i")
    kinds = [a.cause.kind for a in await one.history("i")]
    assert kinds == [cause.kind, "report"]
    later = msgspec.structs.replace(cause, resources=("another",), registry_version=2)
    # A change of the registry that changes nothing keeps nothing.
    assert len(await other.judge_again(later)) == (0 if cause.kind == "registry" else 1)


async def test_a_cause_that_comes_with_an_older_revision_is_passed_over(database: Database) -> None:
    one = Process(database)
    await one.put_registry()
    await one.judge("i")
    ((case, _),) = await one.judgements.cases_of(["i"])
    await one.take(reported("i", {**MIDAN, "casualties": {"killed": 12}}, 2))
    assert await judge_and_keep([case], change_of(1), one.judging) == []
    assert [a.revision for a in await one.history("i")] == [2, 1]


async def test_a_cause_whose_registry_change_flips_a_verdict_raises_and_cancels(database: Database) -> None:
    one = Process(database)
    await one.judge("i")
    await one.put_registry()
    (raised,) = await one.judge_again(change_of(1))
    await change_registry(one.store, one.cache, one.clock, Author(OPERATOR, "put", "registry"), lambda _: {})
    await one.judging.current.catch_up()
    (cancelled,) = await one.judge_again(change_of(2))
    assert [new.alert.alert.status for new in (raised, cancelled) if new.alert] == ["raised", "cancelled"]
    assert [a.registry_version for a in await one.history("i")] == [2, 1, 0]


async def test_of_two_processes_that_judge_an_incident_at_once_one_has_to_try_again(database: Database) -> None:
    one, other = Process(database), Process(database)

    class Overtaken(sql.SqlJudgements):
        """The other process judges the incident between the reading and the saving."""

        async def save(
            self,
            batch: Sequence[NewAssessment],
            registry_version: int,
            rekeyed: Sequence[Rekeyed] = (),
            change: DecisionChange | None = None,
        ) -> None:
            await other.judge("i")
            await super().save(batch, registry_version, rekeyed, change)

    judging = replace(one.judging, judgements=Overtaken(database))
    with pytest.raises(RetryLaterError):
        await assess_incidents([reported("i", MIDAN)], judging)
    await one.judge("i")
    assert [a.revision for a in await one.history("i")] == [1]


async def test_a_retraction_is_told_with_its_reason(database: Database) -> None:
    one = Process(database)
    await one.judge("i")
    await one.take(reported("i", MIDAN, 2, retracted="entered in error"))
    assert (await one.history("i"))[0].cause == Cause("report", reason="entered in error", registry_version=0)
