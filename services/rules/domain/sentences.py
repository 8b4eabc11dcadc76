"""Sentences for reasons in every supported language, from message catalogues; plurals, lists, dates by Babel.

The catalogues (``catalogue/*.po``) ship with the package; their keys are reason codes, with a variant where a code
says different things, and the words of the vocabulary (``act.shelling``).
"""

import gettext
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final

from babel import Locale
from babel.dates import format_datetime
from babel.lists import format_list
from babel.messages.catalog import Message
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent

from schemas.instants import parse_instant, to_datetime
from schemas.vocabulary import Language
from schemas.zones import find_zone
from services.rules.domain.model import Names, Registry

#: First strong isolate and its end: what is put into a right-to-left sentence keeps its own direction.
_ISOLATE: Final = "\u2068{}\u2069"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One language's messages; those with plural forms have several texts."""

    messages: Mapping[str, tuple[str, ...]]
    plural: Callable[[int], int]

    def text(self, key: str, count: int | None = None) -> str:
        """Raises KeyError where there is no such message."""
        texts = self.messages[key]
        return texts[0 if count is None or len(texts) == 1 else self.plural(count)]

    def variant(self, code: str, fact: Mapping[str, Any]) -> str:
        """The key of a code's message: the code, or one of its variants, chosen by the fact."""
        return code if code in self.messages else f"{code}.{_VARIANTS[code](fact)}"


@cache
def catalogue(language: Language) -> Catalogue:
    """The messages that ship with the package."""
    source = files(__package__).joinpath("catalogue", f"{language}.po").read_bytes()
    parsed = read_po(io.BytesIO(source), locale=language, abort_invalid=True)
    messages = {_key(message): _texts(message) for message in parsed if message.id}
    return Catalogue(messages, gettext.c2py(parsed.plural_expr))


def _key(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def _texts(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ())


def _by_party(fact: Mapping[str, Any]) -> str:
    return "unresolved" if fact["party"] is None else "known"


_VARIANTS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "aggregate": lambda fact: fact["cause"],
    "contested_attribution": lambda fact: fact["side"],
    "place_disagreement": lambda fact: fact["by"],
    "place_unresolved": lambda fact: "ambiguous" if fact["candidates"] else "unknown",
    "retracted": lambda fact: "given" if fact["reason"] else "bare",
    "source_grade": lambda fact: "ungraded" if fact["grade"] is None else "graded",
    "umbrella_perpetrator": _by_party,
    "umbrella_target": _by_party,
    "unresolved_party": lambda fact: fact["side"],
}
#: What a message counts, by code.
_COUNTED: Final[Mapping[str, Callable[[Mapping[str, Any]], int]]] = {
    "aggregate": lambda fact: fact.get("hours", 0),
    "corroborated": lambda fact: max(1, len(fact["incidents"])),
    "place_unresolved": lambda fact: len(fact["candidates"]),
}


class Narrator:
    """Tells reasons in the words of one registry: parties, areas and truces by their names in the language."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def tell(self, code: str, fact: Mapping[str, Any], language: Language) -> str:
        """One sentence. Raises KeyError for an unknown code, or a fact that lacks what its sentence says."""
        messages = catalogue(language)
        count = _COUNTED[code](fact) if code in _COUNTED else None
        words = {key: self._word(key, value, language) for key, value in fact.items()}
        if count is not None:
            words["count"] = format_decimal(count, locale=language)
        return messages.text(messages.variant(code, fact), count).format_map(_isolated(words, language))

    def party(self, id: str, language: Language) -> str:
        party = self._registry.parties.get(id)
        return named(party.names, id, language) if party else id

    def area(self, id: str, language: Language) -> str:
        area = self._registry.areas.get(id)
        return named(area.names, id, language) if area else id

    def truce(self, id: str, language: Language) -> str:
        truce = self._registry.truces.get(id)
        return named(truce.names, id, language) if truce else id

    def _word(self, key: str, value: Any, language: Language) -> str:
        """How a fact is written; anything without a form of its own as it stands."""
        if value is None:
            return catalogue(language).text("nobody")
        teller = self._TELLERS.get(key)
        return str(value) if teller is None else teller(self, value, language)

    def _list(self, values: list[str], language: Language) -> str:
        if not values:
            return catalogue(language).text("nobody")
        return format_list(values, locale=language)

    def _parties(self, ids: list[str], language: Language) -> str:
        return self._list([self.party(id, language) for id in ids], language)

    def _areas(self, ids: list[str], language: Language) -> str:
        return self._list([self.area(id, language) for id in ids], language)

    def _window(self, window: Mapping[str, str | None], language: Language) -> str:
        ends = {side: at for side, at in (("start", window["from"]), ("end", window["to"])) if at is not None}
        words = {side: moment(at, self._registry.timezone, language) for side, at in ends.items()}
        return catalogue(language).text("window.closed" if "end" in words else "window.open").format_map(words)

    _TELLERS: Final[Mapping[str, Callable[["Narrator", Any, Language], str]]] = {
        "truce": truce,
        "party": party,
        "area": area,
        "parties": _parties,
        "areas": _areas,
        "excluded": _list,
        "others": _list,
        "perpetrators": _list,
        "targets": _list,
        "window": _window,
        "act": lambda _, act, language: word("act", act, language),
        "certainty": lambda _, level, language: word("certainty", level, language),
        "share": lambda _, share, language: percent(share, language),
        "hours": lambda _, hours, language: format_decimal(hours, locale=language),
        "limit": lambda _, hours, language: format_decimal(hours, locale=language),
    }


def word(kind: str, value: str, language: Language) -> str:
    """A word of the vocabulary: ``word("act", "shelling", "ru")``. Kinds: act, certainty, severity, outcome."""
    return catalogue(language).text(f"{kind}.{value}")


def named(names: Names, id: str, language: Language) -> str:
    """The name in that language, else in English, else in any, else the id."""
    return names.get(language) or names.get("en") or next(iter(names.values()), id)


@lru_cache(maxsize=8_192)
def moment(at: str, timezone: str, language: Language) -> str:
    """A moment (RFC 3339) as a reader there writes it, with its offset."""
    pattern = catalogue(language).text("moment")
    return format_datetime(to_datetime(parse_instant(at)), pattern, tzinfo=find_zone(timezone), locale=language)


def percent(share: float, language: Language) -> str:
    """In the language's own way, with one decimal where there is one."""
    pattern = str(Locale.parse(language).percent_formats[None].pattern).replace("#,##0", "#,##0.#")
    return format_percent(share, pattern, locale=language)


def _isolated(words: Mapping[str, str], language: Language) -> Mapping[str, str]:
    if Locale.parse(language).text_direction == "ltr":
        return words
    return {key: _ISOLATE.format(value) for key, value in words.items()}
