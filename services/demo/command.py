"""``trucewatch demo``: everything at once, on this machine, with nothing sent anywhere else."""

import asyncio
import ipaddress
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import click
import msgspec
import uvloop
from rich.console import Console

from services.app import Assembly, serve
from services.cli.ask import WrongSettingError
from services.cli.language import language_option, spoken_language, spoken_words
from services.cli.receiver import Receiver
from services.client import AsyncClient, RefusedError, UnreachableError
from services.demo.mailbox import Mailbox
from services.demo.output import DemoOutput, DeskLinks
from services.demo.play import (
    DemoClients,
    DemoFailedError,
    Inbox,
    count_verdicts,
    load_registry,
    play_reports,
    read_reports,
    subscribe,
    wait_for_alerts,
)
from services.demo.story import LATE, hold_back, tell_story
from services.platform.clock import SystemClock
from services.platform.process.data_directory import hold_data_directory
from services.platform.process.lifecycle import bind
from services.platform.process.logs import configure_logs
from services.platform.security.keys import new_secret
from services.platform.settings.base_url import base_url
from services.platform.settings.config import Settings, SettingsError, embedded_url
from services.platform.settings.extras import require_extra
from services.rules.registry.file import load_registry_file

SCENARIO: Final = Path(__file__).parents[2] / "deploy" / "scenarios" / "syria_2016"
LOOPBACK: Final = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
PACE_S: Final = 1.0
FAST_S: Final = 0.05


@click.command("demo")
@click.option("--exit", "leave", is_flag=True, help="End with 0 once every alert due has arrived, else with 1.")
@click.option("--pace", type=click.FloatRange(0, 60), help=f"Seconds between reports; {PACE_S}, with --exit {FAST_S}.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: any free one.")
@click.option("--data", type=click.Path(path_type=Path), help="Keep the storage here; else nowhere.")
@language_option
def demo(leave: bool, pace: float | None, host: str, port: int, data: Path | None) -> None:
    """Show everything: Syria 2016, in one process, with a webhook receiver and a mailbox beside it."""
    configure_logs(sys.stderr, "WARNING")
    pace = pace if pace is not None else FAST_S if leave else PACE_S
    try:
        require_extra("demo", "The demo")
        with (
            TemporaryDirectory(prefix="trucewatch-demo-") as scratch,
            hold_data_directory(data or Path(scratch)) as held,
        ):
            complete = uvloop.run(run_demo(held, host, port, pace, leave))
    except SettingsError as error:
        raise WrongSettingError(str(error)) from error
    except (DemoFailedError, RefusedError, UnreachableError, OSError) as error:
        raise click.ClickException(str(error)) from error
    sys.exit(0 if complete else 1)


async def run_demo(data: Path, host: str, port: int, pace_s: float, leave: bool) -> bool:
    """Run the demo, then stay until stopped unless ``leave``. Returns whether it was stopped or every alert arrived."""
    clock, output, admin = SystemClock(), DemoOutput(Console(), spoken_words()), new_secret()
    inbox = Inbox(output)
    try:
        listener = bind(host, port)
    except OSError as error:
        raise DemoFailedError(f"{host}:{port}: {error.strerror}; --port 0 takes any free port") from error
    url = base_url(host, listener.getsockname()[1])
    async with Receiver(clock, inbox.take_message) as receiver, Mailbox(inbox.take_letter) as mailbox:
        settings = Settings(
            database_url=embedded_url(data),
            public_url=url,
            smtp_url=mailbox.url,
            admin_key=admin,
            webhook_allow=LOOPBACK,
            host=host,
            port=listener.getsockname()[1],
        )
        stop, ready = asyncio.Event(), asyncio.Event()

        def on_ready(_assembly: Assembly) -> None:
            ready.set()

        async def act() -> bool:
            await ready.wait()
            async with _open_clients(url, admin, clock, output) as (clients, links):
                return await _run_and_wait(clients, inbox, receiver, pace_s, links)

        serving = asyncio.ensure_future(serve(settings, on_ready=on_ready, stop=stop, listener=listener))
        acting = asyncio.ensure_future(act())
        try:
            await asyncio.wait({serving, acting}, return_when=asyncio.FIRST_COMPLETED)
            if not acting.done():
                await serving
                return True
            if not leave:
                output.step("Ctrl-C ends it")
                await serving
            return acting.result()
        finally:
            stop.set()
            acting.cancel()
            await asyncio.gather(serving, acting, return_exceptions=True)


@asynccontextmanager
async def _open_clients(
    url: str, admin: str, clock: SystemClock, output: DemoOutput
) -> AsyncIterator[tuple[DemoClients, DeskLinks]]:
    """Everybody with a key of their own, and the links to the desk with the monitor's and the operator's."""
    language = spoken_language()
    async with AsyncClient(url, admin, language=language) as first:
        keys = {role: await _make_key(first, role) for role in ("operator", "partner", "monitor")}
    async with (
        AsyncClient(url, keys["operator"], language=language) as operator,
        AsyncClient(url, keys["partner"], language=language) as partner,
        AsyncClient(url, keys["monitor"], language=language) as monitor,
    ):
        links = DeskLinks(*(f"{url}/console/#key={keys[role]}" for role in ("monitor", "operator")))
        yield DemoClients(operator, partner, monitor, clock, output), links


async def _make_key(operator: AsyncClient, role: str) -> str:
    made = (await operator.request("POST", "/v1/keys", {"name": f"demo-{role}", "role": role})).body
    return str(made["key"])


async def _run_and_wait(
    clients: DemoClients, inbox: Inbox, receiver: Receiver, pace_s: float, links: DeskLinks
) -> bool:
    clients.output.links(links)
    late = await _load(clients, msgspec.json.decode(load_registry_file(SCENARIO / "registry.yaml").data))
    await subscribe(clients, inbox, receiver)
    reports = read_reports(SCENARIO / "reports.jsonl")
    played = await tell_story(clients, inbox, await play_reports(clients, reports, pace_s), late)
    missing = await wait_for_alerts(clients, played.fresh, inbox)
    clients.output.missing(missing)
    if not missing:
        arrived = sum(len(incidents) for incidents in inbox.arrived.values())
        clients.output.closing(count_verdicts(played.judged), arrived, links)
    return not missing


async def _load(clients: DemoClients, registry: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Load the registry, without the announcement that comes late; that one, unless it was announced before."""
    truces = await clients.operator.get("/v1/truces")
    if any(one["id"] == LATE for truce in truces["items"] for one in truce["announcements"]):
        await load_registry(clients, registry)
        return None
    shown, late = hold_back(registry)
    await load_registry(clients, shown)
    return late
