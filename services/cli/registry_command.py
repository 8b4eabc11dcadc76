"""``trucewatch registry``: a document checked, loaded, got, compared; the history. ``check`` alone needs no server."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import click
import msgspec
from msgspec import UNSET
from rich.markup import escape

from schemas.instants import format_instant
from schemas.local_time import read_moment
from schemas.zones import find_zone
from services.cli.ask import FILE_REFUSED, SERVER_REFUSED, ask, client_options, complain, say
from services.cli.registry_load import Loading, StaleFileError, get_document, load_document, registry_zone
from services.cli.registry_text import change_lines, flip_lines, history_lines, version_line, windows_of_change_lines
from services.client import AsyncClient
from services.rules.registry.answers import ChangeView, view_windows_of_change
from services.rules.registry.domain.changed_windows import windows_of_change
from services.rules.registry.domain.document import compile_document
from services.rules.registry.domain.resources import diff as diff_resources
from services.rules.registry.domain.resources import split
from services.rules.registry.file import (
    RegistryFile,
    RegistryFileError,
    form_of,
    load_registry_file,
    remember_version,
    write_registry_file,
)
from services.rules.registry.wire import read_document

FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def registry() -> None:
    """Check a registry document, load it into a server, get it back, see what changed."""


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
@click.option("--as-of", help="As it stood then: an RFC 3339 time, or a local one of the registry.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write, JSON if named .json.")
@client_options
def get(as_of: str | None, out: Path | None, url: str, key: str | None) -> None:
    """The server's registry as a file that load takes; the file remembers the version that it was got at."""
    document, version = ask(url, key, lambda api: _get(api, as_of))
    text = write_registry_file(document, version, "yaml" if out is None else form_of(out))
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{out}: {error.strerror}") from error
    complain(f"{escape(str(out))} holds version {version}")


async def _get(api: AsyncClient, as_of: str | None) -> tuple[Any, int]:
    if as_of is None:
        return await get_document(api)
    zone = await registry_zone(api)
    try:
        at = read_moment(as_of.strip().replace(" ", "T"), zone)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--as-of") from error
    return await get_document(api, format_instant(at))


@registry.command()
@click.argument("old", type=FILE)
@click.argument("new", type=FILE, required=False)
@client_options
def diff(old: Path, new: Path | None, url: str, key: str | None) -> None:
    """Show the changes from the file OLD to the file NEW, with the windows of each truce before and after.

    With one file: what loading it would change on the server.
    """
    if new is not None:
        _tell_difference(_read(old), _read(new))
        return
    after = _read(old)
    document = read_document(msgspec.json.encode(ask(url, key, get_document)[0]))
    _tell_difference(RegistryFile(b"", document, compile_document(document)), after)


def _tell_difference(before: RegistryFile, after: RegistryFile) -> None:
    changes = [
        ChangeView(
            "/".join(c.key), c.op, UNSET if c.before is None else c.before, UNSET if c.after is None else c.after
        )
        for c in diff_resources(split(before.document), split(after.document))
    ]
    windows = [view_windows_of_change(change) for change in windows_of_change(before.registry, after.registry)]
    _print(change_lines(_plain(changes)))
    _print(windows_of_change_lines(_plain(windows), find_zone(after.document.timezone)))
    if not changes:
        say("no difference")


def _plain(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


@registry.command()
@click.argument("resource", required=False)
@client_options
def history(resource: str | None, url: str, key: str | None) -> None:
    """Every change of RESOURCE (truces/aleppo-calm), or of the registry, with author and reason, the newest first."""
    path = "/v1/registry/history" if resource is None else f"/v1/{resource}/history"

    async def read(api: AsyncClient) -> ZoneInfo:
        zone = await registry_zone(api)
        async for page in api.pages(path).pages():
            _print(history_lines(page.items, zone))
        return zone

    say(f"times are local: {ask(url, key, read).key}")


@registry.command()
@click.argument("file", type=FILE)
@click.option("--dry-run", is_flag=True, help="Only say what would change: resources, windows, verdicts.")
@click.option("--force", is_flag=True, help="Overwrite what was changed since the file was made.")
@click.option("--merge", is_flag=True, help="Keep what was changed since, and add what the file changed.")
@click.option("--reason", help="Why; kept in the history and told with what follows.")
@client_options
def load(file: Path, dry_run: bool, force: bool, merge: bool, reason: str | None, url: str, key: str | None) -> None:
    """Check FILE, then replace the server's registry with it.

    Files named by areas_file and places_file are sent inside the document. Refused where the registry was changed
    since the file was got (or, for a file that names no version, where it would undo a change made since the last
    load).
    """
    read = _read(file)
    try:
        answer = ask(url, key, lambda api: load_document(api, read, Loading(dry_run, force, merge, reason)))
    except StaleFileError as error:
        _tell_stale(error, find_zone(read.document.timezone))
        sys.exit(SERVER_REFUSED)
    if dry_run:
        _print(change_lines(answer["changes"]))
        _print(windows_of_change_lines(answer["windows"], find_zone(read.document.timezone)))
        _print(flip_lines(answer["flips"], answer["flip_count"], {}))
        say(f"{len(answer['changes'])} changes would change {answer['flip_count']} verdicts; nothing was changed")
        return
    if read.version is not None:
        remember_version(file, answer["registry_version"])
    say(f"loaded; the registry is at version {answer['registry_version']}")


def _tell_stale(error: StaleFileError, zone: ZoneInfo) -> None:
    complain(f"[red]refused:[/] {escape(str(error))}; nothing was changed")
    for version in error.since:
        changes = ", ".join(f"{change['op']} {change['resource']}" for change in version["changes"])
        complain(escape(f"  since then: {version_line(version, zone)}: {changes}"))
    for line in change_lines(error.undone):
        complain(escape(f"  loading it would undo: {line}"))
    complain("Get the registry anew and change that, or load with --merge (keeps both) or --force (overwrites).")


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        say(escape(line))


def _read(file: Path) -> RegistryFile:
    try:
        return load_registry_file(file)
    except RegistryFileError as error:
        for fault in error.faults:
            complain(escape(str(fault)))
        complain(f"[red]{len(error.faults)} {'fault' if len(error.faults) == 1 else 'faults'}[/]")
        sys.exit(FILE_REFUSED)
