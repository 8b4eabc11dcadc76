"""How a process starts, runs until it is asked to stop, and stops: losing nothing, within five seconds."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from services.platform.bus.consume import Loop
from services.platform.clock import Clock, SystemClock
from services.platform.faults import Faults, supervise
from services.platform.http.connections import ConnectionTable, EdgeLimits, Reason
from services.platform.http.guarded import GuardedProtocol
from services.platform.process.open_files import BACKLOG
from services.platform.process.runtime import Service, Task
from services.platform.timed import run_every

log = logging.getLogger(__name__)

#: Grace period of open requests and streams, seconds; then they are cut.
GRACE_S: Final = 2
SWEEPING: Final = "http.connections"
#: Grace period of the batch that a loop handles, seconds; otherwise it is handled again after a restart.
LOOP_GRACE_S: Final = 2.0


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free one. Raises OSError when the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except BaseException:
        listener.close()
        raise
    return listener


async def run(
    app: ASGIApp,
    listener: socket.socket,
    services: Sequence[Service],
    *,
    on_ready: Callable[[], Awaitable[None] | None] | None = None,
    stop: asyncio.Event | None = None,
    limits: EdgeLimits = EdgeLimits(),
    backlog: int = BACKLOG,
    on_end: Callable[[Reason], None] = lambda _reason: None,
    faults: Faults | None = None,
    clock: Clock = SystemClock(),
) -> None:
    """Serve ``app`` and run the services' loops and tasks until ``stop`` is set, SIGTERM or SIGINT.

    ``limits`` hold for every connection; ``on_end`` is called with the reason when one is ended. A loop or task that
    raises is noted in ``faults`` and started again. Raises what the server raised if it ended before its time.
    """
    faults = faults or Faults()
    stop = stop or asyncio.Event()
    table = ConnectionTable(limits, asyncio.get_running_loop().time, on_end)

    async def sweep() -> None:
        table.sweep()

    with _signals(stop):
        server = _Server(
            uvicorn.Config(
                app, loop="none", http=partial(GuardedProtocol, table),  # type: ignore[arg-type]
                ws="none", lifespan="off", access_log=False, log_config=None,
                timeout_graceful_shutdown=GRACE_S, timeout_keep_alive=limits.idle_s,  # type: ignore[arg-type]
                server_header=False, proxy_headers=False, backlog=backlog,
            )
        )  # fmt: skip
        loops = [loop for service in services for loop in service.loops]
        running: list[Loop | Task] = [*loops, *(task for service in services for task in service.tasks)]
        running.append(Task(SWEEPING, partial(run_every, SWEEPING, limits.sweep_s, sweep, clock, faults)))
        tasks = [
            asyncio.create_task(supervise(one.name, one.run, faults, clock.sleep), name=one.name) for one in running
        ]
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="http")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            await _until_started(server, serving)
            if on_ready is not None and (pending := on_ready()) is not None:
                await pending
            await asyncio.wait({stopping, serving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            server.should_exit = True
            await asyncio.gather(serving, return_exceptions=True)
            await _end(loops, tasks, faults)
            for service in services:
                for ending in service.stop:
                    await faults.guard(f"{service.name}.stop", ending)
            stopping.cancel()
        if not serving.cancelled() and (error := serving.exception()) is not None:
            raise error


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _until_started(server: uvicorn.Server, serving: asyncio.Task[None]) -> None:
    while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn offers no event
        await asyncio.sleep(0.005)


async def _end(loops: Sequence[Loop], tasks: Sequence[asyncio.Future[None]], faults: Faults) -> None:
    """Let each loop finish the batch it is at; cancel what is only waiting."""
    for loop in loops:
        loop.stopping = True
    if tasks:
        await asyncio.wait(tasks[: len(loops)] or tasks, timeout=0.05)
    busy = [task for loop, task in zip(loops, tasks, strict=False) if loop.busy and not task.done()]
    if busy:
        await asyncio.wait(busy, timeout=LOOP_GRACE_S)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.gather(*(faults.guard(loop.name, loop.consumer.close) for loop in loops))


@contextlib.contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    caught = []
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, stop.set)
            caught.append(number)
    try:
        yield
    finally:
        for number in caught:
            loop.remove_signal_handler(number)
