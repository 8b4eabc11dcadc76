"""Alerts as server-sent events: the id of each is the cursor, so a reader that comes back misses nothing."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, Protocol

import msgspec

from services.notify.render.json import Data
from services.notify.use_cases.take_alerts import Logged

#: Streams that one process serves at once, to all and to one owner.
MOST_STREAMS: Final = 500
#: Entries read at once; how often the log is looked at for what other processes appended; how often a quiet stream
#: says that it lives, in looks.
PAGE: Final = 200
LOOK_S: Final = 1.0
ALIVE_EVERY: Final = 15


class EntriesAfter(Protocol):
    async def after(self, seq: int, limit: int) -> Sequence[Logged]: ...


class TooManyStreamsError(Exception):
    """``own``: the owner has as many as one may have; else the process serves as many as it can."""

    def __init__(self, *, own: bool) -> None:
        super().__init__("of one owner" if own else "of all")
        self.own = own


class Tail:
    """Wakes every stream of this process when the log grew, and counts the streams of each owner."""

    def __init__(self, most_of_owner: int) -> None:
        self.most_of_owner = most_of_owner
        self._grown = asyncio.Event()
        self._open: Counter[str] = Counter()
        self.closed = False

    @property
    def streams(self) -> int:
        """How many are open, or about to be."""
        return self._open.total()

    def enter(self, owner: str) -> None:
        """Count one more stream, before it is accepted. Raises TooManyStreamsError."""
        if self._open[owner] >= self.most_of_owner:
            raise TooManyStreamsError(own=True)
        if self.streams >= MOST_STREAMS:
            raise TooManyStreamsError(own=False)
        self._open[owner] += 1

    def leave(self, owner: str) -> None:
        """One that was counted has ended."""
        self._open[owner] -= 1
        if self._open[owner] <= 0:
            del self._open[owner]

    def wake(self) -> None:
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    def close(self) -> None:
        """End every stream."""
        self.closed = True
        self.wake()

    def mark(self) -> asyncio.Event:
        """Set when the log next grows. Taken before the log is read, so that nothing falls between."""
        return self._grown


async def follow(
    tail: Tail,
    log: EntriesAfter,
    seq: int,
    view: Callable[[Logged], Data],
    cursor: Callable[[int], str],
    allowed: Callable[[], Awaitable[bool]],
) -> AsyncIterator[bytes]:
    """The stream from after ``seq`` on, until the reader is no longer ``allowed``: asked before every page, hence at
    least once in ``LOOK_S``. A comment now and then, so that a dead connection shows."""
    # A reader that is cut off before its first event resumes from here, too.
    yield b"retry: 2000\nid: %b\n\n" % cursor(seq).encode()
    idle = 0
    while not tail.closed:
        grown = tail.mark()
        found = await log.after(seq, PAGE)
        if not await allowed():
            return
        for entry in found:
            yield format_event(cursor(entry.seq), entry, view(entry))
            seq, idle = entry.seq, 0
        if not found and not await _wait(grown):
            idle += 1
            if idle % ALIVE_EVERY == 0:
                yield b": alive\n\n"


async def _wait(grown: asyncio.Event) -> bool:
    try:
        async with asyncio.timeout(LOOK_S):
            await grown.wait()
    except TimeoutError:
        return False
    return True


def format_event(cursor: str, entry: Logged, data: Data) -> bytes:
    """One event. JSON has no line breaks of its own, so it is one line of data."""
    return b"id: %b\nevent: alert.%b\ndata: %b\n\n" % (
        cursor.encode(),
        entry.alert.status.encode(),
        msgspec.json.encode(data),
    )
