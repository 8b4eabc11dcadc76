"""The modules that a command loads: a client starts without the server."""

import subprocess
import sys

import pytest

from services.__main__ import STARTING
from services.app import BUILDERS

#: Packages that only the server needs.
OF_THE_SERVER = ("sqlalchemy", "fastapi", "aiohttp", "numpy", "shapely", "openpyxl", "apscheduler", "services.app")
LOADED = """
import sys
from click.testing import CliRunner
from services.__main__ import STARTING
from services.cli.main import lazy_commands, make_cli
ended = CliRunner().invoke(make_cli(lazy_commands("services", STARTING)), sys.argv[1:])
assert ended.exit_code == 0, ended.output
print(*sorted(sys.modules))
"""


def loaded(*arguments: str) -> set[str]:
    command = [sys.executable, "-c", LOADED, *arguments]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("command", ["keys list", "replay", "import"])
def test_a_command_that_only_talks_http_loads_nothing_of_the_server(command: str) -> None:
    assert loaded(*command.split(), "--help").isdisjoint(OF_THE_SERVER)


def test_a_webhook_receiver_loads_no_database() -> None:
    assert loaded("listen", "--help").isdisjoint({"sqlalchemy", "fastapi", "services.app"})


def test_every_service_has_its_command() -> None:
    assert set(BUILDERS) <= set(STARTING)
    assert "services.app" in loaded("notify", "--help")
