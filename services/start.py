"""``trucewatch serve``, and each service alone."""

import errno
import gc
import logging
import os
import socket
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import click
import uvloop

from services.app import BUILDERS, Assembly, serve
from services.cli.ask import told_in_one_sentence
from services.platform.clock import new_id
from services.platform.process.data_directory import hold_data_directory
from services.platform.process.lifecycle import bind
from services.platform.process.logs import configure_logs
from services.platform.settings.base_url import base_url
from services.platform.settings.config import Settings, SettingsError, embedded_url, read_settings
from services.platform.tracing import make_tracing

log = logging.getLogger(__name__)

#: Switch interval of the interpreter: a thread waits no longer than this for the GIL, seconds.
SWITCH_S: Final = 0.0005


def _listening(default_port: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        command = click.option(
            "--port", type=click.IntRange(0, 65535), default=default_port, show_default=True, help="0: any free one."
        )(command)
        return click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")(command)

    return add


@click.command("serve")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="Directory of the storage, of its own; made if it is not there, and closed to other users.",
)
@_listening(8000)
def serve_command(data: Path, host: str, port: int) -> None:
    """Run everything in one process on embedded storage.

    On empty storage without TRUCEWATCH_ADMIN_KEY it prints one operator key, once.
    """
    with told_in_one_sentence(), hold_data_directory(data):
        _start(read_settings(os.environ, database_url=embedded_url(data), host=host, port=port), tuple(BUILDERS))


def _service_command(name: str, port: int) -> click.Command:
    @click.command(name, help=f"Run the {name} service alone, set up by TRUCEWATCH_… environment variables.")
    @_listening(port)
    def command(host: str, port: int) -> None:
        with told_in_one_sentence():
            _start(read_settings(os.environ, host=host, port=port), (name,))

    return command


def _start(settings: Settings, names: tuple[str, ...]) -> None:
    configure_logs(sys.stderr, settings.log_level)
    for remark in settings.remarks:
        log.warning(remark)
    tune()
    with closing(_listener(settings)) as listener:
        tracing = make_tracing(os.environ, new_id())
        uvloop.run(serve(settings, names, on_ready=_announce, listener=listener, tracing=tracing))


def _listener(settings: Settings) -> socket.socket:
    """Raises SettingsError for a host that is not one of this machine, OSError for a port that is taken."""
    try:
        return bind(settings.host, settings.port)
    except OSError as error:
        reason = f"{settings.host}:{settings.port}: {error.strerror}"
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise SettingsError(f"--host: {reason}") from error
        raise OSError(reason) from error


def tune() -> None:
    """Set the interpreter up as the services run on it."""
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(50_000, 20, 20)


def _announce(assembly: Assembly) -> None:
    settings = assembly.runtime.settings
    click.echo(f"Listening on {base_url(settings.host, assembly.port)}/", err=True)
    if assembly.first_key is not None:
        click.echo(f"Operator key, shown this once: {assembly.first_key}")


ingest, rules, notify = (_service_command(name, 8001 + number) for number, name in enumerate(BUILDERS))
