"""Shared by the client commands: where the server is, which key, and how a refusal is told.

Exit codes: 0 all is done; 1 something in a file was refused; 2 the command line is wrong; 3 the server refused the
request or did not answer.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import click
from rich.console import Console
from rich.markup import escape

from services.cli.language import language_option, spoken_language, spoken_words
from services.client import AsyncClient, RefusedError, UnreachableError
from services.platform.failures import RetryLaterError
from services.platform.settings.environment import Environment, SettingsError

T = TypeVar("T")

DEFAULT_URL: Final = "http://127.0.0.1:8000"
_URL_HELP: Final = f"The server.  [env var: TRUCEWATCH_URL; default: {DEFAULT_URL}]"
_KEY_HELP: Final = "API key.  [env var: TRUCEWATCH_KEY, or TRUCEWATCH_KEY_FILE for a file that holds it]"
FILE_REFUSED: Final = 1
SERVER_REFUSED: Final = 3


class WrongSettingError(click.ClickException):
    """A setting cannot be used: one sentence, and the exit code of a wrong command line."""

    exit_code = 2


@contextmanager
def told_in_one_sentence() -> Iterator[None]:
    """End the command with one sentence: exit code 2 for a wrong setting, 1 for what cannot be done now."""
    try:
        yield
    except SettingsError as error:
        raise WrongSettingError(str(error)) from error
    except (RetryLaterError, OSError) as error:
        raise click.ClickException(str(error)) from error


def client_options(command: Callable[..., T]) -> Callable[..., T]:
    """``--url`` and ``--key``, or the environment, or the files that it names; ``--language``."""
    key = click.option("--key", default=lambda: setting("TRUCEWATCH_KEY"), show_default=False, help=_KEY_HELP)
    url = click.option("--url", default=lambda: setting("TRUCEWATCH_URL") or DEFAULT_URL, help=_URL_HELP)
    return url(key(language_option(command)))


def setting(name: str) -> str | None:
    """The environment variable, or what the file that ``NAME_FILE`` names holds."""
    try:
        return Environment(os.environ).get(name)
    except SettingsError as error:
        raise WrongSettingError(str(error)) from error


def say(text: str) -> None:
    """To people who may be piping what is printed: plain text, on standard output."""
    Console(highlight=False, soft_wrap=True).print(text)


def complain(text: str) -> None:
    """On standard error."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(text)


def ask(url: str, key: str | None, job: Callable[[AsyncClient], Coroutine[Any, Any, T]]) -> T:
    """Do ``job`` with a client. A refusal, or no answer, is told in a line or two, and ends the process with 3."""

    async def work() -> T:
        async with AsyncClient(url, key, language=spoken_language()) as api:
            return await job(api)

    try:
        return asyncio.run(work())
    except RefusedError as error:
        complain(f"[red]{spoken_words().say('cli.refused')}:[/] {escape(str(error))}")
        for fault in error.faults:
            complain(f"  {escape(fault.pointer)}: {escape(fault.detail)}")
        if key is None:
            complain(f"  {spoken_words().say('cli.no_key')}")
    except UnreachableError as error:
        complain(f"[red]{spoken_words().say('cli.no_answer')}:[/] {escape(str(error))}")
    sys.exit(SERVER_REFUSED)
