"""Rules, wired."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter

from schemas.assessments import Assessment
from schemas.codec import decode
from schemas.envelope import Event
from schemas.events import RegistryChanged
from schemas.topics import INCIDENTS, REGISTRY
from services.rules.api import build_router
from services.rules.domain.alerting import AlertState
from services.rules.domain.evaluate import Judge
from services.rules.domain.model import Registry
from services.rules.registry_api import build_registry_router
from services.rules.registry_use_cases import Flip, Shelf, Snapshot, newest_registry
from services.rules.review_count import ReviewCount
from services.rules.standing import TrucesInForce
from services.rules.use_cases import Bench, assess_incidents, find_flips
from services.shared.runtime import Runtime, Service, Task

GROUP = "rules.incidents"


async def build(runtime: Runtime) -> Service:
    """Rules by the registry as it stands in the database; it follows every change from then on."""
    database, clock, metrics = runtime.database, runtime.clock, runtime.metrics
    shelf = Shelf()
    newest = partial(newest_registry, database, shelf)
    bench = Bench(await newest(), newest)

    in_force = TrucesInForce(lambda: bench.judge.registry, clock.now)

    async def adopt(snapshot: Snapshot) -> None:
        await bench.adopt(snapshot.registry)

    async def follow(event: Event) -> None:
        change: RegistryChanged = decode(event)
        if change.last and change.version > bench.judge.registry.version:
            await bench.catch_up()

    async def flips(registry: Registry, limit: int) -> tuple[Sequence[Flip], int]:
        judge = await asyncio.to_thread(Judge, registry)
        return await find_flips(judge, database, clock, limit)

    def observe(assessments: Sequence[Assessment], alerts: Sequence[AlertState]) -> None:
        for assessment in assessments:
            metrics.assessments[assessment.verdict].inc()
        for alert in alerts:
            metrics.alerts[alert.alert.status].inc()

    def status() -> Mapping[str, Any]:
        return {"truces": in_force.tell(), "review": {"open": review.open}, "reassessments": {"running": 0}}

    async def handle(events: Sequence[Event]) -> None:
        await assess_incidents(events, bench, database, clock, observe, runtime.tracing)

    review = ReviewCount(database, clock)
    router = APIRouter()
    router.include_router(build_router(bench, database, clock))
    router.include_router(build_registry_router(database, shelf, clock, flips, adopt))
    return Service(
        name="rules",
        router=router,
        loops=[await runtime.loop(INCIDENTS, GROUP, handle, limit=200)],
        tasks=[
            Task("rules.truces_in_force", partial(in_force.run, clock.sleep)),
            Task("rules.review", review.run),
        ],
        stop=[await runtime.tail(REGISTRY, "rules.registry", follow)],
        status=status,
    )
