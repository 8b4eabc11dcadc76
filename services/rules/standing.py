"""Which truces are in force now, for the status page."""

from collections.abc import Iterator
from typing import Any

from schemas.instants import format_instant
from services.rules.domain.model import Registry, Truce
from services.rules.domain.stretches import Stretches


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
