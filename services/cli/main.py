"""The command line of clients. ``services.__main__`` adds the commands that start something."""

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from importlib.metadata import version
from typing import Any, Final

import click

ABOUT = """Ceasefire violation alerting: incident reports in, judged alerts out.

'trucewatch demo' shows everything at once; 'trucewatch serve --data DIR' runs it."""

#: Each client command, and where it is.
CLIENT_COMMANDS: Final = {
    "registry": "registry_command:registry",
    "announce": "announce_command:announce",
    "import": "file_commands:import_file",
    "replay": "file_commands:replay",
    "keys": "admin_commands:keys",
    "listen": "listen_command:listen",
    "backup": "storage_commands:backup",
    "restore": "storage_commands:restore",
    "restored": "storage_commands:restored",
    "migrate-to": "storage_commands:migrate",
    "retract": "report_commands:retract",
    "report": "report_commands:report",
    "release": "storage_commands:release",
}

Commands = Mapping[str, Callable[[], click.Command]]


def lazy_commands(package: str, places: Mapping[str, str]) -> Commands:
    """Commands by name, each imported when it is called for. A place is ``module:attribute``, below ``package``, which
    has another name where the wheel is installed."""

    def load(place: str) -> click.Command:
        module, _, attribute = place.partition(":")
        command: click.Command = getattr(import_module(f"{package}.{module}"), attribute)
        return command

    return {name: partial(load, place) for name, place in places.items()}


class LazyGroup(click.Group):
    """A group that imports the one command that was typed, so that a client starts without the server's modules."""

    def __init__(self, name: str, lazy: Commands, **rest: Any) -> None:
        super().__init__(name, **rest)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        load = self._lazy.get(cmd_name)
        return None if load is None else load()


def make_cli(more: Commands | None = None) -> click.Group:
    """``trucewatch`` with the client commands and ``more``."""
    group = LazyGroup(
        "trucewatch",
        {**(more or {}), **lazy_commands(str(__package__), CLIENT_COMMANDS)},
        help=ABOUT,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    return click.version_option(version("trucewatch"), prog_name="trucewatch")(group)
