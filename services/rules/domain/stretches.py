"""A truce's windows told to people: each with its accounts, and in stretches that say where these agree.

Source: rules.md 13. In a stretch the same accounts stand throughout. An area in it is disputed where no window of the
truce has all its accounts cover it, by time or by area.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import shapely

from services.rules.domain.model import Account, Registry, Truce, Window

#: How much of an area must lie in another for it to count as covered (rules.md 16).
_INSIDE: Final = 0.999

Covers = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class Stretch:
    """``announcements`` are the accounts that cover all of ``area`` throughout."""

    start: int
    end: int | None
    area: str
    disputed: bool
    announcements: tuple[str, ...]

    def holds(self, instant: int) -> bool:
        return self.start <= instant and (self.end is None or instant < self.end)


def stretches_of(window: Window, truce: Truce, registry: Registry) -> tuple[Stretch, ...]:
    """The stretches of one window, in order of time, then as its accounts name their areas."""
    covers = _coverage(registry)
    edges = _edges(window, truce)
    found: list[Stretch] = []
    for start, end in zip(edges, [*edges[1:], None], strict=True):
        standing = [a for a in window.accounts if _stands(a, start)]
        for area in dict.fromkeys(a.area for a in standing):
            agreed = any(_agreed(w, start, area, covers) for w in truce.windows)
            names = tuple(a.announcement for a in standing if covers(a.area, area))
            _append(found, Stretch(start, end, area, not agreed, names))
    return tuple(found)


def _append(found: list[Stretch], new: Stretch) -> None:
    """Add a stretch, or lengthen the one before it that says the same of the same area."""
    for n, old in enumerate(found):
        if old.end == new.start and replace(old, start=new.start, end=new.end) == new:
            found[n] = replace(old, end=new.end)
            return
    found.append(new)


def _stands(account: Account, instant: int) -> bool:
    return account.start <= instant and (account.end is None or instant < account.end)


def _agreed(window: Window, instant: int, area: str, covers: Covers) -> bool:
    return all(_stands(a, instant) and covers(a.area, area) for a in window.accounts)


def _edges(window: Window, truce: Truce) -> list[int]:
    """Every moment within the window at which an account of the truce begins or ends, without the window's end."""
    accounts = [a for w in truce.windows for a in w.accounts]
    moments = {a.start for a in accounts} | {a.end for a in accounts if a.end is not None}
    start = min(a.start for a in window.accounts)
    ends = [a.end for a in window.accounts]
    last = None if None in ends else max(end for end in ends if end is not None)
    return sorted(m for m in moments if start <= m and (last is None or m <= last))


def _coverage(registry: Registry) -> Covers:
    @lru_cache(maxsize=1024)
    def covers(outer: str, inner: str) -> bool:
        if outer == inner:
            return True
        whole = registry.areas[inner].geometry
        part = shapely.intersection(whole, registry.areas[outer].geometry)
        return bool(shapely.area(part) >= _INSIDE * shapely.area(whole))

    return covers
