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
class NamedId:
    """An id that a document names, and where: a JSON pointer."""

    pointer: str
    kind: Kind
    id: str


@dataclass(frozen=True, slots=True)
class RemovedId:
    """An id that the registry had, and the instant at which a change took it away."""

    named: NamedId
    version: int
    at: int


def named_in_filter(wanted: Filter) -> Iterator[NamedId]:
    for kind in _KINDS:
        values: tuple[str, ...] = getattr(wanted, kind)
        for position, id in enumerate(values):
            yield NamedId(f"/filter/{kind}/{position}", kind, id)


def named_in_matchers(matchers: Iterable[Matcher]) -> Iterator[NamedId]:
    """Expressions name no id."""
    for position, matcher in enumerate(matchers):
        kind = _KIND_OF.get(matcher.name)
        if kind is not None and not matcher.is_regex:
            yield NamedId(f"/matchers/{position}/value", kind, matcher.value)


@dataclass(slots=True)
class KnownIds:
    """Fed with every change of the registry, in any order and as often as the log repeats it."""

    _versions: dict[tuple[str, str], int] = field(default_factory=dict)
    _ids: dict[str, dict[str, frozenset[str]]] = field(default_factory=lambda: {kind: {} for kind in _KINDS})
    _removed_at: dict[tuple[str, str], int] = field(default_factory=dict)

    def apply(self, kind: str, id: str, version: int, *, there: bool, at: int = 0) -> None:
        """The resource is there, or was deleted, from this version of the registry on, recorded ``at`` an instant."""
        if kind not in self._ids or version < self._versions.get((kind, id), 0):
            return
        self._versions[kind, id] = version
        if there:
            self._ids[kind][id] = _pairs(id)
            self._removed_at.pop((kind, id), None)
        else:
            self._ids[kind].pop(id, None)
            self._removed_at[kind, id] = at

    def find_removed(self, named: Iterable[NamedId], since: int) -> list[RemovedId]:
        """Those that a change after ``since`` took away. An id that never was there is none of them."""
        if not self._removed_at:
            return []
        return [
            RemovedId(one, self._versions[one.kind, one.id], at)
            for one in named
            if (at := self._removed_at.get((one.kind, one.id))) is not None and at > since
        ]

    @property
    def is_empty(self) -> bool:
        """Nothing of the registry was read yet, or there is none."""
        return not any(self._ids.values())

    def find_unknown(self, named: Iterable[NamedId]) -> list[NamedId]:
        return [one for one in named if one.id not in self._ids[one.kind]]

    def nearest(self, kind: Kind, id: str) -> str | None:
        """The id of that kind that is spelt most like ``id``."""
        pairs, known = _pairs(id), dict(self._ids[kind])
        close = sorted(known, key=lambda other: (-_overlap(pairs, known[other]), other))[:_COMPARED]
        folded = id.casefold()
        return max(
            close, key=lambda other: difflib.SequenceMatcher(None, folded, other.casefold()).ratio(), default=None
        )

    def describe(self, unknown: Iterable[NamedId]) -> list[tuple[str, str]]:
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
