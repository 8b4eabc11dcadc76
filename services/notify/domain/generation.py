"""The generation of the alert log: what tells a position of before a restore from one of now.

A restored backup goes on from where it was made, so its next entries have the numbers of others that readers have seen.
Each restore begins a new generation. A position names the one that it is of; a fork says up to where two are the same.
"""

from dataclasses import dataclass, replace
from typing import Final

#: Forks remembered, the newest: a position of an older generation begins anew.
MOST_FORKS: Final = 100


@dataclass(frozen=True, slots=True)
class Generation:
    """``forks``: for each earlier generation, the last entry that it has in common with this one, the oldest first.
    ``restored_at``: when this one began by a restore, in microseconds UTC. ``held``: nothing is sent until an operator
    says so."""

    id: str
    forks: tuple[tuple[str, int], ...] = ()
    restored_at: int | None = None
    held: bool = False


class PositionLostError(Exception):
    """The log was restored from a backup that does not hold this position; ``begin`` is up to where it does."""

    def __init__(self, begin: int) -> None:
        super().__init__(f"the log is the same up to {begin}")
        self.begin = begin


def fork(before: Generation, fresh: str, last: int, now: int) -> Generation:
    """The generation that a restored log begins whose last entry is ``last``. Deliveries are held."""
    forks = (*before.forks, (before.id, last))[-MOST_FORKS:]
    return replace(before, id=fresh, forks=forks, restored_at=now, held=True)


def resume(generation: Generation, named: str, seq: int, last: int) -> int:
    """Where a reader goes on who has come to ``seq`` of the generation ``named``, in a log whose last entry is
    ``last``. Raises PositionLostError where that would leave a gap."""
    common = last if named == generation.id else dict(generation.forks).get(named, 0)
    if seq > common:
        raise PositionLostError(common)
    return seq
