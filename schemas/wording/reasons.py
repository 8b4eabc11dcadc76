"""Reasons as sentences: from code and fact alone, with parties, areas and truces by their names in the language."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, Protocol

from msgspec.structs import replace

from schemas.assessments import Assessment, Reason
from schemas.instants import parse_instant
from schemas.vocabulary import Language
from schemas.wording.lines import isolate
from schemas.wording.words import Words, words
from schemas.zones import find_zone

#: Names of one thing by language.
Names = Mapping[Language, str]


class Named(Protocol):
    """Something that has names."""

    @property
    def names(self) -> Names: ...


class NameDirectory(Protocol):
    """The names that sentences are told with: those of parties, areas and truces, by id, and the zone of the times."""

    @property
    def parties(self) -> Mapping[str, Named]: ...
    @property
    def areas(self) -> Mapping[str, Named]: ...
    @property
    def truces(self) -> Mapping[str, Named]: ...
    @property
    def timezone(self) -> str: ...


def _by_party(fact: Mapping[str, Any]) -> str:
    return "unresolved" if fact["party"] is None else "known"


#: The variant of a message, by code, where a code says different things.
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
#: The things that a message counts, by key.
_COUNTED: Final[Mapping[str, Callable[[Mapping[str, Any]], int]]] = {
    "reason.aggregate.long": lambda fact: fact["hours"],
    "reason.corroborated": lambda fact: max(1, len(fact["incidents"])),
    "reason.place_unresolved.ambiguous": lambda fact: len(fact["candidates"]),
}


def message_of(code: str, fact: Mapping[str, Any]) -> str:
    """The key of a reason's sentence. Raises KeyError for a fact that lacks what chooses it."""
    return f"reason.{code}.{_VARIANTS[code](fact)}" if code in _VARIANTS else f"reason.{code}"


class Narrator:
    """Tells reasons in the names of one directory."""

    def __init__(self, directory: NameDirectory) -> None:
        self._directory = directory

    def tell(self, code: str, fact: Mapping[str, Any], language: Language) -> str:
        """One sentence. Raises KeyError for an unknown code, or a fact that lacks what its sentence says."""
        say = words(language)
        key = message_of(code, fact)
        values = {name: self._word(name, value, say) for name, value in fact.items()}
        if say.direction == "rtl":
            values = {name: isolate(value) for name, value in values.items()}
        if key in _COUNTED:
            return say.count(key, _COUNTED[key](fact), **values)
        return say.say(key, **values)

    def _word(self, key: str, value: Any, say: Words) -> str:
        """How a fact is written; anything without a form of its own as it stands."""
        if value is None:
            return say.say("unknown_party")
        teller = _TELLERS.get(key)
        return str(value) if teller is None else teller(self._directory, value, say)


def named(names: Names, id: str, language: Language) -> str:
    """The name in that language, else in English, else in any, else the id."""
    return names.get(language) or names.get("en") or next(iter(names.values()), id)


def _find(things: Mapping[str, Named], id: str, say: Words) -> str:
    thing = things.get(id)
    return named(thing.names, id, say.language) if thing else id


def _list(_: NameDirectory, values: list[str], say: Words) -> str:
    return say.list(values) if values else say.say("unknown_party")


def _window(directory: NameDirectory, window: Mapping[str, str | None], say: Words) -> str:
    ends = {side: at for side, at in (("start", window["from"]), ("end", window["to"])) if at is not None}
    told = {side: tell_moment(at, directory.timezone, say.language) for side, at in ends.items()}
    return say.say("window.closed" if "end" in told else "window.open", **told)


_TELLERS: Final[Mapping[str, Callable[[NameDirectory, Any, Words], str]]] = {
    "truce": lambda directory, id, say: _find(directory.truces, id, say),
    "party": lambda directory, id, say: _find(directory.parties, id, say),
    "area": lambda directory, id, say: _find(directory.areas, id, say),
    "parties": lambda directory, ids, say: _list(directory, [_find(directory.parties, id, say) for id in ids], say),
    "areas": lambda directory, ids, say: _list(directory, [_find(directory.areas, id, say) for id in ids], say),
    "excluded": _list,
    "others": _list,
    "perpetrators": _list,
    "targets": _list,
    "window": _window,
    "act": lambda _, act, say: say.name("act", act),
    "verdict": lambda _, verdict, say: say.name("verdict", verdict),
    "certainty": lambda _, level, say: say.name("certainty", level),
    "share": lambda _, share, say: say.percent(share),
    "hours": lambda _, hours, say: say.number(hours),
    "limit": lambda _, hours, say: say.number(hours),
}


@lru_cache(maxsize=8_192)
def tell_moment(at: str, timezone: str, language: Language) -> str:
    """A moment (RFC 3339) as a reader there writes it, with its offset."""
    return words(language).moment_with_offset(parse_instant(at), find_zone(timezone))


def retell(assessment: Assessment, tell: Callable[[Reason, Language], str], language: Language) -> Assessment:
    """The assessment with the sentences of its reasons in that language. It is stored without any; those from before
    that hold the English ones, which stay in English.

    A reason that cannot be told any more, kept from before its fact had all that its sentence says, stays in English.
    """

    def text_of(reason: Reason) -> str:
        return reason.text if language == "en" and reason.text else _try(tell, reason, language)

    return _with_texts(assessment, text_of)


def without_sentences(assessment: Assessment) -> Assessment:
    """The codes and facts, from which :func:`retell` makes the sentences."""
    return _with_texts(assessment, lambda _: "")


def _with_texts(assessment: Assessment, text_of: Callable[[Reason], str]) -> Assessment:
    def worded(reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
        return tuple(replace(reason, text=text_of(reason)) for reason in reasons)

    findings = tuple(replace(finding, reasons=worded(finding.reasons)) for finding in assessment.findings)
    return replace(assessment, reasons=worded(assessment.reasons), findings=findings)


def _try(tell: Callable[[Reason, Language], str], reason: Reason, language: Language) -> str:
    try:
        return tell(reason, language)
    except (KeyError, TypeError, ValueError):
        return reason.text
