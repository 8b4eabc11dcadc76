"""Ingest as one process runs it, on a driven clock, with a client for each role; its loops run when told to."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
from fastapi import FastAPI

import services.admin.bootstrap
import services.ingest.bootstrap
from schemas import codec
from schemas.assessments import Assessment, Interval, ResolvedPlace, SourceRef
from schemas.envelope import Event
from schemas.events import IncidentAssessed, IncidentReported, KeyChanged, RegistryChanged
from schemas.report import Casualties
from schemas.topics import ASSESSMENTS, INCIDENTS, REGISTRY
from schemas.vocabulary import Outcome
from services.platform.bus.dead_letters import DeadLetters
from services.platform.bus.embedded import EmbeddedBus
from services.platform.db.engine import Database
from services.platform.http.middleware import answer_heads, install_problems, refuse_nul
from services.platform.http.routes import add_routes
from services.platform.process.local_time import follow_time_zone
from services.platform.process.runtime import Runtime, Service
from services.platform.security.keys import KeyRing, hash_secret
from services.platform.settings.config import Settings
from tests.fakes import DrivenClock
from tests.tables import create_tables
from tests.unit.ingest.samples import REPORT

KEYS: Final = {
    "partner": ("p1", "partner-a", "partner"),
    "rotated": ("p2", "partner-a", "partner"),
    "other": ("p3", "partner-b", "partner"),
    "monitor": ("m1", "desk", "monitor"),
    "operator": ("o1", "duty", "operator"),
}


def report(**changes: Any) -> dict[str, Any]:
    """A valid report with some fields changed."""
    return {**REPORT, **changes}


@dataclass
class RunningIngest:
    """Ingest with the administration beside it. Each attribute named after a role is a client with such a key."""

    clock: DrivenClock
    runtime: Runtime
    service: Service
    admin: Service
    app: Any

    def client(self, key: str | None) -> httpx.AsyncClient:
        headers = {} if key is None else {"authorization": f"Bearer tw_{key}"}
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://ingest", headers=headers)

    @property
    def partner(self) -> httpx.AsyncClient:
        return self.client("partner")

    @property
    def other(self) -> httpx.AsyncClient:
        return self.client("other")

    @property
    def monitor(self) -> httpx.AsyncClient:
        return self.client("monitor")

    @property
    def operator(self) -> httpx.AsyncClient:
        return self.client("operator")

    async def run_loops(self) -> None:
        """Let every consumer work off what there is."""
        for loop in (*self.service.loops, *self.admin.loops):
            while await loop.step(0):
                pass

    async def published(self) -> list[IncidentReported]:
        """Every fact on the ``incidents`` topic, in order."""
        consumer = await self.runtime.bus.consumer(INCIDENTS, "test")
        return [codec.decode(received.event) for received in await consumer.fetch(100_000, 0)]

    async def publish(self, events: Sequence[Event]) -> None:
        await self.runtime.bus.publish(events)
        await self.run_loops()

    async def say_time_zone(self, name: str, version: int) -> None:
        """One version of the registry says its time zone."""
        time = "2016-05-01T00:00:00Z"
        change = RegistryChanged("settings", "registry", version, time, {"version": 1, "timezone": name}, True)
        event = codec.encode(REGISTRY, change, key="settings/registry", id=str(version), time=time)
        await self.runtime.bus.publish([event])

    async def set_time_zone(self, name: str, version: int = 1) -> None:
        """The registry says its time zone, and ingest has heard."""
        await self.say_time_zone(name, version)
        while self.runtime.local_time.zone.key != name:
            await self.runtime.bus.healthy()


def judged(
    incident_id: str,
    revision: int,
    sequence: int,
    verdict: Outcome = "violation",
    *,
    areas: tuple[str, ...] = (),
    **changes: Any,
) -> Event:
    """An event of rules: this revision was judged so. ``areas`` are those of its place; ``changes`` the fields of the
    assessment that are otherwise."""
    assessment = Assessment(
        incident_id=incident_id, revision=revision, assessed_at="2016-05-08T12:00:01Z", registry_version=1,
        verdict=verdict, certainty=None, severity="Severe", reasons=(), perpetrators=(), targets=(),
        place=ResolvedPlace(), links=(), findings=(), act="shelling", casualties=Casualties(),
        occurred=Interval("2016-05-07T21:00:00Z", "2016-05-08T09:00:00Z"), source=SourceRef("State media"),
    )  # fmt: skip
    assessment = msgspec.structs.replace(assessment, **changes)
    fact = IncidentAssessed(sequence, assessment, areas)
    return codec.encode(ASSESSMENTS, fact, key=incident_id, id=f"{incident_id}-{sequence}", time=assessment.assessed_at)


@asynccontextmanager
async def running_ingest(directory: Path) -> AsyncIterator[RunningIngest]:
    """Ingest on a database of its own, with a key for each role; its loops run when told to."""
    clock = DrivenClock()
    database = Database(f"sqlite:///{directory}/ingest.db")
    create_tables(database.engine)
    settings = Settings("", "http://ingest", admin_key="tw_admin", webhook_allow=(ip_network("127.0.0.0/8"),))
    runtime = Runtime(settings, clock, database, EmbeddedBus(database), KeyRing(clock), DeadLetters(database, clock))
    await services.admin.bootstrap.prepare_keys(runtime)
    for secret, (key_id, name, role) in KEYS.items():
        runtime.keys.apply(
            KeyChanged(key_id, name, role, hash_secret(f"tw_{secret}"), "2016-01-01T00:00:00Z")  # type: ignore[arg-type]
        )
    stop_zone = await follow_time_zone(runtime)
    service = await services.ingest.bootstrap.build(runtime)
    admin = await services.admin.bootstrap.build(runtime)
    app = FastAPI(openapi_url=None)
    app.state.keys, app.state.local_time = runtime.keys, runtime.local_time
    install_problems(app)
    add_routes(app.router, [service.router, admin.router])
    [hot] = service.hot
    try:
        yield RunningIngest(clock, runtime, service, admin, hot.wrap(answer_heads(refuse_nul(app))))
    finally:
        for stop in (stop_zone, *service.stop):
            await stop()
        await database.close()
