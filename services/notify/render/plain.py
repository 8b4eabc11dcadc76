"""The name of a subscription, as a stranger may read it."""

import re
from typing import Final

from schemas.wording.lines import clean

#: Characters of a subscription's name that a confirmation shows.
NAME_LENGTH: Final = 80
#: A point or a slash within a word, "@" and ":" make mail readers see an address.
_LINK_MARKS: Final = re.compile(r"(?<=\S)[./\\\u3002\uff0e\uff61](?=\S)|[@:\uff20\uff1a]|//+")


def plain_name(name: str) -> str:
    """A subscription's name for a mail to a stranger: short, and without anything that looks like a URL or an
    address."""
    words_only = _LINK_MARKS.sub(" ", clean(name)).split()
    text = " ".join(words_only)
    return text if len(text) <= NAME_LENGTH else f"{text[: NAME_LENGTH - 1]}…"
