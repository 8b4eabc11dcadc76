"""``trucewatch``: the client commands, and those that start something."""

from typing import Final

from services.cli.main import lazy_commands, make_cli

#: Each command that starts something, and where it is.
STARTING: Final = {
    "demo": "demo.command:demo",
    "serve": "start:serve_command",
    "ingest": "start:ingest",
    "rules": "start:rules",
    "notify": "start:notify",
}


def main() -> None:
    """The command ``trucewatch``."""
    make_cli(lazy_commands(str(__package__), STARTING))()


if __name__ == "__main__":
    main()
