"""The command line of clients. ``services.__main__`` adds the commands that start something."""

from collections.abc import Sequence
from importlib.metadata import version

import click

from services.cli.admin_commands import keys, registry
from services.cli.listen_command import listen
from services.cli.replay_command import replay
from services.cli.storage_commands import backup, release, restore, restored

ABOUT = """Ceasefire violation alerting: incident reports in, judged alerts out.

'trucewatch demo' shows everything at once; 'trucewatch serve --data DIR' runs it."""


def make_cli(more: Sequence[click.Command] = ()) -> click.Group:
    """``trucewatch`` with the client commands and ``more``."""
    settings = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
    group = click.Group(
        "trucewatch",
        help=ABOUT,
        commands=[*more, registry, replay, keys, listen, backup, restore, restored, release],
        context_settings=settings,
    )
    return click.version_option(version("trucewatch"), prog_name="trucewatch")(group)
