"""All services in one process as ``serve`` assembles them, on embedded storage and a driven clock."""

import ipaddress
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx

from services.app import BUILDERS, Assembly, assemble
from services.notify.wiring.loops import COUNTING
from services.platform.process.runtime import Service
from services.platform.settings.config import Settings, embedded_url
from tests.fakes import DrivenClock
from tests.scenario import OPERATOR_KEY, bearer, registry_document


@dataclass(frozen=True)
class Assembled:
    """One process whose loops run when told to, with its API and its clock."""

    clock: DrivenClock
    assembly: Assembly
    api: httpx.AsyncClient

    def service(self, name: str) -> Service:
        return next(one for one in self.assembly.services if one.name == name)

    async def call(self, method: str, path: str, body: Any = None, *, key: str = OPERATOR_KEY) -> Any:
        """The body of the answer, which is no refusal."""
        answer = await self.api.request(method, path, json=body, headers=bearer(key))
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def make_key(self, name: str, role: str) -> str:
        key: str = (await self.call("POST", "/v1/keys", {"name": name, "role": role}))["key"]
        return key

    async def settle(self) -> None:
        """Until every event is handled, and every message that is due has been tried."""
        await self.service("rules").state["schedules"].step()
        reassess = self.service("rules").state["reassess"]
        await reassess()
        while await self._handle_events():
            await reassess()
        state = self.service("notify").state
        while await state["sweeper"].sweep(self.clock.now()):
            await state["dispatcher"].idle()
        await state["dispatcher"].idle()

    async def _handle_events(self) -> int:
        """One batch by every loop but that of the counts, which sleeps between its batches."""
        loops = [loop for service in self.assembly.services for loop in service.loops if loop.name != COUNTING]
        return sum([await loop.step(0) for loop in loops])

    async def at(self, seconds: float) -> None:
        """Let so much time pass, then do what is due."""
        await self.clock.advance(seconds)
        await self.settle()


@asynccontextmanager
async def assembled(
    folder: Path,
    *,
    clock: DrivenClock | None = None,
    document: Mapping[str, Any] | None = MappingProxyType(registry_document()),
    **settings: Any,
) -> AsyncIterator[Assembled]:
    """Everything on the storage in ``folder``, as it stands, judging by the registry ``document``: the worked example,
    or with None the registry that is there."""
    clock = clock or DrivenClock()
    defaults = {"admin_key": OPERATOR_KEY, "webhook_allow": (ipaddress.ip_network("127.0.0.0/8"),)}
    chosen = Settings(embedded_url(folder), "http://trucewatch.test", **{**defaults, **settings})
    assembly = await assemble(chosen, tuple(BUILDERS), clock)
    transport = httpx.ASGITransport(assembly.asgi)
    async with httpx.AsyncClient(transport=transport, base_url=chosen.public_url) as api:
        try:
            running = Assembled(clock, assembly, api)
            if document is not None:
                await running.call("PUT", "/v1/registry", dict(document))
            yield running
        finally:
            await end(assembly)


async def end(assembly: Assembly) -> None:
    """Stop as a process does when it is told to."""
    for service in assembly.services:
        for stop in service.stop:
            await stop()
    await assembly.runtime.bus.close()
    await assembly.runtime.database.close()
