"""Names of parties and places: normalising, and finding whole names. Source: judgement.md 16, 20."""

import re
import unicodedata
from collections.abc import Container, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Generic, TypeVar

from schemas.text import SILENT, is_invisible, says_something, visible
from services.rules.judging.model import ALWAYS, CompiledParty, Period

T = TypeVar("T")

#: Arabic letters that count without what sits on them: alef and heh.
_BARE: Final = "\u0627\u0647"
#: Without its diaeresis ё is е.
_DIAERESIS: Final = "\u0308"
_CYRILLIC_IE: Final = "\u0435"
_ARABIC_MARKS: Final = frozenset(
    chr(code)
    for first, last in (
        (0x610, 0x61A), (0x64B, 0x652), (0x656, 0x65F), (0x670, 0x670), (0x6D6, 0x6DC), (0x6DF, 0x6E8), (0x6EA, 0x6ED),
        (0x8D3, 0x8FF),
    )
    for code in range(first, last + 1)
)  # fmt: skip
#: Letters that count as one in names: keyboards of Persian, Urdu and Kurdish write yeh, kaf and heh in their own way,
#: strokes are diacritics that Unicode does not decompose, and Turkish capitals lose the difference of i and dotless i.
_FOLDED: Final = str.maketrans(
    {
        "\u0671": "\u0627",  # alef wasla
        **dict.fromkeys("\u0649\u06cc\u06d0\u06cd\u06ce", "\u064a"),  # alef maksura, Farsi yeh and its kin: yeh
        **dict.fromkeys("\u06a9\u06aa", "\u0643"),  # keheh, swash kaf: kaf
        **dict.fromkeys("\u0629\u06c0\u06be\u06c1\u06c2\u06c3\u06d5", "\u0647"),  # teh marbuta, forms of heh: heh
        "ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "ı": "i",
    }
)  # fmt: skip
_DROPPED: Final = SILENT | _ARABIC_MARKS
#: The same of plain ASCII, where nothing is folded but case.
_ASCII_DROPPED: Final = str.maketrans("", "", "".join(letter for letter in _DROPPED if letter.isascii()))
_ASCII_SPACED: Final = {code: " " for code in range(128) if not chr(code).isalnum()}
_HYPHEN: Final = "[-\u2010-\u2015\u2212\ufe63\uff0d]"
_ASSIMILATED: Final = re.compile(rf"(?<!\w)(?:(?:an|ar|as|ash|at|ad|az){_HYPHEN}+)+(?=\w)")
_ARTICLES: Final = frozenset({"the", "al", "el"})
_ARABIC_ARTICLE: Final = "ال"


@lru_cache(maxsize=8_192)
def normalise(name: str) -> str:
    """The form in which names are compared; normalising it again changes nothing. Empty where nothing is left.

    >>> normalise("Hay’at Taḥrīr ash-Shām")
    'hayat tahrir sham'
    """
    if name.isascii():  # as most reported names are: a tenth of the work
        spaced = _ASSIMILATED.sub("", name.translate(_ASCII_DROPPED).lower()).translate(_ASCII_SPACED)
    else:
        spaced = "".join(map(_spaced, _ASSIMILATED.sub("", _folded(name))))
    words = (_without_arabic_article(word) for word in spaced.split())
    return " ".join(word for word in words if word not in _ARTICLES and (word.isascii() or any(map(str.isalnum, word))))


def _folded(name: str) -> str:
    """Lower case, without apostrophes and what nobody sees, Latin diacritics, Arabic vowel signs, tatweel and what sits
    on an alif. Marks of other letters are parts of them (й, ئ).

    Apostrophes go first, not only after the articles: one may stand before an article, or between a letter and a mark.
    """
    bare = "".join(letter for letter in name if not _is_dropped(letter))
    kept: list[str] = []
    on_bare_letter = False
    for letter in unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", bare).casefold()).translate(_FOLDED):
        if _is_dropped(letter):
            continue
        if not unicodedata.combining(letter):
            on_bare_letter = letter in _BARE or "LATIN" in unicodedata.name(letter, "")
        elif on_bare_letter or (letter == _DIAERESIS and kept[-1:] == [_CYRILLIC_IE]):
            continue
        kept.append(_digit(letter))
    return unicodedata.normalize("NFC", "".join(kept))


