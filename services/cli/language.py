"""The language that a command speaks: ``--language``, else that of the terminal."""

import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from schemas.vocabulary import LANGUAGES, Language
from schemas.wording.words import Words, words

T = TypeVar("T")
_KEPT: Final = "trucewatch.language"


def language_option(command: Callable[..., T]) -> Callable[..., T]:
    """``--language``; ``spoken_language`` says what was chosen."""

    def keep(context: click.Context, _parameter: click.Parameter, value: Language | None) -> None:
        context.meta[_KEPT] = value

    return click.option(
        "--language",
        type=click.Choice(LANGUAGES),
        callback=keep,
        expose_value=False,
        help="Of what is printed and answered.  [default: as the locale says]",
    )(command)


def spoken_language() -> Language:
    """The language of the command that runs."""
    context = click.get_current_context(silent=True)
    chosen: Any = None if context is None else context.meta.get(_KEPT)
    return chosen or terminal_language(os.environ)


def spoken_words() -> Words:
    """The catalogue in that language."""
    return words(spoken_language())


def terminal_language(environment: Mapping[str, str]) -> Language:
    """The language of the terminal, as the locale says it (POSIX: LC_ALL, LC_MESSAGES, LANG)."""
    named = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    return next((language for language in LANGUAGES if re.match(rf"{language}(?:[_.@]|$)", named)), "en")
