"""A truce's windows as they are shown: each with its accounts, cut into segments that say where these agree.

Source: judgement.md 13. In a segment the same accounts hold throughout. An area in it is disputed where no window of
the truce has all its accounts cover it, by time or by area.
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from services.rules.judging.footprint import INSIDE
from services.rules.judging.geometry import cut, measure
from services.rules.judging.model import CompiledRegistry, CompiledTruce, Window

Covers = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class WindowSegment:
    """``announcements`` are the accounts that cover all of ``area`` throughout."""

    start: int
    end: int | None
    area: str
    disputed: bool
    announcements: tuple[str, ...]

    def holds(self, instant: int) -> bool:
        return self.start <= instant and (self.end is None or instant < self.end)


class WindowSegments:
    """The segments of one truce's windows; what holds for all of them is computed once."""

    def __init__(self, truce: CompiledTruce, registry: CompiledRegistry) -> None:
        self._covers = coverage_in(registry)
        accounts = [account for window in truce.windows for account in window.accounts]
        ends = {account.end for account in accounts if account.end is not None}
        self._moments = sorted({account.start for account in accounts} | ends)
        #: From each moment on: the areas of every window that has all its accounts hold then.
        self._agreed: list[set[frozenset[str]]] = [set() for _ in self._moments]
        for window in truce.windows:
            areas = frozenset(account.area for account in window.accounts)
            start, end = max(a.start for a in window.accounts), _first_end(window)
            for n in range(bisect_left(self._moments, start), self._before(end)):
                self._agreed[n].add(areas)

    def of(self, window: Window) -> tuple[WindowSegment, ...]:
        """The segments of one window, in order of time, then as its accounts name their areas."""
        first = bisect_left(self._moments, min(a.start for a in window.accounts))
        found: list[WindowSegment] = []
        for n in range(first, self._before(_last_end(window))):
            start, end = self._moments[n], self._moments[n + 1] if n + 1 < len(self._moments) else None
            in_effect = [a for a in window.accounts if a.start <= start and (a.end is None or start < a.end)]
            for area in dict.fromkeys(a.area for a in in_effect):
                agreed = any(all(self._covers(one, area) for one in areas) for areas in self._agreed[n])
                names = tuple(a.announcement for a in in_effect if self._covers(a.area, area))
                _append(found, WindowSegment(start, end, area, not agreed, names))
        return tuple(found)

    def _before(self, end: int | None) -> int:
        """How many moments lie before an end."""
        return len(self._moments) if end is None else bisect_left(self._moments, end)


def _append(found: list[WindowSegment], new: WindowSegment) -> None:
    """Add a segment, or lengthen the one before it that says the same of the same area."""
    for n, old in enumerate(found):
        if old.end == new.start and replace(old, start=new.start, end=new.end) == new:
            found[n] = replace(old, end=new.end)
            return
    found.append(new)


def _first_end(window: Window) -> int | None:
    return min((a.end for a in window.accounts if a.end is not None), default=None)


def _last_end(window: Window) -> int | None:
    ends = [a.end for a in window.accounts]
    return None if None in ends else max(end for end in ends if end is not None)


def coverage_in(registry: CompiledRegistry) -> Covers:
    """Whether one area of the registry covers another."""

    @lru_cache(maxsize=1024)
    def covers(outer: str, inner: str) -> bool:
        if outer == inner:
            return True
        whole = registry.areas[inner].geometry
        part = cut(whole, registry.areas[outer].geometry)
        return measure(part) >= INSIDE * measure(whole)

    return covers
