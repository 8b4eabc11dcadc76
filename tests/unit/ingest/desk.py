"""Ingest as one process would run it, on a driven clock: an API for each role, and the hand on its loops."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from fastapi import FastAPI

from schemas import codec
from schemas.assessments import Assessment, Interval, ResolvedPlace, SourceRef
from schemas.envelope import Event
from schemas.events import IncidentAssessed, IncidentReported, KeyChanged, RegistryChanged
from schemas.report import Casualties
from schemas.topics import ASSESSMENTS, INCIDENTS, REGISTRY
from schemas.vocabulary import Outcome
from services.ingest.bootstrap import build, prepare_keys
from services.shared.bus.dead import Graveyard
from services.shared.bus.embedded import EmbeddedBus
from services.shared.config import Settings
from services.shared.db.engine import Database
from services.shared.db.tables import metadata
from services.shared.http import answer_heads, install_problems, refuse_nul
from services.shared.runtime import Runtime, Service
from services.shared.security import KeyRing, hash_secret
from tests.fakes import DrivenClock

KEYS: Final = {
    "partner": ("p1", "partner-a", "partner"),
    "rotated": ("p2", "partner-a", "partner"),
    "other": ("p3", "partner-b", "partner"),
    "monitor": ("m1", "desk", "monitor"),
    "operator": ("o1", "duty", "operator"),
}
REPORT: Final[dict[str, Any]] = {
    "external_id": "midan-20160508",
    "occurred": {"from": "2016-05-08T00:00:00+03:00", "to": "2016-05-08T12:00:00+03:00"},
    "act": "shelling",
    "location": {"place": "Midan, Aleppo", "lat": 36.214, "lon": 37.166, "radius_km": 1.0},
    "perpetrators": ["opposition fighters"],
    "targets": ["civilians"],
    "casualties": {"killed": 1, "injured": 0},
    "source": {"name": "State media", "grade": "C3"},
}


def report(**changes: Any) -> dict[str, Any]:
    """A valid report with some fields changed."""
    return {**REPORT, **changes}


@dataclass
class Desk:
    """A running ingest. Each attribute named after a role is a client with a key of that role."""

    clock: DrivenClock
    runtime: Runtime
    service: Service
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
        for loop in self.service.loops:
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
        while self.service.state["local_time"].zone.key != name:
            await self.runtime.bus.healthy()


def judged(incident_id: str, revision: int, sequence: int, verdict: Outcome = "violation") -> Event:
    """An event of rules: this revision was judged so."""
    assessment = Assessment(
        incident_id=incident_id, revision=revision, assessed_at="2016-05-08T12:00:01Z", registry_version=1,
        verdict=verdict, certainty=None, severity="Severe", reasons=(), perpetrators=(), targets=(),
        place=ResolvedPlace(), links=(), findings=(), act="shelling", casualties=Casualties(),
        occurred=Interval("2016-05-07T21:00:00Z", "2016-05-08T09:00:00Z"), source=SourceRef("State media"),
    )  # fmt: skip
    fact = IncidentAssessed(sequence, assessment)
    return codec.encode(ASSESSMENTS, fact, key=incident_id, id=f"{incident_id}-{sequence}", time=assessment.assessed_at)


@asynccontextmanager
async def open_desk(directory: Path) -> AsyncIterator[Desk]:
    """Ingest on a database of its own, with a key for each role; its loops run when told to."""
    clock = DrivenClock()
    database = Database(f"sqlite:///{directory}/ingest.db")
    metadata.create_all(database.engine)
    settings = Settings(database_url="", public_url="http://ingest", admin_key="tw_admin")
    runtime = Runtime(settings, clock, database, EmbeddedBus(database), KeyRing(clock), Graveyard(database, clock))
    await prepare_keys(runtime)
    for secret, (key_id, name, role) in KEYS.items():
        runtime.keys.apply(
            KeyChanged(key_id, name, role, hash_secret(f"tw_{secret}"), "2016-01-01T00:00:00Z")  # type: ignore[arg-type]
        )
    service = await build(runtime)
    app = FastAPI(openapi_url=None)
    app.state.keys = runtime.keys
    install_problems(app)
    app.include_router(service.router)
    assert service.wrap is not None
    try:
        yield Desk(clock, runtime, service, service.wrap(answer_heads(refuse_nul(app))))
    finally:
        for stop in service.stop:
            await stop()
        await database.close()
