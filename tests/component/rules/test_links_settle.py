"""Whatever the order in which reports, revisions, retractions and decisions come, and whoever judges them, the links
settle to those of all reports compared with each other (judgement.md 18)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.decisions import LinkState
from schemas.report import Location, Report, Source
from services.platform.db.engine import Database
from services.platform.settings.config import embedded_url
from services.rules.judging.evaluate import Case, Judge
from services.rules.linking.domain.profile import ReportProfile, profile_of
from services.rules.linking.domain.score import STRONG, SUGGESTED, can_be_linked, score_of
from tests.component.rules.linking import EmbeddedLinkingRules, event_of, fact_of, links_of
from tests.tables import create_tables
from tests.unit.rules.build import current_judge_of, interval, registry, report

WORLD = registry()
JUDGE = Judge(WORLD)
INCIDENTS = ("a", "b", "c", "d")

SPOT = Location(lat=0.5, lon=0.5, radius_km=1.0)
PLACES = [
    SPOT,
    Location(lat=0.503, lon=0.5, radius_km=1.2),
    Location(lat=0.5, lon=0.52, radius_km=2.5),
    Location(lat=0.5, lon=0.5, radius_km=60.0),
    Location(area="city"),
    Location(place="nowhere"),
]


def mostly(usual: Any, others: Sequence[Any]) -> st.SearchStrategy[Any]:
    """So that most reports are linked, and each of them for its own reason may not be."""
    return st.sampled_from([*[usual] * (3 * len(others)), *others])


REPORTS = st.builds(
    lambda source, quotes, **fields: report(source=Source(source, "C3", quotes=quotes), **fields),
    source=st.sampled_from(["one", "two", "three"]),
    quotes=mostly((), [("one",)]),
    location=mostly(SPOT, PLACES),
    at=mostly(24, [24.1, 24.5, interval(20, 30), interval(22, 30)]),
    act=mostly("shelling", ["mortar", "small_arms"]),
    perpetrators=mostly(("red",), [("blue",), (), ("grey",)]),
    targets=mostly(("blue",), [("navy",), ("people",)]),
    aggregate=mostly(False, [True]),
)


@dataclass(frozen=True)
class Posted:
    incident_id: str
    report: Report
    retracted: bool


@dataclass(frozen=True)
class Decided:
    pair: tuple[str, str]
    state: LinkState | None


POSTED = st.builds(Posted, st.sampled_from(INCIDENTS), REPORTS, mostly(False, [True]))
DECIDED = st.builds(
    Decided,
    st.sampled_from([*combinations(INCIDENTS, 2), ("b", "a"), ("d", "c")]),
    st.sampled_from(["confirmed", "cut", None]),
)
STEPS = st.lists(st.one_of(POSTED, POSTED, DECIDED, st.just("settle")), min_size=2, max_size=14)


class Expected:
    """The links that must stand in the end, by comparing every report with every other."""

    def __init__(self) -> None:
        self.reports: dict[str, Posted] = {}
        #: By the incident that was decided on and the other, in the order in which they were decided.
        self.decisions: dict[tuple[str, str], LinkState] = {}

    def decide(self, decided: Decided) -> None:
        self.decisions.pop(decided.pair, None)
        if decided.state is not None:
            self.decisions[decided.pair] = decided.state

    def state(self, *pair: str) -> LinkState | None:
        states = [state for decided, state in self.decisions.items() if set(decided) == set(pair)]
        return states[-1] if states else None

    def profile(self, incident_id: str) -> ReportProfile:
        one = self.reports[incident_id]
        return profile_of(one.report, JUDGE.resolve(Case("i", 1, one.report)), retracted=one.retracted)

    def links(self, incident_id: str) -> tuple[dict[str, float], set[str]]:
        """The scores of the links of an incident, and those that corroborate it."""
        links, corroborating = {}, set()
        mine = self.profile(incident_id)
        for other in self.reports.keys() - {incident_id}:
            its, state = self.profile(other), self.state(incident_id, other)
            if not (mine.is_event and its.is_event) or state == "cut":
                continue
            score = round(score_of(mine, its, JUDGE.overlap), 3) if can_be_linked(mine, its) else 0.0
            if score >= SUGGESTED or state == "confirmed":
                links[other] = score
                if (score >= STRONG or state == "confirmed") and mine.is_independent_of(its):
                    corroborating.add(other)
        return links, corroborating


@settings(max_examples=50)
@given(STEPS)
async def test_links_settle_to_those_of_all_reports_compared_with_each_other(steps: Sequence[Any]) -> None:
    with TemporaryDirectory() as folder:
        database = Database(embedded_url(Path(folder)))
        create_tables(database.engine)
        processes = [EmbeddedLinkingRules(database, current_judge_of(WORLD)) for _ in range(2)]
        try:
            await _run(processes, steps)
        finally:
            await database.close()


async def _run(processes: Sequence[EmbeddedLinkingRules], steps: Sequence[Any]) -> None:
    expected, revisions = Expected(), dict.fromkeys(INCIDENTS, 0)
    for number, step in enumerate(steps):
        process = processes[number % len(processes)]
        if isinstance(step, Posted):
            revisions[step.incident_id] += 1
            expected.reports[step.incident_id] = step
            retracted = "no" if step.retracted else None
            await process.take(event_of(step.incident_id, step.report, revisions[step.incident_id], retracted))
        elif isinstance(step, Decided):
            if expected.reports.keys() >= set(step.pair):
                await processes[0].decide(*step.pair, step.state)
                expected.decide(step)
        else:
            await processes[0].settle()
    await processes[0].settle()
    for incident_id in expected.reports:
        assessment = await processes[0].now(incident_id)
        links, corroborating = expected.links(incident_id)
        assert links_of(assessment) == links
        said = fact_of(assessment, "corroborated")
        if assessment.verdict == "violation":
            assert set(said["incidents"] if said else ()) == corroborating
        else:
            assert said is None
