"""``trucewatch backup``, ``restore``, ``restored``, ``migrate-to``: they work on the storage itself; ``release`` asks a
server."""

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from services.cli.ask import FILE_REFUSED, ask, client_options, say, told_in_one_sentence
from services.cli.backup import back_up, check_storage, put_back, tell_restored
from services.cli.migrating import CopyFailedError, migrate_to
from services.cli.progress import progress_bar
from services.platform.process.data_directory import hold_data_directory
from services.platform.settings.config import KEY_FILE, SettingsError, embedded_url
from services.platform.settings.environment import Environment
from services.platform.settings.values import read_database_url


def _data_option(*, exists: bool, required: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    kind = click.Path(exists=exists, file_okay=not exists, path_type=Path)
    return click.option("--data", type=kind, required=required, help="Directory of the storage.")


@click.command()
@_data_option(exists=True)
@click.argument("file", type=click.Path(path_type=Path))
def backup(data: Path, file: Path) -> None:
    """Copy the storage in --data into FILE, also while it is in use. The secret key beside it is not in the copy."""
    with told_in_one_sentence():
        back_up(data, file)
    click.echo(f"{file} holds all that was committed by now.", err=True)


@click.command()
@_data_option(exists=False)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(data: Path, file: Path) -> None:
    """Put FILE, made by backup, in the place of the storage in --data; what was there is kept under another name.

    The next start holds all deliveries until they are released (trucewatch release), and readers whose cursors lie
    beyond the backup are told where to go on.
    """
    with told_in_one_sentence(), hold_data_directory(data):
        kept = put_back(data, file)
    if kept is not None:
        click.echo(f"What was there before is in {kept}.", err=True)
    click.echo("Start it, see that all is well, then: trucewatch release", err=True)


@click.command()
@_data_option(exists=True, required=False)
def restored(data: Path | None) -> None:
    """Say that the storage was put back by other means: a snapshot of the machine, point-in-time recovery.

    Without --data it is the database that TRUCEWATCH_DATABASE_URL names.
    """
    with told_in_one_sentence(), nullcontext() if data is None else hold_data_directory(data):
        asyncio.run(tell_restored(_url(data)))
    click.echo("Deliveries are held from the next start on, or within seconds where it runs.", err=True)


@click.command("migrate-to")
@_data_option(exists=True)
@click.argument("database_url")
def migrate(data: Path, database_url: str) -> None:
    """Copy the stopped storage in --data into the empty PostgreSQL database at DATABASE_URL.

    Every row is compared by a checksum before anything is kept there; --data stays as it is. The password may come from
    TRUCEWATCH_DATABASE_PASSWORD, certificates from TRUCEWATCH_DATABASE_CA_FILE and its like.
    """
    with told_in_one_sentence():
        check_storage(data)
        url = read_database_url(Environment({**os.environ, "TRUCEWATCH_DATABASE_URL": database_url}))
        with hold_data_directory(data), progress_bar() as bar:
            task = bar.add_task("copying", total=None, told="")
            try:
                rows = migrate_to(data, url, lambda done, total: bar.update(task, completed=done, total=total))
            except CopyFailedError as error:
                raise click.ClickException(str(error)) from error
    click.echo(f"{rows} rows copied, every table compared.", err=True)
    click.echo(f"Set TRUCEWATCH_SECRET_KEY_FILE={data / KEY_FILE} for notify: secrets are encrypted by it.", err=True)


def _url(data: Path | None) -> str:
    if data is not None:
        return embedded_url(data)
    environ = Environment(os.environ)
    if "TRUCEWATCH_DATABASE_URL" not in environ:
        raise SettingsError("say which storage: --data, or TRUCEWATCH_DATABASE_URL")
    return read_database_url(environ)


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@client_options
def release(yes: bool, url: str, key: str | None) -> None:
    """Send again after a restore. What was sent since the backup may be sent twice, under the same ids."""
    found = ask(url, key, lambda api: api.get("/v1/restore"))
    if found["deliveries"] != "held":
        say("deliveries are not held")
        return
    asked = f"The storage was restored at {found['restored_at']}. Send the {found['waiting']} messages that wait?"
    if not yes and not click.confirm(asked):
        sys.exit(FILE_REFUSED)
    ask(url, key, lambda api: api.request("POST", "/v1/restore/release", {}, repeatable=True))
    say("released")
