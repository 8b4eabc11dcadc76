"""Decisions, revisions, retractions and take-backs in any order. Source: the contract, "Assessments (rules)"."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.assessments import Alert, Assessment
from schemas.causes import Actor, Cause
from schemas.decisions import OperatorDecision
from schemas.report import Location, Report
from schemas.wording.reasons import without_sentences
from services.platform.db.engine import Database
from services.platform.settings.config import embedded_url
from services.rules.assessing.domain.alerting import deserves_alert
from services.rules.assessing.domain.review import review_reasons
from services.rules.assessing.judge_and_keep import Judging
from services.rules.assessing.reported import assess_incidents
from services.rules.assessing.sql import SqlJudgements
from services.rules.judging.evaluate import Case
from services.rules.registry.use_cases import Author, Edit
from services.rules.review.domain.request import DecisionRequest
from services.rules.review.sql import SqlReviewedIncidents
from services.rules.review.use_cases import NoSuchDecisionError, Reviewing, decide, take_back
from tests.examples import examples
from tests.fakes import DrivenClock
from tests.tables import create_tables
from tests.unit.rules.build import current_judge_of, interval, registry, report, reported

ACTORS: Final = (Actor("o1", "desk"), Actor("o2", "night desk"))
WORLD: Final = registry(version=0)
REPORTS: Final = (
    report(),
    report(perpetrators=("X",), targets=("Y",)),
    report(at=interval(230, 250), perpetrators=("X",)),
    report(location=Location(place="El Dorado"), killed=3),
    report(location=Location(lat=0.5, lon=0.5, area="abroad"), perpetrators=("the x", "black")),
    report(aggregate=True, perpetrators=("X",)),
)
DECISIONS: Final = (
    DecisionRequest("seen", verdict="violation"),
    DecisionRequest("seen", verdict="violation", certainty="Observed"),
    DecisionRequest("seen", verdict="not_covered"),
    DecisionRequest("seen", verdict="undetermined"),
    DecisionRequest("mapped", place=Location(lat=0.5, lon=0.5, radius_km=1.0)),
    DecisionRequest("mapped", place=Location(area="abroad")),
)
NAMES: Final = (("X", "black"), ("X", "red"), ("Y", "navy"))

steps = st.lists(
    st.one_of(
        st.tuples(st.just("report"), st.sampled_from(REPORTS)),
        st.tuples(st.just("retract"), st.none()),
        st.tuples(st.just("decide"), st.sampled_from(DECISIONS)),
        st.tuples(st.just("map"), st.sampled_from(NAMES)),
        st.tuples(st.just("take back"), st.integers(0, 5)),
        st.tuples(st.just("take all back"), st.none()),
    ),
    max_size=10,
)


@dataclass
class Expected:
    """The incident as it should be: its last revision, and what stands of what was decided, in order."""

    report: Report
    revision: int = 1
    retracted: str | None = None
    standing: list[OperatorDecision] = field(default_factory=list)
    made: list[str] = field(default_factory=list)

    def judged(self, incident_id: str, judging: Judging) -> Assessment:
        case = Case(incident_id, self.revision, self.report, self.retracted, decisions=tuple(self.standing))
        return judging.current.judge.assess([case], 0)[0]


async def refuse(author: Author, edit: Edit) -> bool:
    raise AssertionError(f"no alias is asked for: {author}, {edit}")


@dataclass
class Process:
    """One process of rules: an incident of its own for each example."""

    database: Database
    incident_id: str
    clock: DrivenClock = field(default_factory=DrivenClock)

    def __post_init__(self) -> None:
        judgements, current = SqlJudgements(self.database), current_judge_of(WORLD)
        self.judging = Judging(current, judgements, self.clock.now, lambda _a, _b: None)
        self.incidents = SqlReviewedIncidents(self.database)
        self.reviewing = Reviewing(self.incidents, self.judging, refuse)

    async def run(self, taken: Sequence[tuple[str, Any]]) -> None:
        expected = Expected(REPORTS[1])
        await self._report(expected)
        for number, (step, what) in enumerate(taken):
            await self._take(step, what, expected, ACTORS[number % 2])
            await self._check(expected)

    async def _take(self, step: str, what: Any, expected: Expected, actor: Actor) -> None:
        match step:
            case "report":
                expected.report, expected.retracted = what, None
                expected.revision += 1
                await self._report(expected)
            case "retract":
                expected.retracted = "entered in error"
                expected.revision += 1
                await self._report(expected)
            case "decide":
                await self._decide(what, expected, actor)
            case "map":
                if what[0] in (*expected.report.perpetrators, *expected.report.targets):
                    await self._decide(DecisionRequest("mapped", parties=dict([what])), expected, actor)
            case "take back":
                id = expected.made[what] if what < len(expected.made) else "dec_nobody"
                await self._take_back([one for one in expected.standing if one.id == id], id, expected, actor)
            case "take all back":
                await self._take_back(list(expected.standing), None, expected, actor)

    async def _report(self, expected: Expected) -> None:
        body = msgspec.to_builtins(expected.report)
        event = reported(self.incident_id, body, expected.revision, retracted=expected.retracted)
        await assess_incidents([event, event], self.judging)

    async def _decide(self, wanted: DecisionRequest, expected: Expected, actor: Actor) -> None:
        id, assessment, new = await decide(self.incident_id, wanted, actor, self.reviewing)
        assert (assessment.cause.by == actor and assessment.cause.reason == wanted.reason) or not new
        assert new == (id not in expected.made)
        if new:
            found = await self.incidents.load(self.incident_id)
            assert found is not None
            expected.standing.append(found.decisions[-1].decision)
            expected.made.append(id)

    async def _take_back(
        self, ended: Sequence[OperatorDecision], id: str | None, expected: Expected, actor: Actor
    ) -> None:
        if not ended:
            with pytest.raises(NoSuchDecisionError):
                await take_back(self.incident_id, id, None, actor, self.reviewing)
            return
        ids, _ = await take_back(self.incident_id, id, "seen wrong", actor, self.reviewing)
        assert list(ids) == [one.id for one in ended]
        expected.standing = [one for one in expected.standing if one.id not in ids]

    async def _check(self, expected: Expected) -> None:
        found, anew = await self.incidents.load(self.incident_id), expected.judged(self.incident_id, self.judging)
        assert found is not None
        assert _without_cause(found.assessment) == _without_cause(without_sentences(anew))
        assert found.assessment.revision == expected.revision
        assert found.why == review_reasons(anew)
        assert (found.opened_at is None) == (not found.why)
        last = (await self.judging.judgements.last([self.incident_id]))[self.incident_id]
        assert _is_active(None if last.alert is None else last.alert.alert) == deserves_alert(anew)


def _without_cause(assessment: Assessment) -> bytes:
    """As JSON: what was kept and what was made compare alike."""
    return msgspec.json.encode(msgspec.structs.replace(assessment, cause=Cause(), assessed_at=""))


def _is_active(alert: Alert | None) -> bool:
    return alert is not None and alert.status != "cancelled"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("review")


@examples(300)
@given(steps)
def test_what_is_kept_equals_judging_the_last_revision_anew_with_the_decisions_that_stand(
    folder: Path, taken: list[tuple[str, Any]]
) -> None:
    asyncio.run(_run(folder, taken))


async def _run(folder: Path, taken: list[tuple[str, Any]]) -> None:
    database = Database(embedded_url(folder))
    try:
        create_tables(database.engine)
        rows = await database.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM judged").scalar_one())
        await Process(database, f"i{rows}").run(taken)
    finally:
        await database.close()
