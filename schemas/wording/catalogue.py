"""The gettext catalogue of one language, read from its ``.po`` file: no step of a build is needed, in a wheel neither.

Keys are dotted names (``mail.footer``, ``act.shelling``, ``reason.within_window``); a message that counts has one text
for each plural form of its language.
"""

import gettext
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from babel.messages.catalog import Message
from babel.messages.pofile import read_po

from schemas.vocabulary import LANGUAGES, Language


@dataclass(frozen=True, slots=True)
class Catalogue:
    """``phrases`` are the messages of one form; ``counted`` those that count, a text for each plural form."""

    phrases: Mapping[str, str]
    counted: Mapping[str, tuple[str, ...]]
    plural: Callable[[int], int]

    def count(self, key: str, n: int) -> str:
        """The text for that number. Raises KeyError where no message of that key counts."""
        return self.counted[key][self.plural(n)]


@cache
def read_catalogue(language: Language) -> Catalogue:
    """Raises KeyError for a language that has none."""
    if language not in LANGUAGES:
        raise KeyError(language)
    source = files(__package__).joinpath("languages", f"{language}.po").read_bytes()
    parsed = read_po(io.BytesIO(source), locale=language, abort_invalid=True)
    texts = dict(map(_texts, (message for message in parsed if message.id)))
    return Catalogue(
        phrases={key: text for key, text in texts.items() if isinstance(text, str)},
        counted={key: text for key, text in texts.items() if isinstance(text, tuple)},
        plural=gettext.c2py(parsed.plural_expr),
    )


def _texts(message: Message) -> tuple[str, str | tuple[str, ...]]:
    text = message.string or ""
    key = message.id if isinstance(message.id, str) else message.id[0]
    return key, text if isinstance(text, str) else tuple(text)
