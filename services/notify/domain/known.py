"""The ids that the registry has, and what is said of those that it does not have.

Source: the contract, "An id in a filter or a silence that the registry does not have".
"""

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from services.notify.domain.silence import Matcher
from services.notify.domain.subscription import Filter

Kind = Literal["truces", "areas", "parties"]
_KINDS: Final[tuple[Kind, ...]] = ("truces", "areas", "parties")
_KIND_OF: Final[dict[str, Kind]] = {"truce": "truces", "area": "areas", "party": "parties"}
#: Ids for which the nearest one is looked for in one answer, and those that are compared letter by letter for each.
MOST_NEAREST: Final = 20
_COMPARED: Final = 50


@dataclass(frozen=True, slots=True)
class Named:
    """An id that a document names, and where: a JSON pointer."""

    pointer: str
    kind: Kind
    id: str


def named_in_filter(wanted: Filter) -> Iterator[Named]:
    for kind in _KINDS:
        values: tuple[str, ...] = getattr(wanted, kind)
        for position, id in enumerate(values):
            yield Named(f"/filter/{kind}/{position}", kind, id)


def named_in_matchers(matchers: Iterable[Matcher]) -> Iterator[Named]:
    """Expressions name no id."""
    for position, matcher in enumerate(matchers):
        kind = _KIND_OF.get(matcher.name)
        if kind is not None and not matcher.is_regex:
            yield Named(f"/matchers/{position}/value", kind, matcher.value)


@dataclass(slots=True)
class KnownIds:
    """Fed with every change of the registry, in any order and as often as the log repeats it."""

    _versions: dict[tuple[str, str], int] = field(default_factory=dict)
    _ids: dict[str, dict[str, frozenset[str]]] = field(default_factory=lambda: {kind: {} for kind in _KINDS})

    def apply(self, kind: str, id: str, version: int, *, there: bool) -> None:
        """The resource is there, or was deleted, from this version of the registry on."""
        if kind not in self._ids or version < self._versions.get((kind, id), 0):
            return
        self._versions[kind, id] = version
        if there:
            self._ids[kind][id] = _pairs(id)
        else:
            self._ids[kind].pop(id, None)

    @property
    def is_empty(self) -> bool:
        """Nothing of the registry was read yet, or there is none."""
        return not any(self._ids.values())

    def find_unknown(self, named: Iterable[Named]) -> list[Named]:
        return [one for one in named if one.id not in self._ids[one.kind]]

    def nearest(self, kind: Kind, id: str) -> str | None:
        """The id of that kind that is spelt most like ``id``."""
        pairs, known = _pairs(id), dict(self._ids[kind])
        close = sorted(known, key=lambda other: (-_overlap(pairs, known[other]), other))[:_COMPARED]
        folded = id.casefold()
        return max(
            close, key=lambda other: difflib.SequenceMatcher(None, folded, other.casefold()).ratio(), default=None
        )

    def describe(self, unknown: Iterable[Named]) -> list[tuple[str, str]]:
        """(JSON pointer, detail) of each."""
        found = []
        for number, one in enumerate(unknown):
            near = self.nearest(one.kind, one.id) if number < MOST_NEAREST else None
            hint = "" if near is None else f"; the nearest is {near!r}"
            found.append((one.pointer, f"not in the registry{hint}; ?allow_unknown=true takes it all the same"))
        return found


def _pairs(id: str) -> frozenset[str]:
    """The pairs of letters that stand side by side."""
    text = f" {id.casefold()} "
    return frozenset(text[i : i + 2] for i in range(len(text) - 1))


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)
