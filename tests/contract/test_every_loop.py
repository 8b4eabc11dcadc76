"""A fault at any one await of the database, in any loop of all services: everything is done all the same, and shown.

The whole system in one process, on a driven clock, from an accepted report to the webhook, the digest and the
heartbeat. Each run raises at another call of the database, before it or after it was done: an answer that is lost.
"""

import asyncio
import ipaddress
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from schemas.instants import parse_instant
from services.app import BUILDERS, Assembly, assemble
from services.platform.bus.consume import Loop
from services.platform.faults import supervise
from services.platform.process.runtime import Task
from services.platform.settings.config import Settings, embedded_url
from tests.component.assembled import end
from tests.fakes import DrivenClock, Injector
from tests.parts.receiver import Receiver
from tests.unit.rules.registry_samples import announcement, document, truce

ADMIN: Final = "an-operator-key-of-the-tests"
EVERY_FEW_SECONDS: Final = (
    "status.look", "ingest.waiting",
    "rules.truces_in_force", "rules.review", "rules.reassessments", "rules.reassessing",
)  # fmt: skip
NOON: Final = parse_instant("2016-05-08T12:00:00Z")
#: Calls that are raised at: with TRUCEWATCH_TEST_ALL, each; else so many of them, spread out.
SHORT: Final = 5
REPORT: Final[dict[str, Any]] = {
    "external_id": "r1", "occurred": "2016-05-08T10:00:00Z", "act": "shelling", "perpetrators": ["army"],
    "targets": ["rebels"], "location": {"lat": 33.5, "lon": 36.5}, "source": {"name": "desk"},
}  # fmt: skip


@dataclass
class System:
    """All services, wired, with their loops running as a process runs them; notify's ticks are made by hand."""

    assembly: Assembly
    clock: DrivenClock
    api: httpx.AsyncClient
    frequent: list[asyncio.Task[None]]

    def state(self, name: str) -> Any:
        return next(service for service in self.assembly.services if service.name == "notify").state[name]

    async def tick(self, seconds: float) -> None:
        """Let time pass, then do what notify's schedule does."""
        await self.clock.advance(seconds)
        await self.state("keep_alive")(self.clock.now())
        await self.state("sweeper").sweep(self.clock.now())
        async with asyncio.timeout(60):
            await self.state("dispatcher").idle()

    async def rest(self) -> None:
        """End the loops that look every few seconds, so that hours can pass."""
        for task in self.frequent:
            assert not task.done(), "a loop ended"
            task.cancel()
        await asyncio.gather(*self.frequent, return_exceptions=True)

    async def post(self, path: str, body: Any) -> None:
        answer = await self.api.post(path, json=body)
        assert answer.status_code in (200, 201, 202), answer.text


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[System]:
    clock = DrivenClock(NOON)
    settings = Settings(
        embedded_url(folder), "http://trucewatch.test", admin_key=ADMIN,
        webhook_allow=(ipaddress.ip_network("127.0.0.0/8"),),
    )  # fmt: skip
    assembly = await assemble(settings, tuple(BUILDERS), clock)
    faults = assembly.runtime.faults
    loops = [loop for service in assembly.services for loop in service.loops]
    ticking = [task for service in assembly.services for task in service.tasks if task.name != "notify.schedule"]
    both: list[Loop | Task] = [*loops, *ticking]
    running = [asyncio.create_task(supervise(one.name, one.run, faults, clock.sleep), name=one.name) for one in both]
    transport = httpx.ASGITransport(assembly.asgi)
    headers = {"authorization": f"Bearer {ADMIN}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://trucewatch.test", headers=headers) as api:
        try:
            yield System(assembly, clock, api, [task for task in running if task.get_name() in EVERY_FEW_SECONDS])
        finally:
            assert not [task for task in running if task.done() and not task.cancelled()], "a loop ended"
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            await end(assembly)


