"""Whatever comes in whichever order, and whenever the process is killed: the settled state is that of judging all anew
by the registry and the decisions as they stand, and what each subscriber was told, folded, is that state.

Rules and notify as one process has them, over one SQLite file; links have a property of their own.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from schemas.assessments import Alert
from schemas.codec import decode
from schemas.decisions import AliasPeriod
from schemas.envelope import Event
from schemas.report import Location
from schemas.topics import ALERTS, INCIDENTS, REASSESSMENTS
from services.notify.decisions import changes as told_changes
from services.notify.domain.matching import find_mismatch
from services.notify.domain.subscription import DigestMode, Draft, Filter, QuietHours, Subscription, Webhook
from services.notify.sql.alert_book import SqlAlertBook
from services.notify.sql.changes import SqlChanges
from services.notify.sql.groups import SqlGroups
from services.notify.sql.subscriptions import SqlSubscriptions
from services.notify.sql.tables import deliveries, gathered
from services.notify.use_cases.directory import Directory
from services.notify.use_cases.flush_changes import flush_changes
from services.notify.use_cases.flush_groups import flush_groups
from services.notify.use_cases.take_alerts import Arrival, take_alerts
from services.platform.bus.consume import Loop
from services.platform.bus.embedded import EmbeddedBus
from services.platform.db.engine import Database, Work
from services.platform.settings.config import embedded_url
from services.platform.settings.secret_key import open_sealer
from services.rules.assessing import reassess as reassessing
from services.rules.assessing.domain.alerting import deserves_alert
from services.rules.assessing.domain.keeping import is_same_judgement
from services.rules.assessing.domain.reach import find_reach
from services.rules.review.domain.request import DecisionRequest
from services.rules.review.sql import SqlReviewedIncidents
from services.rules.review.use_cases import (
    DecisionRefusedError,
    NoSuchDecisionError,
    NoSuchIncidentError,
    RegistryChanges,
    Reviewing,
    decide,
    take_back,
)
from tests.component.rules.rules_process import OPERATOR, RulesProcess
from tests.component.rules.test_settled import registries, reports
from tests.examples import examples
from tests.fakes import DrivenClock
from tests.tables import create_tables
from tests.unit.rules.build import reported

T = TypeVar("T")

DESK: Final = Draft(Webhook("http://127.0.0.1/hook"))
EVERYTHING: Final = Filter(verdicts=("violation", "undetermined"))
QUIET: Final = QuietHours("12:00", "14:00", "UTC", except_min_severity="Severe")
DRAFTS: Final = {
    "all": msgspec.structs.replace(DESK, filter=EVERYTHING),
    "violations": DESK,
    "certain": msgspec.structs.replace(DESK, filter=Filter(min_certainty="Likely"), quiet_hours=QUIET),
    "grouped": msgspec.structs.replace(DESK, group_by=("truce",)),
    "cap": msgspec.structs.replace(DESK, format="cap"),
    "hourly": msgspec.structs.replace(DESK, mode=DigestMode(digest="PT1H")),
}
DECISIONS: Final = (
    DecisionRequest("seen", verdict="violation"),
    DecisionRequest("seen", verdict="not_covered"),
    DecisionRequest("seen", verdict="undetermined"),
    DecisionRequest("mapped", place=Location(lat=33.5, lon=36.5, radius_km=1.0)),
    DecisionRequest("mapped", parties={"brigade of the hills": "rebels"}),
    DecisionRequest("mapped", parties={"brigade of the hills": "rebels"}, alias=AliasPeriod()),
)


@dataclass(frozen=True)
class Reported:
    incident_id: str
    report: dict[str, Any]
    retracted: str | None = None


@dataclass(frozen=True)
class Changed:
    registry: dict[str, Any]


@dataclass(frozen=True)
class Decided:
    incident_id: str
    wanted: DecisionRequest


@dataclass(frozen=True)
class TakenBack:
    incident_id: str


@dataclass(frozen=True)
class Worked:
    """One part of the process takes what there is for it."""

    part: str


@dataclass(frozen=True)
class Passed:
    seconds: int


@dataclass(frozen=True)
class Killed:
    """The process is killed after so many more of its calls of the database, counted before and after each."""

    calls: int


ids = st.sampled_from("abcd")
PARTS: Final = ("incidents", "reassess", "alerts", "reassessments", "flush")
reporting = st.builds(Reported, ids, reports, st.sampled_from((None, None, None, "entered in error")))
steps = st.lists(
    st.one_of(
        reporting,
        st.builds(Changed, registries()),
        st.builds(Decided, ids, st.sampled_from(DECISIONS)),
        st.builds(TakenBack, ids),
        st.builds(Worked, st.sampled_from((*PARTS, *PARTS, "all"))),
        st.builds(Passed, st.sampled_from((1, 301, 7_200))),
        st.builds(Killed, st.integers(0, 25)),
    ),
    min_size=2,
    max_size=12,
)

#: Most worlds have something to be judged again, and somebody who was told of it.
worlds = st.builds(
    lambda registry, first, more: [Changed(registry), *first, Worked("all"), *more],
    registries(),
    st.lists(reporting, min_size=1, max_size=4),
    steps,
)


class KilledError(BaseException):
    """No handler stops it, as none stops a kill."""


class MortalDatabase(Database):
    """A database whose process is killed at the n-th of its calls: before it, or after it and before the answer."""

    left: int | None = None

    def _spend(self) -> None:
        if self.left is not None:
            if self.left <= 0:
                raise KilledError
            self.left -= 1

    async def write(self, work: Work[T], *, durable: bool = True, rows: int | None = None) -> T:
        self._spend()
        result = await super().write(work, durable=durable, rows=rows)
        self._spend()
        return result

    async def read(self, work: Work[T]) -> T:
        self._spend()
        return await super().read(work)


class Unclaimed:
    """A sender without room: every message waits in its table."""

    def full(self, lanes: Iterable[str]) -> frozenset[str]:
        return frozenset(lanes)

    def offer(self, jobs: Sequence[object]) -> None:
        assert not jobs


@dataclass
class Process:
    """Rules and notify, wired and driven part by part."""

    database: MortalDatabase
    clock: DrivenClock
    name: str
    parts: dict[str, Callable[[], Awaitable[int]]] = field(default_factory=dict)

    async def start(self) -> None:
        self.rules = RulesProcess(self.database, self.name, self.clock)
        await self.rules.judging.current.catch_up()
        current = self.rules.judging.current
        kept = (self.rules.store, self.rules.cache, self.clock)
        change = RegistryChanges(*kept, lambda made: current.adopt(made.registry), find_reach)
        self.reviewing = Reviewing(SqlReviewedIncidents(self.database), self.rules.judging, change)
        self.directory = Directory(store_of(self.database))
        await self.directory.refresh()
        self.book, self.changes = SqlAlertBook(self.database, self.name, fail), SqlChanges(self.database, fail)
        self.groups, self.bus = SqlGroups(self.database, fail), EmbeddedBus(self.database)

        self.parts = {
            "incidents": await self._loop(INCIDENTS, lambda events: self.rules.take(*events)),
            "reassess": self._reassess,
            "alerts": await self._loop(ALERTS, self._take_alerts),
            "reassessments": await self._loop(REASSESSMENTS, self._end_changes),
            "flush": self._flush,
        }

    async def _loop(self, topic: Any, handle: Callable[[Sequence[Event]], Awaitable[None]]) -> Callable[[], Any]:
        consumer = await self.bus.consumer(topic, topic.name)
        return partial(Loop(topic.name, consumer, handle, give_up, limit=3).step, 0)

    async def _take_alerts(self, events: Sequence[Event]) -> None:
        now = self.clock.now()
        arrivals = [Arrival(decode(e).alert, msgspec.json.encode(decode(e).alert), e.id, now) for e in events]
        await take_alerts(arrivals, self.directory, self.book, Unclaimed())

    async def _end_changes(self, events: Sequence[Event]) -> None:
        await self.changes.end([decode(event) for event in events], self.clock.now())

    async def _reassess(self) -> int:
        await self.rules.reassess()
        return 0

    async def _flush(self) -> int:
        await flush_changes(self.clock.now(), self.directory, self.changes)
        await flush_groups(self.clock.now(), self.directory, self.groups)
        return 0

    async def settle(self) -> None:
        while sum([await part() for part in self.parts.values()]):
            pass
        await self._flush()

    async def take(self, step: Any, event: Event | None) -> None:
        try:
            match step:
                case Reported():
                    await self.bus.publish([event] if event else [])
                case Changed(registry):
                    await self.rules.put_registry(registry)
                case Decided(id, wanted):
                    await decide(id, wanted, OPERATOR, self.reviewing)
                case TakenBack(id):
                    await take_back(id, None, "seen wrong", OPERATOR, self.reviewing)
                case Worked("all"):
                    await self.settle()
                case Worked(part):
                    await self.parts[part]()
                case Passed(seconds):
                    await self.clock.advance(seconds)
        except (NoSuchIncidentError, NoSuchDecisionError, DecisionRefusedError):
            return

    async def end(self, *, killed: bool) -> None:
        """Positions are saved by a process that is stopped, and most not by one that is killed."""
        self.database.left = None
        if not killed:
            await self.bus.close()
        elif (saving := self.bus._saving) is not None:
            saving.cancel()
        await self.database.close()


def fail(error: Exception) -> None:
    raise error


async def give_up(event: Event, reason: str) -> None:
    raise AssertionError(f"{event.id}: {reason}")


def store_of(database: Database) -> SqlSubscriptions:
    return SqlSubscriptions(database, open_sealer((b"k" * 32,), database.file, in_use=False))


async def start(folder: Path, clock: DrivenClock, name: str) -> Process:
    process = Process(MortalDatabase(embedded_url(folder)), clock, name)
    await process.start()
    return process


async def play(folder: Path, told: Sequence[Any]) -> tuple[Process, dict[str, Event]]:
    """The process after all steps, settled, and the last event of each incident. A step at which the process is killed
    is taken again by the next."""
    clock, names = DrivenClock(), iter(range(100))
    process = await start(folder, clock, f"p{next(names)}")
    last: dict[str, Event] = {}
    revisions: dict[str, int] = {}
    for step in told:
        event = None
        if isinstance(step, Killed):
            process.database.left = step.calls
            continue
        if isinstance(step, Reported):
            id = step.incident_id
            revisions[id] = revisions.get(id, 0) + 1
            event = last[id] = reported(id, step.report, revisions[id], retracted=step.retracted)
        try:
            await process.take(step, event)
        except KilledError:
            await process.end(killed=True)
            # Until the lease of the process that was killed ends.
            await clock.advance(11)
            process = await start(folder, clock, f"p{next(names)}")
            await process.take(step, event)
    process.database.left = None
    await process.settle()
    for _ in range(2):  # beyond the quiet hours that are now, or begin meanwhile
        await clock.advance(7_200)
        await process.settle()
    return process, last


async def check_judgements(process: Process, last: dict[str, Event]) -> dict[str, Alert]:
    """The newest alert of each incident that has one."""
    rules = process.rules
    current = await rules.current()
    assert current.keys() == last.keys()
    cases = [one.case for one, _ in await rules.judgements.cases_of(list(last))]
    assert {one.incident_id: one.revision for one in cases} == {id: decode(e).revision for id, e in last.items()}
    for anew in rules.judging.current.judge.assess(cases, process.clock.now()):
        assert is_same_judgement(current[anew.incident_id], anew)
    alerts = {alert.incident_id: alert for alert in await rules.alerts()}
    standing = {id: alert for id, alert in alerts.items() if alert.status != "cancelled"}
    assert standing.keys() == {id for id, one in current.items() if deserves_alert(one)}
    for id, alert in standing.items():
        one = current[id]
        assert (alert.verdict, alert.certainty, alert.severity) == (one.verdict, one.certainty, one.severity)
    return alerts


async def told_to(process: Process) -> dict[str, dict[str, list[tuple[int, str]]]]:
    """By subscription and alert: the revisions that it was told of, each with the status that it was told, in order."""
    d, g = deliveries.c, gathered.c
    alone = select(d.subscription_id, d.alert_id, d.revision, d.status).where(d.alert_id.is_not(None))
    joined = select(g.subscription_id, g.alert_id, g.revision, g.status)
    rows = await process.database.read(lambda c: c.execute(alone.union_all(joined)).all())
    found: dict[str, dict[str, list[tuple[int, str]]]] = {id: {} for id in DRAFTS}
    for subscription, alert, revision, status in sorted(rows):
        found[subscription].setdefault(alert, []).append((revision, status))
    return found


async def check_told(process: Process) -> None:
    newest = {alert.id: alert for alert in await process.rules.alerts()}
    for subscription, heard in (await told_to(process)).items():
        draft = DRAFTS[subscription]
        for id, alert in newest.items():
            revisions = [revision for revision, _ in heard.get(id, ())]
            assert len(revisions) == len(set(revisions)), "nothing is told twice"
            if draft.mode == "immediate" and not draft.group_by and revisions:
                assert heard[id][0][1] == "raised", "what is told first is that it was raised"
            if revisions:
                assert heard[id][-1][0] == alert.revision, "whoever was told is told what follows"
                assert (heard[id][-1][1] == "cancelled") == (alert.status == "cancelled")
            elif alert.status != "cancelled":
                assert find_mismatch(draft.filter, alert) is not None, "what stands and matches is told"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tables and the subscriptions."""
    folder = tmp_path_factory.mktemp("template")
    asyncio.run(make_template(folder))
    return folder


@pytest.fixture(scope="module", autouse=True)
def _small() -> Iterator[None]:
    """Small worlds have what large ones have: several slices, and more alerts than are told apart."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(told_changes, "MOST_APART", 1)
        patch.setattr(reassessing, "SLICE", 2)
        yield


async def make_template(folder: Path) -> None:
    database = Database(embedded_url(folder))
    create_tables(database.engine)
    for id, draft in DRAFTS.items():
        made = Subscription(id, "desk", draft, "active", 0, proved_at=0)
        await store_of(database).add(made, [], lambda _: None)
    await database.close()


@pytest.mark.timeout(1200)
@examples(1000, derandomize=True)
@given(told=worlds)
async def test_the_settled_state_is_that_of_judging_everything_anew_and_is_what_was_told(
    template: Path, told: list[Any]
) -> None:
    with TemporaryDirectory() as made:
        folder = Path(made)
        shutil.copytree(template, folder, dirs_exist_ok=True)
        process, last = await play(folder, told)
        try:
            await check_judgements(process, last)
            await check_told(process)
        finally:
            await process.end(killed=False)
