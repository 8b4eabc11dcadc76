"""Ingest, wired: the adapter of each port, which loops run."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from schemas.envelope import Event
from schemas.events import IncidentReported
from schemas.instants import HOUR, format_instant
from schemas.topics import ASSESSMENTS, DEAD_SUFFIX, INBOUND, INCIDENTS, REGISTRY, Topic
from services.ingest.adapters.bootstrap import build_adapters
from services.ingest.adapters.refused import GROUP as INBOUND_GROUP
from services.ingest.admission import Admission
from services.ingest.http.batch import Batches, Claim, Claimed, Settlement
from services.ingest.http.declared import POST_INCIDENT
from services.ingest.http.incidents import build_router
from services.ingest.http.intake import PATH, Intake
from services.ingest.http.statistics import build_router as build_statistics
from services.ingest.names import FOLLOWER as NAMES
from services.ingest.names import KnownNames
from services.ingest.projection import read_judged
from services.ingest.sql import SqlAnswers, SqlIncidents
from services.ingest.unassessed import NAME as WAITING
from services.ingest.unassessed import PERIOD_S, UnassessedAge
from services.ingest.use_cases import Command, IntakeOutcome, claim, follow_assessments, follow_deaths, preview, take
from services.platform.bus.consume import Loop
from services.platform.db.group import GroupWriter
from services.platform.http.routes import HotRoute, join_routers
from services.platform.process.runtime import Runtime, Service

#: Idempotency-Keys are remembered for this long after their first use, and forgotten within the hour after it.
REMEMBERED: Final = 48 * HOUR
SWEEP_S: Final = 3600.0
FORGETTING: Final = "ingest.forget_idempotency_keys"
#: Verdicts show in lists this much later, so that many are written at once.
SHOWN_WITHIN_S: Final = 0.05
DEAD_INCIDENTS: Final = Topic(
    INCIDENTS.name + DEAD_SUFFIX, IncidentReported, INCIDENTS.type, INCIDENTS.key, INCIDENTS.owner
)


async def build(runtime: Runtime) -> Service:
    """Ingest over the parts of this process. The key ring is the caller's to feed."""
    database = runtime.database
    admission = Admission(runtime.clock.now, runtime.local_time)
    writer = GroupWriter[Command, IntakeOutcome](database, _take)
    intake = Intake(runtime.keys, admission, writer, runtime.metrics, runtime.tracing)
    batches = Batches(
        intake,
        admission,
        GroupWriter[Claim, Claimed](database, _claim),
        lambda filings: database.read(lambda c: preview(SqlIncidents(c), filings)),
    )
    names = KnownNames(runtime.local_time)
    stop_following = await runtime.tail(REGISTRY, NAMES, names.follow)
    adapters = await build_adapters(runtime, admission, writer, intake.count)
    incidents = build_router(intake, batches, database, runtime.clock, names)
    router = join_routers([incidents, build_statistics(database, names), adapters.router])
    waiting = UnassessedAge(database, runtime.clock)
    loops = [
        await runtime.loop(ASSESSMENTS, "ingest.assessments", _Follower(runtime).assessments, linger_s=SHOWN_WITHIN_S),
        await runtime.loop(DEAD_INCIDENTS, "ingest.dead", _Follower(runtime).deaths),
        await runtime.loop(INBOUND, INBOUND_GROUP, adapters.handle),
    ]
    return Service(
        name="ingest",
        router=router,
        loops=loops,
        stop=[*adapters.stop, stop_following],
        tasks=[
            runtime.every(SWEEP_S, FORGETTING, _Follower(runtime).forget),
            runtime.every(PERIOD_S, WAITING, waiting.refresh),
            *adapters.tasks,
        ],
        status=lambda: {**_status(loops, waiting), "adapters": adapters.status()},
        hot=[HotRoute("POST", PATH, POST_INCIDENT, intake.wrap)],
        state={"polls": adapters.polls, "board": adapters.board},
    )


def _take(connection: Connection, commands: Sequence[Command]) -> list[IntakeOutcome]:
    incidents = SqlIncidents(connection)
    return take(incidents, SqlAnswers(connection), commands, incidents)


def _claim(connection: Connection, claims: Sequence[Claim]) -> list[Claimed]:
    return [_claim_one(SqlAnswers(connection), one) for one in claims]


def _claim_one(answers: SqlAnswers, one: Claim) -> Claimed:
    if isinstance(one, Settlement):
        answers.settle(one.once, one.body)
        return None
    return claim(answers, *one)


class _Follower:
    """Handles the events of other services; each handler is one unit of work, harmless to repetition."""

    def __init__(self, runtime: Runtime) -> None:
        self._database = runtime.database
        self._clock = runtime.clock

    async def assessments(self, events: Sequence[Event]) -> None:
        judged = [read_judged(event) for event in events]
        await self._database.write(
            lambda c: follow_assessments(SqlIncidents(c), judged), durable=False, rows=len(judged)
        )

    async def deaths(self, events: Sequence[Event]) -> None:
        dead = [(event.key, number) for event in events if (number := _revision_of(event)) is not None]
        await self._database.write(lambda c: follow_deaths(SqlIncidents(c), dead), durable=False)

    async def forget(self) -> None:
        """Forget old Idempotency-Keys."""
        before = self._clock.now() - REMEMBERED
        await self._database.write(lambda c: SqlAnswers(c).forget(before), durable=False)


class _Numbered(msgspec.Struct):
    revision: int


def _revision_of(event: Event) -> int | None:
    """The revision in a dead letter; None where its bytes are not even that, which is why they are dead."""
    try:
        return msgspec.json.decode(event.data, type=_Numbered).revision
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _status(loops: Sequence[Loop], waiting: UnassessedAge) -> Mapping[str, Any]:
    failing = next((loop.failing for loop in loops if loop.failing is not None), None)
    state = {"state": "ok"} if failing is None else {"state": "degraded", "detail": failing}
    last = None if waiting.last is None else format_instant(waiting.last)
    return {**state, "oldest_unassessed_s": waiting.seconds(), "last_report_at": last}
