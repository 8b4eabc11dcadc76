"""Rules, wired."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from schemas.assessments import Assessment
from schemas.codec import decode
from schemas.envelope import Event
from schemas.events import RegistryChanged
from schemas.topics import ASSESSMENTS, INCIDENTS, REGISTRY
from services.platform.bus.consume import Loop
from services.platform.clock import Clock, new_id
from services.platform.http.routes import join_routers
from services.platform.metrics import Metrics
from services.platform.process.runtime import Runtime, Service
from services.rules.assessing import polled_count, sql_reassessments
from services.rules.assessing.api import build_router
from services.rules.assessing.current_judge import CurrentJudge
from services.rules.assessing.domain.alerting import AlertState
from services.rules.assessing.domain.reach import find_reach
from services.rules.assessing.explain_api import build_explain_router
from services.rules.assessing.find_flips import find_flips
from services.rules.assessing.judge_and_keep import Judging
from services.rules.assessing.polled_count import PolledCount
from services.rules.assessing.reassess import reassess
from services.rules.assessing.reassessments_api import build_reassessments_router
from services.rules.assessing.reported import assess_incidents
from services.rules.assessing.sql import SqlJudgements
from services.rules.assessing.sql_reassessments import SqlReassessments, count_running
from services.rules.assessing.sql_review import count_in_review
from services.rules.judging.evaluate import Judge
from services.rules.judging.model import CompiledRegistry
from services.rules.linking.recheck import PERIOD_S, RecheckParts, recheck_assessed, recheck_left_over
from services.rules.linking.sql import SqlProfiles, SqlRechecks
from services.rules.linking.use_cases import ReportLinking
from services.rules.registry import schedules, truces_in_force
from services.rules.registry.api import build_registry_router
from services.rules.registry.schedules import PublishedSchedules
from services.rules.registry.schedules_sql import SqlSchedules
from services.rules.registry.sql import SqlRegistry
from services.rules.registry.sql_history import SqlRegistryHistory
from services.rules.registry.truces_in_force import TrucesInForce
from services.rules.registry.use_cases import Flip, RegistryCache, Snapshot, newest_registry, read_registry
from services.rules.review.api import build_review_router
from services.rules.review.sql import SqlReviewedIncidents
from services.rules.review.use_cases import RegistryChanges, Reviewing

GROUP = "rules.incidents"
LINKS_GROUP = "rules.links"
#: A flood of reports that are linked with each other is judged again by batch, not one by one.
LINKS_LINGER_S = 0.1
REASSESSING: Final = "rules.reassessing"
#: How often a process looks for changes to follow, seconds.
REASSESSING_S: Final = 1.0


async def build(runtime: Runtime) -> Service:
    """Rules by the current registry of the database; it follows every change from then on."""
    database, clock = runtime.database, runtime.clock
    cache = RegistryCache()
    store, judgements = SqlRegistry(database, sql_reassessments.plan), SqlJudgements(database)
    newest = partial(newest_registry, store, cache)
    current_judge = CurrentJudge(await newest(), newest)
    in_force = TrucesInForce(lambda: current_judge.judge.registry, clock.now)

    async def adopt(snapshot: Snapshot) -> None:
        await current_judge.adopt(snapshot.registry)

    async def follow(event: Event) -> None:
        change: RegistryChanged = decode(event)
        if change.last and change.version > current_judge.judge.registry.version:
            await current_judge.catch_up()

    def status() -> Mapping[str, Any]:
        return {
            "truces": in_force.answer(),
            "review": {"open": review.count},
            "reassessments": {"running": running.count},
        }

    profiles = SqlProfiles(database)
    judging = Judging(current_judge, judgements, clock.now, partial(_count, runtime.metrics), ReportLinking(profiles))
    links = RecheckParts(judging, judgements, profiles, SqlRechecks(database))
    published = PublishedSchedules(lambda: cache.current, SqlSchedules(database, new_id()), clock.now)
    review = PolledCount(database, count_in_review)
    running = PolledCount(database, count_running)
    reassessments = SqlReassessments(database, new_id(), clock.now)
    reassess_touched = partial(reassess, reassessments, judgements, judging, partial(runtime.faults.note, REASSESSING))
    flips = partial(_find_flips, current_judge, judgements, clock)
    change = RegistryChanges(store, cache, clock, adopt, find_reach)
    routers = [
        build_router(current_judge, database, clock),
        build_explain_router(current_judge, judgements, partial(read_registry, store, cache), clock),
        build_registry_router(store, cache, clock, flips, SqlRegistryHistory(database), adopt, find_reach),
        build_reassessments_router(database, clock),
        build_review_router(Reviewing(SqlReviewedIncidents(database), judging, change)),
    ]
    return Service(
        name="rules",
        router=join_routers(routers),
        loops=await _open_loops(runtime, judging, links),
        tasks=[
            runtime.every(truces_in_force.PERIOD_S, "rules.truces_in_force", in_force.refresh),
            runtime.every(polled_count.PERIOD_S, "rules.review", review.refresh),
            runtime.every(polled_count.PERIOD_S, "rules.reassessments", running.refresh),
            runtime.every(REASSESSING_S, REASSESSING, reassess_touched),
            runtime.every(PERIOD_S, "rules.links_left_over", partial(recheck_left_over, links)),
            runtime.every(schedules.PERIOD_S, "rules.schedules", published.step),
        ],
        stop=[await runtime.tail(REGISTRY, "rules.registry", follow)],
        status=status,
        state={"schedules": published, "reassess": reassess_touched},
    )


async def _find_flips(
    current: CurrentJudge, judgements: SqlJudgements, clock: Clock, registry: CompiledRegistry, limit: int
) -> tuple[Sequence[Flip], int]:
    judge = await asyncio.to_thread(Judge, registry)
    return await find_flips(current.judge.registry, judge, judgements, clock.now(), limit)


async def _open_loops(runtime: Runtime, judging: Judging, links: RecheckParts) -> list[Loop]:
    assess = partial(assess_incidents, judging=judging, tracing=runtime.tracing)
    recheck = partial(recheck_assessed, parts=links)
    return [
        await runtime.loop(INCIDENTS, GROUP, assess, limit=200),
        await runtime.loop(ASSESSMENTS, LINKS_GROUP, recheck, limit=200, linger_s=LINKS_LINGER_S),
    ]


def _count(metrics: Metrics, assessments: Sequence[Assessment], alerts: Sequence[AlertState]) -> None:
    for assessment in assessments:
        metrics.assessments[assessment.verdict].inc()
    for alert in alerts:
        metrics.alerts[alert.alert.status].inc()
