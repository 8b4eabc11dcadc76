"""The names that are written most like a given one."""

import difflib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from services.rules.judging.names import normalise

#: Names that are compared letter by letter, of those that share most pairs of letters with the given one.
_COMPARED: Final = 50
_KEPT: Final = 1_024


@dataclass(frozen=True, slots=True)
class NearName:
    """The id of what bears the name, and how alike the names are, 0 to 1; 1 is the same name."""

    id: str
    score: float


class NearestNames:
    """An index over names, each with the id of what bears it; one may have several."""

    def __init__(self, named: Iterable[tuple[str, str]]) -> None:
        """``named``: (id, name)."""
        self._named = sorted({(id, said) for id, name in named if (said := normalise(name))})
        self._by_pair = defaultdict[str, list[int]](list)
        for number, (_, said) in enumerate(self._named):
            for pair in _pairs(said):
                self._by_pair[pair].append(number)
        self.find = lru_cache(maxsize=_KEPT)(self._find)

    def _find(self, name: str, limit: int) -> tuple[NearName, ...]:
        """Up to ``limit`` ids, the most alike first."""
        said = normalise(name)
        pairs = _pairs(said)
        shared = Counter(number for pair in pairs for number in self._by_pair.get(pair, ()))
        close = sorted(shared, key=lambda n: (-shared[n] / (len(pairs) + len(self._named[n][1])), n))[:_COMPARED]
        scores: dict[str, float] = {}
        for number in close:
            id, other = self._named[number]
            score = round(difflib.SequenceMatcher(None, said, other, autojunk=False).ratio(), 2)
            scores[id] = max(score, scores.get(id, 0.0))
        best = sorted(scores, key=lambda id: (-scores[id], id))[:limit]
        return tuple(NearName(id, scores[id]) for id in best)


def _pairs(said: str) -> frozenset[str]:
    """The pairs of letters that stand side by side."""
    text = f" {said} "
    return frozenset(text[i : i + 2] for i in range(len(text) - 1))
