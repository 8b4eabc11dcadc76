"""The events of one transaction, passed on in memory once it has committed."""

from collections import deque
from collections.abc import Iterable
from typing import Final

from schemas.envelope import Event

#: Maximum bytes of event data passed on from one transaction; consumers read earlier events from the table.
PASSED_ON_BYTES: Final = 8 * 1024 * 1024


class CommittedEvents:
    """Numbered events in their order. ``left_out`` holds, by topic, the number of the last that is not among them."""

    def __init__(self) -> None:
        self.events: deque[tuple[int, Event]] = deque()
        self.left_out: dict[str, int] = {}
        self._size = 0

    def add(self, numbered: Iterable[tuple[int, Event]]) -> None:
        for seq, event in numbered:
            self.events.append((seq, event))
            self._size += len(event.data)
        while self._size > PASSED_ON_BYTES:
            seq, event = self.events.popleft()
            self._size -= len(event.data)
            self.left_out[event.topic] = seq
