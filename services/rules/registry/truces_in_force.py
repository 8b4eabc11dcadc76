"""Which truces are in force now, for the status page.

Working it out takes a while in a large registry, and the status is asked for every second: it is worked out off the
event loop, and anew only where the registry or a moment at which a window begins or ends has passed.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.instants import format_instant
from services.rules.judging.model import CompiledRegistry, CompiledTruce
from services.rules.registry.domain.segments import WindowSegments

#: With so few announcements the answer is computed whenever it is asked for.
_SMALL: Final = 100
PERIOD_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class _InForceAnswer:
    """The answer at one moment: ``moments`` are all at which it changes, ``until`` the next of them."""

    registry: CompiledRegistry | None = None
    moments: Sequence[int] = ()
    until: int | None = None
    answer: Mapping[str, Any] = field(default_factory=lambda: {"in_force": [], "ending_next": []})


class TrucesInForce:
    """The answer of :func:`truces_now`, kept until it changes. ``registry`` gives the current one."""

    def __init__(self, registry: Callable[[], CompiledRegistry], now: Callable[[], int]) -> None:
        self._registry, self._now = registry, now
        self._seen = _InForceAnswer()

    def answer(self) -> Mapping[str, Any]:
        """The truces in force: as they are now in a small registry, in a large one at most a second late."""
        if self._is_stale() and _accounts_in(self._registry()) <= _SMALL:
            self._seen = self._compute(self._registry(), self._now())
        return self._seen.answer

    async def refresh(self) -> None:
        """Compute the answer off the event loop, where it may have changed."""
        if self._is_stale():
            self._seen = await asyncio.to_thread(self._compute, self._registry(), self._now())

    def _is_stale(self) -> bool:
        seen = self._seen
        return seen.registry is not self._registry() or (seen.until is not None and seen.until <= self._now())

    def _compute(self, registry: CompiledRegistry, now: int) -> _InForceAnswer:
        moments = self._seen.moments if registry is self._seen.registry else _moments_of(registry)
        after = bisect_right(moments, now)
        return _InForceAnswer(
            registry, moments, moments[after] if after < len(moments) else None, truces_now(registry, now)
        )


def _accounts_in(registry: CompiledRegistry) -> int:
    return sum(len(window.accounts) for truce in registry.truces.values() for window in truce.windows)


def _moments_of(registry: CompiledRegistry) -> list[int]:
    """Every moment at which an account begins or ends."""
    accounts = [a for truce in registry.truces.values() for window in truce.windows for a in window.accounts]
    return sorted({a.start for a in accounts} | {a.end for a in accounts if a.end is not None})


def truces_now(registry: CompiledRegistry, now: int) -> dict[str, list[dict[str, Any]]]:
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


def _held(truce: CompiledTruce, registry: CompiledRegistry, now: int) -> Iterator[tuple[int, int | None, bool]]:
    """The stretch around ``now`` that the truce's windows cover, at most one; disputed if no part of it is agreed."""
    windows = [w for w in truce.windows if any(a.start <= now and (a.end is None or now < a.end) for a in w.accounts)]
    if windows:
        stretches = WindowSegments(truce, registry)
        parts = [part for window in windows for part in stretches.of(window) if part.holds(now)]
        ends = [part.end for part in parts]
        end = None if None in ends else max(end for end in ends if end is not None)
        yield min(part.start for part in parts), end, all(part.disputed for part in parts)
