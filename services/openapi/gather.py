"""Every router of the system, wired over an empty storage that nobody will ask: the document describes what runs."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from fastapi import APIRouter

from services.app import BUILDERS, assemble
from services.console.api import status_router
from services.console.status import Status
from services.openapi.document import Operation, find_operations
from services.shared.config import Settings, embedded_url
from services.shared.observability import probes_router

URL: Final = "http://127.0.0.1:8000"


async def gather_operations() -> list[Operation]:
    """Every published operation of all services and of the console."""
    with TemporaryDirectory() as directory:
        assembly = await assemble(Settings(embedded_url(Path(directory)), URL), tuple(BUILDERS))
        runtime = assembly.runtime
        try:
            console = [status_router(_never, runtime.clock), probes_router(runtime.metrics, _ready)]
            routers: list[APIRouter] = [*console, *(service.router for service in assembly.services)]
            return find_operations(routers)
        finally:
            for service in assembly.services:
                for ending in service.stop:
                    await ending()
            await runtime.bus.close()
            await runtime.database.close()


async def _never() -> Status:
    raise AssertionError("the document is made without asking")


async def _ready() -> Sequence[str]:
    return ()