@pytest.fixture(scope="module")
def hooks() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def prepared(hooks: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a registry, and two proved subscriptions that have got nothing yet."""
    folder = tmp_path_factory.mktemp("prepared")

    async def prepare() -> None:
        async with running(folder) as system:
            calm = truce("calm", announcement("a1", "declare", "01 00", starts_at="2016-05-01T00:00:00Z"))
            answer = await system.api.put("/v1/registry", json=document(truces=[calm]))
            assert answer.status_code == 200, answer.text
            for name, more in (("now", {"heartbeat": "PT1H"}), ("digest", {"mode": {"digest": "PT1H"}})):
                channel = {"type": "webhook", "url": hooks.url(f"/{name}")}
                await system.post("/v1/subscriptions", {"name": name, "channel": channel, "verified": True, **more})

    asyncio.run(prepare())
    return folder


async def deliver(folder: Path, hooks: Receiver, injector: Injector) -> None:
    """From a report that was accepted to all that is to come of it."""
    hooks.forget()
    async with running(folder) as system:
        await system.tick(1)
        await system.post("/v1/incidents", REPORT)
        database: Any = system.assembly.runtime.database
        database.read, database.write = injector.call(database.read), injector.call(database.write)
        for _ in range(8):
            await system.tick(1)
        await system.rest()
        for _ in range(6):
            await system.tick(1200)
        raised = injector.raised
        injector.disarm()
        for _ in range(2):
            await system.tick(600)
        told = {name: {d.type for d in hooks.received(f"/{name}")} for name in ("now", "digest")}
        assert told == {"now": {"alert.raised", "heartbeat"}, "digest": {"digest"}}, f"after a fault of {raised}"
        assert len({d.id for d in hooks.received("/now") if d.type == "alert.raised"}) == 1
        assert len({d.id for d in hooks.received("/digest")}) == 1
        shown = (await system.api.get("/v1/incidents")).json()["items"]
        assert [item["state"] for item in shown] == ["assessed"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_all_is_done_whatever_a_call_of_the_database_raises(
    prepared: Path, hooks: Receiver, tmp_path: Path, after: bool
) -> None:
    sound = Injector(0)
    shutil.copytree(prepared, tmp_path / "sound")
    await deliver(tmp_path / "sound", hooks, sound)
    assert sound.made > SHORT
    every = os.environ.get("TRUCEWATCH_TEST_ALL") is not None
    for number in range(1, sound.made + 1, 1 if every else max(1, sound.made // SHORT)):
        shutil.copytree(prepared, tmp_path / f"{number}")
        await deliver(tmp_path / f"{number}", hooks, Injector(number, after=after))


async def test_a_fault_of_a_loop_is_counted_and_named_by_the_status(prepared: Path, tmp_path: Path) -> None:
    shutil.copytree(prepared, tmp_path / "a")
    async with running(tmp_path / "a") as system:
        assert (await system.api.get("/status")).json()["components"]["notify"] == {"state": "ok", "lag": 0}
        database: Any = system.assembly.runtime.database
        sound = database.read
        database.read = Injector(1).call(sound)
        await system.state("sweeper").sweep(system.clock.now())
        database.read = sound
        status = (await system.api.get("/status")).json()
        assert status["status"] == "degraded"
        detail = "notify.read_subscriptions failed lately (InjectedError)"
        assert status["components"]["notify"]["detail"] == detail
        metrics = (await system.api.get("/metrics")).text
        assert 'trucewatch_loop_failures_total{loop="notify.read_subscriptions"} 1.0' in metrics
        await system.clock.advance(301)
        assert (await system.api.get("/status")).json()["components"]["notify"]["state"] == "ok"


async def test_a_fault_of_the_administration_is_named_by_ingest_in_whose_process_it_runs(
    prepared: Path, tmp_path: Path
) -> None:
    shutil.copytree(prepared, tmp_path / "a")
    async with running(tmp_path / "a") as system:
        (loop,) = [loop for one in system.assembly.services for loop in one.loops if loop.name == "admin.audit"]
        system.assembly.runtime.faults.note(loop.name, ValueError("no"))
        loop.failing = "database: away"
        components = (await system.api.get("/status")).json()["components"]
        detail = "admin.audit: database: away; admin.audit failed lately (ValueError)"
        assert components["ingest"] == {"state": "degraded", "detail": detail}
        assert components["rules"]["state"] == components["notify"]["state"] == "ok"
