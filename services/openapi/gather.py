"""Every router and every reader of the system, wired over an empty storage, so that the documents describe
what runs."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from fastapi import APIRouter

from services.app import BUILDERS, Assembly, assemble
from services.console.api import status_router
from services.openapi.operations import Operation, find_operations
from services.platform.metrics import probes_router
from services.platform.settings.config import Settings, embedded_url
from services.status.board import HEARD
from services.status.report import Status

URL: Final = "http://127.0.0.1:8000"


async def gather_operations() -> list[Operation]:
    """Every published operation of all services and of the console."""
    async with _assembled() as assembly:
        runtime = assembly.runtime
        console = [status_router(_never, runtime.clock), probes_router(runtime.metrics, _ready)]
        routers: list[APIRouter] = [*console, *(service.router for service in assembly.services)]
        return find_operations(routers)


async def gather_readers() -> Mapping[str, Sequence[str]]:
    """The services that read each topic. A reader that is named after no service is in every process."""
    every = tuple(BUILDERS)
    async with _assembled() as assembly:
        readers: dict[str, set[str]] = {HEARD.name: set(every)}
        homes = {service.name: service.component or service.name for service in assembly.services}
        for name, topic in assembly.runtime.readers:
            part = name.partition(".")[0]
            service = homes.get(part, part)
            readers.setdefault(topic, set()).update([service] if service in BUILDERS else every)
    return {topic: [one for one in every if one in found] for topic, found in sorted(readers.items())}


@asynccontextmanager
async def _assembled() -> AsyncIterator[Assembly]:
    with TemporaryDirectory() as directory:
        assembly = await assemble(Settings(embedded_url(Path(directory)), URL), tuple(BUILDERS))
        try:
            yield assembly
        finally:
            for service in assembly.services:
                for ending in service.stop:
                    await ending()
            await assembly.runtime.bus.close()
            await assembly.runtime.database.close()


async def _never() -> Status:
    raise AssertionError("the document is made without asking")


async def _ready() -> Sequence[str]:
    return ()
