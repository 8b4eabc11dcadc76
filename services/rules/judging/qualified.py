"""Reported names without what sources add to them: a group in brackets, a second name after a slash.

Source: judgement.md 20.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Final, Protocol

from babel import Locale

from schemas.text import visible
from schemas.vocabulary import LANGUAGES
from services.rules.judging.names import Match, normalise

_GROUP: Final = re.compile(r"(.*\S)\s*(?:\(([^()\[\]]*)\)|\[([^()\[\]]*)\])", re.DOTALL)
_YEARS: Final = re.compile(r"\d{4}(?: \d{4})*", re.ASCII)
#: CLDR territories that are no countries: groups of states, the unknown, what only tests use.
_NO_COUNTRIES: Final = frozenset({"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"})
#: Names that CLDR has beside the first one, which Babel leaves out.
_OTHER_COUNTRY_NAMES: Final = (
    "Turkey", "US", "UK", "Bosnia", "Burma", "Congo (DRC)", "Congo (Republic)", "Czech Republic", "Cape Verde",
    "East Timor", "Hong Kong", "Ivory Coast", "Macao", "Palestine", "Swaziland", "فلسطين", "Палестина", "США",
)  # fmt: skip


class NameLookup(Protocol):
    """Names of a registry at a moment."""

    def match(self, name: str, at: int) -> Match:
        """The party of that whole name."""

    def may_mean(self, name: str, party: str) -> bool:
        """Whether the name is one of that party's, at any time."""

    def is_place(self, name: str) -> bool:
        """Whether an area or a place bears the name."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """The party that a reported name means, and ``left``, what of the name it was found by, or not found by."""

    match: Match
    left: str

    def is_qualified(self, reported: str) -> bool:
        """Whether the party was found only without what the source added."""
        return self.match.party is not None and self.left != reported


def resolve(reported: str, at: int, names: NameLookup) -> Resolution:
    """The whole name; else without a trailing group in brackets; else, of what is left, the one party that all names
    joined by slashes mean. Brackets that hold anything unforeseen stay part of the name."""
    whole = names.match(reported, at)
    if whole.party is not None:
        return Resolution(whole, reported)
    split = _split_group(reported)
    if split is None:
        return _resolve_joined(reported, at, names)
    base, group = split
    found = names.match(base, at)
    rest = Resolution(found, base) if found.party is not None else _resolve_joined(base, at, names)
    party = rest.match.party
    if _adds_nothing(group, names) or (party is not None and names.may_mean(group, party)):
        return rest
    return Resolution(Match(None), reported)


def parts_of(reported: str) -> list[str]:
    """Every part of a reported name that :func:`resolve` may look up."""
    split = _split_group(reported)
    names = [reported] if split is None else [reported, split[0]]
    joined = [part.strip() for name in names if "/" in name for part in name.split("/")]
    return [*names, *joined, *([] if split is None else [split[1]])]


def _resolve_joined(name: str, at: int, names: NameLookup) -> Resolution:
    parts = [part.strip() for part in name.split("/")]
    if len(parts) < 2:
        return Resolution(Match(None), name)
    matches = [names.match(part, at) for part in parts]
    if len({match.party for match in matches}) > 1 or matches[0].party is None:
        return Resolution(Match(None), name)
    return Resolution(Match(matches[0].party, all(match.in_period for match in matches)), parts[0])


def _split_group(name: str) -> tuple[str, str] | None:
    """The name before a trailing group in brackets, and the content of the group. Brackets of any width, with marks
    of direction around them."""
    match = _GROUP.fullmatch(visible(name))
    return None if match is None else (match[1], match[2] if match[2] is not None else match[3])


def _adds_nothing(group: str, names: NameLookup) -> bool:
    """Whether a group in brackets holds only years, a country, an area or a place."""
    said = normalise(group)
    return _YEARS.fullmatch(said) is not None or said in _countries() or names.is_place(group)


@cache
def _countries() -> frozenset[str]:
    """Normalised names of the countries in every supported language, by CLDR."""
    named = (
        name
        for language in LANGUAGES
        for code, name in Locale.parse(language).territories.items()
        if len(code) == 2 and code not in _NO_COUNTRIES
    )
    return frozenset(filter(None, map(normalise, (*named, *_OTHER_COUNTRY_NAMES))))
