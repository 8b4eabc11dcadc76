"""``trucewatch``: the client commands, and those that start something."""

import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
import uvloop

from services.app import BUILDERS, Assembly, serve
from services.cli.main import make_cli
from services.demo.command import demo
from services.shared.config import Settings, SettingsError, embedded_url, read_settings
from services.shared.failures import RetryLaterError
from services.shared.logs import configure_logs

#: Two threads share the interpreter: neither waits longer than this for the other.
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
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Directory of the storage; made if it is not there.",
)
@_listening(8000)
def serve_command(data: Path, host: str, port: int) -> None:
    """Run everything in one process on embedded storage.

    On empty storage without TRUCEWATCH_ADMIN_KEY it prints one operator key, once.
    """
    data.mkdir(parents=True, exist_ok=True)
    _start(lambda: read_settings(os.environ, database_url=embedded_url(data), host=host, port=port), tuple(BUILDERS))


def _service_command(name: str, port: int) -> click.Command:
    @click.command(name, help=f"Run the {name} service alone, set up by TRUCEWATCH_… environment variables.")
    @_listening(port)
    def command(host: str, port: int) -> None:
        _start(lambda: read_settings(os.environ, host=host, port=port), (name,))

    return command


def _start(read: Callable[[], Settings], names: tuple[str, ...]) -> None:
    configure_logs(sys.stderr, os.environ.get("TRUCEWATCH_LOG", "WARNING"))
    tune()
    try:
        uvloop.run(serve(read(), names, on_ready=_announce))
    except SettingsError as error:
        raise _WrongSettingError(str(error)) from error
    except (RetryLaterError, OSError) as error:
        raise click.ClickException(str(error)) from error


class _WrongSettingError(click.ClickException):
    """A setting cannot be used: the exit code of a wrong command line."""

    exit_code = 2


def tune() -> None:
    """Set the interpreter up as the services run on it."""
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(50_000, 20, 20)


def _announce(assembly: Assembly) -> None:
    settings = assembly.runtime.settings
    click.echo(f"Listening on http://{settings.host}:{assembly.port}/", err=True)
    if assembly.first_key is not None:
        click.echo(f"Operator key, shown this once: {assembly.first_key}")


def main() -> None:
    """The command ``trucewatch``."""
    services = [_service_command(name, 8001 + number) for number, name in enumerate(BUILDERS)]
    make_cli([demo, serve_command, *services])()


if __name__ == "__main__":
    main()