def _digit(letter: str) -> str:
    """Decimal digits of any script as 0 to 9; every other letter as it is."""
    return letter if letter.isascii() or not letter.isdecimal() else str(unicodedata.decimal(letter))


def _is_dropped(letter: str) -> bool:
    return letter in _DROPPED or is_invisible(letter)


def _spaced(letter: str) -> str:
    """Letters, digits and their marks stay; anything else parts words."""
    return letter if unicodedata.category(letter)[0] in "LNM" else " "


def _without_arabic_article(word: str) -> str:
    while word.startswith(_ARABIC_ARTICLE) and sum(map(str.isalpha, word[len(_ARABIC_ARTICLE) :])) >= 2:
        word = word[len(_ARABIC_ARTICLE) :]
    return word


def names_nobody(name: str) -> bool:
    """Whether a name that resolves to no party says that nobody is known: one of the words for it alone, or as the
    first or last word of a longer name. Nor does a name without a letter or digit name anyone.

    >>> names_nobody("Unidentified Armed Group (Syria)")
    True
    """
    words = tuple(normalise(name).split())
    if not words:
        return not says_something(name)
    return any(words[: len(said)] == said or words[-len(said) :] == said for said in _NOBODY)


@dataclass(frozen=True, slots=True)
class NameIndex(Generic[T]):
    """Whole normalised names, each with what it may mean."""

    entries: dict[str, tuple[T, ...]]

    @staticmethod
    def of(named: Iterable[tuple[str, T]]) -> "NameIndex[T]":
        """Names that normalise to nothing mean nothing; the same thing twice under one name counts once."""
        entries: dict[str, dict[T, None]] = {}
        for name, thing in named:
            if key := normalise(name):
                entries.setdefault(key, {})[thing] = None
        return NameIndex({key: tuple(things) for key, things in entries.items()})

    def find(self, name: str) -> tuple[T, ...]:
        """Everything of that name, in the registry's order."""
        return self.entries.get(normalise(name), ())


_NOBODY: Final = tuple(
    tuple(normalise(said).split())
    for said in (
        "unknown", "unidentified", "not known", "unattributed", "n/a", "none", "null", "nan", "مجهول", "مجهولون",
        "غير معروف", "неизвестно", "неизвестный", "неизвестные",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PartyName:
    """A party under one of its names, which was in use during ``period``."""

    party: str
    period: Period = ALWAYS


def index_parties(parties: Iterable[CompiledParty]) -> NameIndex[PartyName]:
    """Every name and alias of every party, in every language."""
    return NameIndex.of(
        (name, PartyName(party.id, period))
        for party in parties
        for name, period in (
            *((name, ALWAYS) for name in party.names.values()),
            *((alias.name, alias.period) for alias in party.aliases),
        )
    )


@dataclass(frozen=True, slots=True)
class Match:
    """The party that a reported name means (None: nobody, or no single one), and whether the name was then in use."""

    party: str | None
    in_period: bool = True


def find_party(reported: str, at: int, ids: Container[str], index: NameIndex[PartyName]) -> Match:
    """An id, as it is seen; else a whole name. Where two parties share a name, the one that bore it at ``at``."""
    id = visible(reported)
    if id in ids:
        return Match(id)
    found = index.find(reported)
    then = {name.party for name in found if name.period.holds(at)}
    if len(then) == 1:
        return Match(then.pop())
    ever = {name.party for name in found}
    if len(ever) == 1 and not then:
        return Match(ever.pop(), in_period=False)
    return Match(None)
