"""``trucewatch registry`` and ``trucewatch keys``. ``registry check`` alone needs no server."""

import sys
from pathlib import Path
from typing import Final

import click
from rich.markup import escape

from schemas.vocabulary import Role
from services.cli.ask import FILE_REFUSED, ask, client_options, complain, say
from services.rules.registry_file import RegistryFile, RegistryFileError, load_registry_file

ROLES: Final[tuple[Role, ...]] = ("partner", "monitor", "operator")
FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def registry() -> None:
    """Check a registry document, or load it into a server."""


@registry.command()
@click.argument("file", type=FILE)
def check(file: Path) -> None:
    """Validate FILE (YAML or JSON) without a server: every fault with its line and its JSON pointer."""
    document = _read(file).document
    counts = {
        "parties": len(document.parties),
        "areas": len(document.areas.features),
        "places": len(document.places),
        "presence entries": len(document.presence),
        "truces": len(document.truces),
    }
    say(f"[green]valid:[/] {', '.join(f'{count} {name}' for name, count in counts.items())}")


@registry.command()
@click.argument("file", type=FILE)
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@client_options
def load(file: Path, dry_run: bool, url: str, key: str | None) -> None:
    """Check FILE, then replace the server's registry with it.

    Files named by areas_file and places_file are sent inside the document.
    """
    data = _read(file).data
    path = "/v1/registry?dry_run=true" if dry_run else "/v1/registry"
    answer = ask(url, key, lambda api: api.send("PUT", path, data, "application/json"))
    changes = answer["changes"]
    if dry_run:
        for change in changes:
            say(f"{change['op']:8} {escape(change['resource'])}")
        say(f"{len(changes)} changes would change {answer['flip_count']} verdicts; nothing was changed")
    else:
        say(f"{len(changes)} changes; the registry is at version {answer['registry_version']}")


def _read(file: Path) -> RegistryFile:
    try:
        return load_registry_file(file)
    except RegistryFileError as error:
        for fault in error.faults:
            complain(escape(str(fault)))
        complain(f"[red]{len(error.faults)} {'fault' if len(error.faults) == 1 else 'faults'}[/]")
        sys.exit(FILE_REFUSED)


@click.group()
def keys() -> None:
    """Make API keys."""


@keys.command()
@click.option("--role", type=click.Choice(ROLES), required=True, help="What the key may do.")
@click.option("--name", required=True, help="Whose key it is; incident ids depend on it, rotating the key does not.")
@click.option("--expires-at", help="RFC 3339 time from which on it no longer counts.")
@client_options
def create(role: Role, name: str, expires_at: str | None, url: str, key: str | None) -> None:
    """Make an API key and print it, once: it is kept nowhere in readable form. Needs an operator's key."""
    wanted = {"name": name, "role": role} | ({"expires_at": expires_at} if expires_at else {})
    made = ask(url, key, lambda api: api.post("/v1/keys", wanted))
    complain(f"key {escape(made['id'])} for {escape(name)} ({role}); it is not shown again:")
    click.echo(made["key"])
