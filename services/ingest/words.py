"""The words by which an incident is found: of its place, its parties, its description and its ``external_id``.

Folded alike when they are stored and when they are looked for; a word that is looked for is the beginning of one.
"""

import re
import unicodedata
from typing import Final

from schemas.report import Report
from schemas.text import SILENT

#: Of one incident; and characters of a word.
MAX_WORDS: Final = 2_000
MAX_WORD: Final = 60
#: Before a word that terms withhold from some readers; a letter of nobody's script (private use), which the index takes
#: for part of the word, and nobody's search can hold.
HIDDEN: Final = "\ue000"
#: Words of one search.
MAX_SOUGHT: Final = 20

_WORD: Final = re.compile(r"[^\W_]+")
#: Diacritics of Latin, Greek and Cyrillic, and Arabic vowel signs.
_MARKS: Final = re.compile("[\u0300-\u036f\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed" + "".join(SILENT) + "]")
#: Arabic letters that are written for each other (judgement.md 20), and dotless i.
_FOLDED: Final = str.maketrans(
    {
        "\u0671": "\u0627",
        **dict.fromkeys("\u0649\u06cc\u06d0\u06cd\u06ce", "\u064a"),
        **dict.fromkeys("\u06a9\u06aa", "\u0643"),
        **dict.fromkeys("\u0629\u06c0\u06be\u06c1\u06c2\u06c3\u06d5", "\u0647"),
        "ı": "i",
    }
)


def fold(text: str) -> list[str]:
    """The words of a text.

    >>> fold("Ḥayyān, state-tv No. 7")
    ['hayyan', 'state', 'tv', 'no', '7']
    """
    if text.isascii():
        text = text.lower().replace("'", "").replace("`", "")
    else:
        text = _MARKS.sub("", unicodedata.normalize("NFKD", text).casefold()).translate(_FOLDED)
    return [word[:MAX_WORD] for word in _WORD.findall(text)]


def words_of(report: Report) -> str:
    """The distinct words of a report, a line each; those of a description that its terms withhold are marked HIDDEN."""
    named = (report.location.place, report.external_id, *report.perpetrators, *report.targets)
    said = fold(report.description)
    if report.source.terms is not None:
        said = [HIDDEN + word for word in said]
    found = [word for text in named if text for word in fold(text)]
    return "\n".join(list(dict.fromkeys([*found, *said]))[:MAX_WORDS])


def read_sought(text: str) -> tuple[str, ...]:
    """The words that are looked for. Raises ValueError, saying what is wanted."""
    found = tuple(dict.fromkeys(fold(text)))
    if not found:
        raise ValueError("must hold a letter or a digit")
    if len(found) > MAX_SOUGHT:
        raise ValueError(f"must hold at most {MAX_SOUGHT} words")
    return found
