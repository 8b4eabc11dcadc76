"""Whose turn it is: owners take turns first, then the lanes of each. No owner holds more than its share.

An owner alone may have every place. A quarter on top is for whoever comes next, so that endpoints of one owner that
hang, however many, keep nobody else waiting; from then on the places are divided by the owners with work.
Source: the contract, "Fairness between owners first, between their endpoints second".
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from services.notify.kinds.kind import Job
from services.notify.sending.lane import Lane

#: Of every limit, this part on top is kept for owners below their share.
SPARE: Final = 4


@dataclass(slots=True)
class OwnerQueue:
    """One owner's lanes that may have something to send, and what it holds: attempts under way, of these prompt ones,
    messages in memory."""

    name: str
    ready: deque[Lane] = field(default_factory=deque)
    in_flight: int = 0
    prompt: int = 0
    size: int = 0
    in_turn: bool = False

    @property
    def is_active(self) -> bool:
        return bool(self.ready) or self.in_flight > 0


@dataclass(slots=True)
class FairQueue:
    """``places`` are prompt attempts at once, ``most`` all attempts at once, ``room`` messages in memory."""

    places: int
    most: int
    room: int
    owners: dict[str, OwnerQueue] = field(default_factory=dict)
    in_flight: int = 0
    prompt: int = 0
    size: int = 0
    _queue: deque[OwnerQueue] = field(default_factory=deque)
    _active: set[str] = field(default_factory=set)
    _holding: int = 0

    @property
    def waiting(self) -> bool:
        """Whether any lane may have something to send."""
        return bool(self._queue)

    def owner(self, name: str) -> OwnerQueue:
        found = self.owners.get(name)
        if found is None:
            found = self.owners[name] = OwnerQueue(name)
        return found

    def enlist(self, lane: Lane) -> None:
        """Put a lane into the row of its owner, once."""
        if lane.is_ready:
            return
        lane.is_ready = True
        owner = self.owner(lane.owner)
        owner.ready.append(lane)
        self._active.add(owner.name)
        if not owner.in_turn:
            owner.in_turn = True
            self._queue.append(owner)

    def take(self, now: int) -> tuple[Lane, Job] | None:
        """The next attempt to start, which from now on counts as a prompt one under way; None where none may."""
        for _ in range(len(self._queue)):
            if self.prompt >= self.places + self.places // SPARE or self.in_flight >= self.most + self.most // SPARE:
                return None
            owner = self._queue.popleft()
            owner.in_turn = False
            found = self._next(owner, now) if self._has_share(owner) else None
            if found is not None:
                self._start(owner, found[0])
                if found[0].may_start(now):
                    self.enlist(found[0])
            if owner.ready and not owner.in_turn:
                owner.in_turn = True
                self._queue.append(owner)
            if found is not None:
                return found
            self._tidy(owner)
        return None

    def turn_slow(self, lane: Lane) -> None:
        """An attempt has not been answered promptly: its place is free again."""
        self.owner(lane.owner).prompt -= 1
        self.prompt -= 1
        lane.slow += 1

    def end(self, lane: Lane, *, slow: bool) -> None:
        """An attempt is over."""
        owner = self.owner(lane.owner)
        lane.in_flight -= 1
        owner.in_flight -= 1
        self.in_flight -= 1
        if slow:
            lane.slow -= 1
        else:
            owner.prompt -= 1
            self.prompt -= 1
        self._tidy(owner)

    def hold(self, name: str, count: int) -> None:
        """So many messages of an owner came into memory, or left it."""
        owner = self.owner(name)
        self._holding += (owner.size == 0 and count > 0) - (0 < owner.size == -count)
        owner.size += count
        self.size += count
        self._tidy(owner)

    def is_full(self, name: str) -> bool:
        """Whether an owner may have no more messages in memory."""
        if self.size >= self.room + self.room // SPARE:
            return True
        owner = self.owners.get(name)
        return owner is not None and owner.size >= self.room // max(1, self._holding)

    def _next(self, owner: OwnerQueue, now: int) -> tuple[Lane, Job] | None:
        while owner.ready:
            lane = owner.ready.popleft()
            lane.is_ready = False
            if lane.may_start(now) and (job := lane.next_job()) is not None:
                return lane, job
        return None

    def _has_share(self, owner: OwnerQueue) -> bool:
        count = max(1, len(self._active))
        return owner.prompt < max(1, self.places // count) and owner.in_flight < max(1, self.most // count)

    def _start(self, owner: OwnerQueue, lane: Lane) -> None:
        lane.in_flight += 1
        owner.in_flight += 1
        owner.prompt += 1
        self.in_flight += 1
        self.prompt += 1

    def _tidy(self, owner: OwnerQueue) -> None:
        if owner.is_active:
            return
        self._active.discard(owner.name)
        if not owner.size and not owner.in_turn:
            self.owners.pop(owner.name, None)
