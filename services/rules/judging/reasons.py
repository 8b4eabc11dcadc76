"""Reasons: a code, the fact that it rests on, a sentence. Source: judgement.md, "Reasons"."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from schemas.assessments import FoundWindow, Reason
from schemas.vocabulary import Language, ReasonCode
from schemas.wording.reasons import Narrator
from services.rules.judging.model import CompiledRegistry

_KEPT: Final = 8_192

#: The values that a fact is made from: all hashable, so that the same reason is made and worded once.
FactValue = str | int | float | bool | None | tuple[str, ...] | FoundWindow


class Reasons:
    """Makes and renders the reasons of one registry version."""

    def __init__(self, registry: CompiledRegistry) -> None:
        self._narrator = Narrator(registry)
        self._made = lru_cache(maxsize=_KEPT)(self._make)
        self._told = lru_cache(maxsize=_KEPT)(self._tell)

    def say(self, code: ReasonCode, **fact: FactValue) -> Reason:
        """The reason, with its English sentence. A ``window`` is given by its ends."""
        return self._made(code, tuple(fact.items()))

    def render(self, reason: Reason, language: Language) -> str:
        """The sentence in any language, from code and fact alone."""
        return self.translate(reason, (language,))[0]

    def translate(self, reason: Reason, languages: tuple[Language, ...]) -> tuple[str, ...]:
        """The sentence in each of the languages."""
        return self._told(reason.code, msgspec.json.encode(reason.fact), languages)

    def _make(self, code: ReasonCode, items: tuple[tuple[str, FactValue], ...]) -> Reason:
        fact = {key: _written(value) for key, value in items}
        return Reason(code, fact, self._narrator.tell(code, fact, "en"))

    def _tell(self, code: ReasonCode, fact: bytes, languages: tuple[Language, ...]) -> tuple[str, ...]:
        return tuple(self._narrator.tell(code, msgspec.json.decode(fact), language) for language in languages)


def render(reason: Reason, language: Language, registry: CompiledRegistry) -> str:
    """One sentence in that language; parties, areas and truces by their names in ``registry``, else by their ids."""
    return Narrator(registry).tell(reason.code, reason.fact, language)


def once(reasons: Sequence[Reason]) -> tuple[Reason, ...]:
    """Without repetitions: two checks may rest on the same fact."""
    return tuple(reason for n, reason in enumerate(reasons) if reason not in reasons[:n])


def _written(value: FactValue) -> Any:
    """As JSON gives it back, so that a stored reason equals the one that was made."""
    if isinstance(value, FoundWindow):
        return {"from": value.start, "to": value.end}
    return list(value) if isinstance(value, tuple) else value
