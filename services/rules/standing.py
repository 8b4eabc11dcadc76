"""Which truces are in force now, for the status page.

Working it out takes a while in a large registry, and the status is asked for every second: it is worked out off the
event loop, and anew only where the registry or a moment at which a window begins or ends has passed.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.instants import format_instant
from services.rules.domain.model import Registry, Truce
from services.rules.domain.stretches import Stretches

#: A registry with so few announcements is looked at whenever it is asked for.
_SMALL: Final = 100
_PERIOD_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at a registry: ``moments`` are all at which it changes, ``until`` the next of them."""

    registry: Registry | None = None
    moments: Sequence[int] = ()
    until: int | None = None
    told: Mapping[str, Any] = field(default_factory=lambda: {"in_force": [], "ending_next": []})


class TrucesInForce:
    """The answer of :func:`truces_now`, kept until it changes. ``registry`` gives the one that stands."""

    def __init__(self, registry: Callable[[], Registry], now: Callable[[], int]) -> None:
        self._registry, self._now = registry, now
        self._seen = _Look()

    def tell(self) -> Mapping[str, Any]:
        """The truces in force: as they are now in a small registry, in a large one at most a second late."""
        if self._is_stale() and _accounts_in(self._registry()) <= _SMALL:
            self._seen = self._look(self._registry(), self._now())
        return self._seen.told

    async def refresh(self) -> None:
        """Look off the event loop, where there is anything new to see."""
        if self._is_stale():
            self._seen = await asyncio.to_thread(self._look, self._registry(), self._now())

    async def run(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        while True:
            await self.refresh()
            await sleep(_PERIOD_S)

    def _is_stale(self) -> bool:
        seen = self._seen
        return seen.registry is not self._registry() or (seen.until is not None and seen.until <= self._now())

    def _look(self, registry: Registry, now: int) -> _Look:
        moments = self._seen.moments if registry is self._seen.registry else _moments_of(registry)
        after = bisect_right(moments, now)
        return _Look(registry, moments, moments[after] if after < len(moments) else None, truces_now(registry, now))


def _accounts_in(registry: Registry) -> int:
    return sum(len(window.accounts) for truce in registry.truces.values() for window in truce.windows)


def _moments_of(registry: Registry) -> list[int]:
    """Every moment at which an account begins or ends."""
    accounts = [a for truce in registry.truces.values() for window in truce.windows for a in window.accounts]
    return sorted({a.start for a in accounts} | {a.end for a in accounts if a.end is not None})


def truces_now(registry: Registry, now: int) -> dict[str, list[dict[str, Any]]]:
    """``in_force``: the truces of which some window holds at ``now``, by their end; ``ending_next``: those with one."""
    in_force = [
        {
            "id": truce.id,
            "name": truce.names,
            "from": format_instant(start),
            "to": None if end is None else format_instant(end),
            "disputed": disputed,
            "timezone": registry.timezone,
        }
        for truce in registry.truces.values()
        for start, end, disputed in _held(truce, registry, now)
    ]
    in_force.sort(key=lambda told: (told["to"] is None, told["to"], told["id"]))
    return {"in_force": in_force, "ending_next": [told for told in in_force if told["to"] is not None]}


def _held(truce: Truce, registry: Registry, now: int) -> Iterator[tuple[int, int | None, bool]]:
    """The stretch around ``now`` that the truce's windows cover, at most one; disputed if no part of it is agreed."""
    windows = [w for w in truce.windows if any(a.start <= now and (a.end is None or now < a.end) for a in w.accounts)]
    if windows:
        stretches = Stretches(truce, registry)
        parts = [part for window in windows for part in stretches.of(window) if part.holds(now)]
        ends = [part.end for part in parts]
        end = None if None in ends else max(end for end in ends if end is not None)
        yield min(part.start for part in parts), end, all(part.disputed for part in parts)
