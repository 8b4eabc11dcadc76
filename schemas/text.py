"""The visible part of a text. Source: judgement.md 20.

One notion of the invisible for every text that is compared: names of parties, areas and places, ids in their stead.
"""

import unicodedata
from typing import Final

_APOSTROPHES: Final = frozenset("'’‘‛`´′ʹʻʼʽʾʿˈ＇")
_TATWEEL: Final = "\u0640"
#: Letters and marks that nobody sees (Default_Ignorable_Code_Point), beside those of category Cf.
_IGNORABLE: Final = frozenset(
    chr(code)
    for first, last in (
        (0x34F, 0x34F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x3164, 0x3164), (0xFE00, 0xFE0F),
        (0xFFA0, 0xFFA0), (0xE0100, 0xE01EF),
    )
    for code in range(first, last + 1)
)  # fmt: skip
#: An acute accent alone is read as an apostrophe; NFKC would part the word there.
_ACUTE: Final = {0xB4: "'"}
#: Used beside letters and means nothing by itself, though some of it counts as a letter.
SILENT: Final = _APOSTROPHES | {_TATWEEL}

#: Why a name is refused.
NO_NAME: Final = "must hold a letter or a digit"


def is_invisible(letter: str) -> bool:
    """Zero width, directional, a selector of forms or a filler."""
    return letter in _IGNORABLE or unicodedata.category(letter) == "Cf"


def visible(text: str) -> str:
    """The text in NFKC without what nobody sees, and without space around it."""
    if text.isascii():
        return text.strip()
    return unicodedata.normalize("NFKC", "".join(c for c in text.translate(_ACUTE) if not is_invisible(c))).strip()


def says_something(text: str) -> bool:
    """Whether a letter or a digit can be seen in it.

    >>> says_something("-"), says_something("7")
    (False, True)
    """
    return any(unicodedata.category(c)[0] in "LN" for c in text if c not in SILENT and not is_invisible(c))
