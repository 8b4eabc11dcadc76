"""From reported revisions to stored assessments and alerts, on a real database."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas import codec
from schemas.assessments import Alert, Assessment
from schemas.envelope import Event
from schemas.events import AlertDecided, IncidentAssessed
from schemas.registry import Document
from schemas.topics import ALERTS, ASSESSMENTS
from services.platform.bus.embedded import EmbeddedBus
from services.platform.db.engine import Database
from services.platform.paging import PageQuery
from services.platform.settings.config import embedded_url
from services.rules.assessing import sql
from services.rules.assessing.current_judge import CurrentJudge
from services.rules.assessing.find_flips import find_flips
from services.rules.assessing.judge_and_keep import Judging, Observe
from services.rules.assessing.reported import assess_incidents
from services.rules.assessing.sql import SqlJudgements
from services.rules.assessing.sql_review import count_in_review
from services.rules.judging.evaluate import Judge
from services.rules.registry.domain.document import compile_document
from tests.fakes import DrivenClock
from tests.scenario import registry_document, reports
from tests.tables import create_tables
from tests.unit.rules.build import current_judge_of, reported

MIDAN = next(r for r in reports() if r["external_id"] == "midan-20160508")


@dataclass
class RunningRules:
    """Rules with nothing around it but a database."""

    database: Database
    bus: EmbeddedBus
    current: CurrentJudge
    clock: DrivenClock = field(default_factory=DrivenClock)
    revision: int = 0

    async def take(self, report: dict[str, Any], *, retracted: str | None = None) -> Event:
        """Judge the next revision of the one incident; returns its event."""
        self.revision += 1
        event = reported("i1", report, self.revision, retracted=retracted)
        await self.handle([event])
        return event

    async def handle(self, events: Sequence[Event]) -> None:
        await assess_incidents(events, self.judging())

    def judging(self, observe: Observe = lambda _a, _b: None) -> Judging:
        return Judging(self.current, SqlJudgements(self.database), self.clock.now, observe)

    async def told(self) -> list[Alert]:
        """Every alert that was put out, in order."""
        reader = await self.bus.consumer(ALERTS, "test")
        decided: list[AlertDecided] = [codec.decode(r.event) for r in await reader.fetch(1000, 0)]
        return [one.alert for one in decided]

    async def assessed(self) -> list[IncidentAssessed]:
        reader = await self.bus.consumer(ASSESSMENTS, "test")
        return [codec.decode(r.event) for r in await reader.fetch(1000, 0)]


def read_document(document: dict[str, Any]) -> Document:
    return msgspec.json.decode(msgspec.json.encode(document), type=Document)


@pytest.fixture
async def rules(tmp_path: Path) -> AsyncIterator[RunningRules]:
    database = Database(embedded_url(tmp_path))
    create_tables(database.engine)
    document = read_document(registry_document())
    yield RunningRules(database, EmbeddedBus(database), current_judge_of(compile_document(document, 1)))
    await database.close()


async def test_a_violation_raises_one_alert_with_its_sentences_in_three_languages(rules: RunningRules) -> None:
    await rules.take(MIDAN)
    (alert,) = await rules.told()
    assert (alert.status, alert.revision, alert.verdict) == ("raised", 1, "violation")
    assert set(alert.truces) == {"aleppo-calm", "cessation-of-hostilities"}
    assert len(alert.texts["ar"].reasons) == len(alert.texts["ru"].reasons) == len(alert.reasons)
    assert alert.names["ru"]["aleppo-calm"] == "режим тишины в Халебе"
    assert "aleppo-city" in alert.areas


async def test_the_same_event_again_changes_nothing(rules: RunningRules) -> None:
    event = await rules.take(MIDAN)
    await rules.handle([event, event])
    assert len(await rules.told()) == 1
    assert len(await rules.assessed()) == 1


async def test_several_revisions_in_one_batch_are_judged_in_order(rules: RunningRules) -> None:
    graver = {**MIDAN, "casualties": {"killed": 12}}
    await rules.handle(
        [reported("i1", MIDAN, 1), reported("i1", graver, 2), reported("i1", graver, 3, retracted="withdrawn")]
    )
    assert [(a.status, a.revision) for a in await rules.told()] == [("raised", 1), ("updated", 2), ("cancelled", 3)]
    assert [a.sequence for a in await rules.assessed()] == [1, 2, 3]


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({}, 0),
        ({"location": {"place": "Nowhere in particular"}}, 1),
        ({"perpetrators": ["people of whom the registry knows nothing"]}, 1),
        ({"occurred": {"from": "2016-05-08T00:00:00+03:00", "to": "2016-05-12T00:00:00+03:00"}, "aggregate": True}, 0),
    ],
)
async def test_what_needs_a_person_waits_in_review_until_it_is_retracted(
    rules: RunningRules, changes: dict[str, Any], count: int
) -> None:
    report = {**MIDAN, **changes}
    await rules.handle([reported("i1", report, 1)])
    assert await rules.database.read(count_in_review) == count
    await rules.handle([reported("i1", report, 2, retracted="withdrawn")])
    assert await rules.database.read(count_in_review) == 0


async def test_an_alert_that_a_batch_carries_over_is_counted_once(rules: RunningRules) -> None:
    same = {**MIDAN, "description": "The same, in other words."}
    counted: list[str] = []
    await assess_incidents(
        [reported("i1", MIDAN, 1), reported("i1", same, 2), reported("i1", {**same, "description": "Again."}, 3)],
        rules.judging(lambda _, alerts: counted.extend(a.alert.status for a in alerts)),
    )
    assert [a.status for a in await rules.told()] == counted == ["raised"]


async def test_an_update_says_what_changed_and_an_immaterial_revision_says_nothing(rules: RunningRules) -> None:
    await rules.take(MIDAN)
    await rules.take({**MIDAN, "description": "The same, in other words."})
    await rules.take({**MIDAN, "casualties": {"killed": 12}})
    raised, updated = await rules.told()
    assert (updated.id, updated.revision, updated.thread) == (raised.id, 2, raised.thread)
    assert [c.field for c in updated.changes] == ["severity", "casualties"]
    assert (updated.changes[0].before, updated.changes[0].after) == ("Severe", "Extreme")


async def test_a_retraction_cancels_and_a_reinstated_report_is_a_new_alert_in_the_same_thread(
    rules: RunningRules,
) -> None:
    await rules.take(MIDAN)
    await rules.take(MIDAN, retracted="entered in error")
    await rules.take({**MIDAN, "casualties": {"killed": 2}})
    raised, cancelled, again = await rules.told()
    assert (cancelled.id, cancelled.status, cancelled.verdict) == (raised.id, "cancelled", "not_covered")
    assert [r.code for r in cancelled.reasons] == ["retracted"]
    assert cancelled.truces == ()
    assert again.id != raised.id
    assert (again.status, again.revision, again.thread) == ("raised", 1, raised.thread)


async def test_an_alert_is_cancelled_when_it_turns_out_to_be_an_aggregate(rules: RunningRules) -> None:
    await rules.take(MIDAN)
    await rules.take({**MIDAN, "aggregate": True})
    await rules.take({**MIDAN, "aggregate": True, "casualties": {"killed": 99}})
    assert [a.status for a in await rules.told()] == ["raised", "cancelled"]


async def test_what_is_excluded_or_not_covered_never_alerts(rules: RunningRules) -> None:
    await rules.take(next(r for r in reports() if r["external_id"] == "daesh-villages-20160502"))
    await rules.take(next(r for r in reports() if r["external_id"] == "kilis-rockets-20160502"))
    assert await rules.told() == []
    assert len(await rules.assessed()) == 2


async def test_every_assessment_is_kept_and_the_newest_comes_first(rules: RunningRules) -> None:
    await rules.take(MIDAN)
    await rules.take({**MIDAN, "casualties": {"killed": 12}})
    history = await rules.database.read(lambda c: sql.load_history(c, "i1", PageQuery()))
    assert [(sequence, a.revision) for sequence, a in history] == [(2, 2), (1, 1)]
    assert [s for s, _ in await rules.database.read(lambda c: sql.load_history(c, "i1", PageQuery(after=(2,))))] == [1]
    current: list[Assessment] = await rules.database.read(
        lambda c: sql.load_current(c, PageQuery(chosen={"truce": ("aleppo-calm",)}))
    )
    assert [a.revision for a in current] == [2]
    assert await rules.database.read(lambda c: sql.load_current(c, PageQuery(chosen={"truce": ("aleppo",)}))) == []


async def test_what_another_registry_would_flip_is_found_without_storing_anything(rules: RunningRules) -> None:
    await rules.take(MIDAN)
    document = registry_document()
    for truce in document["truces"]:
        truce["announcements"] = truce["announcements"][:0]
    other = Judge(compile_document(read_document(document), 2))
    flips, count = await find_flips(
        rules.current.judge.registry, other, SqlJudgements(rules.database), rules.clock.now(), 10
    )
    assert [(f.incident_id, f.before, f.after) for f in flips] == [("i1", "violation", "not_covered")]
    assert count == 1
    assert len(await rules.assessed()) == 1


async def test_a_newer_registry_is_adopted_as_a_whole_and_an_older_one_never(rules: RunningRules) -> None:
    document = read_document(registry_document())
    await rules.current.adopt(compile_document(document, 3))
    await rules.current.adopt(compile_document(document, 2))
    await rules.take(MIDAN)
    (assessed,) = await rules.assessed()
    assert assessed.assessment.registry_version == 3
