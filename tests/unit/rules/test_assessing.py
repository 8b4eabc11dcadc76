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
from services.rules import sql
from services.rules.domain.document import compile_document
from services.rules.domain.evaluate import Judge
from services.rules.use_cases import Bench, assess_incidents, find_flips
from services.shared.bus.embedded import EmbeddedBus
from services.shared.config import embedded_url
from services.shared.db.engine import Database
from services.shared.db.tables import metadata
from tests.fakes import DrivenClock
from tests.scenario import registry_document, reports
from tests.unit.rules.build import bench_of, reported

MIDAN = next(r for r in reports() if r["external_id"] == "midan-20160508")


@dataclass
class Desk:
    """Rules with nothing around it but a database."""

    database: Database
    bus: EmbeddedBus
    bench: Bench
    clock: DrivenClock = field(default_factory=DrivenClock)
    revision: int = 0

    async def take(self, report: dict[str, Any], *, retracted: str | None = None) -> Event:
        """Judge the next revision of the one incident; returns its event."""
        self.revision += 1
        event = reported("i1", report, self.revision, retracted=retracted)
        await self.handle([event])
        return event

    async def handle(self, events: Sequence[Event]) -> None:
        await assess_incidents(events, self.bench, self.database, self.clock, lambda _a, _b: None)

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
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    database = Database(embedded_url(tmp_path))
    metadata.create_all(database.engine)
    document = read_document(registry_document())
    yield Desk(database, EmbeddedBus(database), bench_of(compile_document(document, 1)))
    await database.close()


async def test_a_violation_raises_one_alert_with_its_sentences_in_three_languages(desk: Desk) -> None:
    await desk.take(MIDAN)
    (alert,) = await desk.told()
    assert (alert.status, alert.revision, alert.verdict) == ("raised", 1, "violation")
    assert set(alert.truces) == {"aleppo-calm", "cessation-of-hostilities"}
    assert len(alert.texts["ar"].reasons) == len(alert.texts["ru"].reasons) == len(alert.reasons)
    assert alert.names["ru"]["aleppo-calm"] == "режим тишины в Халебе"
    assert "aleppo-city" in alert.areas


async def test_the_same_event_again_changes_nothing(desk: Desk) -> None:
    event = await desk.take(MIDAN)
    await desk.handle([event, event])
    assert len(await desk.told()) == 1
    assert len(await desk.assessed()) == 1


async def test_several_revisions_in_one_batch_are_judged_in_order(desk: Desk) -> None:
    graver = {**MIDAN, "casualties": {"killed": 12}}
    await desk.handle(
        [reported("i1", MIDAN, 1), reported("i1", graver, 2), reported("i1", graver, 3, retracted="withdrawn")]
    )
    assert [(a.status, a.revision) for a in await desk.told()] == [("raised", 1), ("updated", 2), ("cancelled", 3)]
    assert [a.sequence for a in await desk.assessed()] == [1, 2, 3]


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
    desk: Desk, changes: dict[str, Any], count: int
) -> None:
    report = {**MIDAN, **changes}
    await desk.handle([reported("i1", report, 1)])
    assert await desk.database.read(sql.count_in_review) == count
    await desk.handle([reported("i1", report, 2, retracted="withdrawn")])
    assert await desk.database.read(sql.count_in_review) == 0


async def test_an_alert_that_a_batch_carries_over_is_counted_once(desk: Desk) -> None:
    same = {**MIDAN, "description": "The same, in other words."}
    counted: list[str] = []
    await assess_incidents(
        [reported("i1", MIDAN, 1), reported("i1", same, 2), reported("i1", {**same, "description": "Again."}, 3)],
        desk.bench, desk.database, desk.clock, lambda _, alerts: counted.extend(a.alert.status for a in alerts),
    )  # fmt: skip
    assert [a.status for a in await desk.told()] == counted == ["raised"]


async def test_an_update_says_what_changed_and_an_immaterial_revision_says_nothing(desk: Desk) -> None:
    await desk.take(MIDAN)
    await desk.take({**MIDAN, "description": "The same, in other words."})
    await desk.take({**MIDAN, "casualties": {"killed": 12}})
    raised, updated = await desk.told()
    assert (updated.id, updated.revision, updated.thread) == (raised.id, 2, raised.thread)
    assert [c.field for c in updated.changes] == ["severity", "casualties"]
    assert (updated.changes[0].before, updated.changes[0].after) == ("Severe", "Extreme")


async def test_a_retraction_cancels_and_a_reinstated_report_is_a_new_alert_in_the_same_thread(desk: Desk) -> None:
    await desk.take(MIDAN)
    await desk.take(MIDAN, retracted="entered in error")
    await desk.take({**MIDAN, "casualties": {"killed": 2}})
    raised, cancelled, again = await desk.told()
    assert (cancelled.id, cancelled.status, cancelled.verdict) == (raised.id, "cancelled", "not_covered")
    assert [r.code for r in cancelled.reasons] == ["retracted"]
    assert cancelled.truces == ()
    assert again.id != raised.id
    assert (again.status, again.revision, again.thread) == ("raised", 1, raised.thread)


async def test_an_alert_is_cancelled_when_it_turns_out_to_be_an_aggregate(desk: Desk) -> None:
    await desk.take(MIDAN)
    await desk.take({**MIDAN, "aggregate": True})
    await desk.take({**MIDAN, "aggregate": True, "casualties": {"killed": 99}})
    assert [a.status for a in await desk.told()] == ["raised", "cancelled"]


async def test_what_is_excluded_or_not_covered_never_alerts(desk: Desk) -> None:
    await desk.take(next(r for r in reports() if r["external_id"] == "daesh-villages-20160502"))
    await desk.take(next(r for r in reports() if r["external_id"] == "kilis-rockets-20160502"))
    assert await desk.told() == []
    assert len(await desk.assessed()) == 2


async def test_every_assessment_is_kept_and_the_newest_comes_first(desk: Desk) -> None:
    await desk.take(MIDAN)
    await desk.take({**MIDAN, "casualties": {"killed": 12}})
    history = await desk.database.read(lambda c: sql.load_history(c, "i1", 10, None))
    assert [(sequence, a.revision) for sequence, a in history] == [(2, 2), (1, 1)]
    assert [s for s, _ in await desk.database.read(lambda c: sql.load_history(c, "i1", 10, 2))] == [1]
    current: list[Assessment] = await desk.database.read(
        lambda c: sql.load_current(c, sql.Wanted(truce="aleppo-calm"), 10)
    )
    assert [a.revision for a in current] == [2]
    assert await desk.database.read(lambda c: sql.load_current(c, sql.Wanted(truce="aleppo"), 10)) == []


async def test_what_another_registry_would_flip_is_found_without_storing_anything(desk: Desk) -> None:
    await desk.take(MIDAN)
    document = registry_document()
    for truce in document["truces"]:
        truce["announcements"] = truce["announcements"][:0]
    other = Judge(compile_document(read_document(document), 2))
    flips, count = await find_flips(other, desk.database, desk.clock, 10)
    assert [(f.incident_id, f.before, f.after) for f in flips] == [("i1", "violation", "not_covered")]
    assert count == 1
    assert len(await desk.assessed()) == 1


async def test_a_newer_registry_is_adopted_as_a_whole_and_an_older_one_never(desk: Desk) -> None:
    document = read_document(registry_document())
    await desk.bench.adopt(compile_document(document, 3))
    await desk.bench.adopt(compile_document(document, 2))
    await desk.take(MIDAN)
    (assessed,) = await desk.assessed()
    assert assessed.assessment.registry_version == 3
