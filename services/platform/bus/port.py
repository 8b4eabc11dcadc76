"""The log as the services see it: publish, consume in a group, tail from the start. Two adapters: embedded, Kafka.

Order holds within a key. Delivery is at least once: consumers are made harmless to repetition by unique keys, and
offsets move last.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas.envelope import Event
from schemas.topics import Topic


@dataclass(frozen=True, slots=True)
class Received:
    """One event as it was read. ``position`` is opaque to all but the adapter that made it."""

    event: Event
    partition: int
    position: int


class Consumer(Protocol):
    """One member of one group on one topic; several members share the work by partition."""

    async def fetch(self, limit: int, wait_s: float) -> Sequence[Received]:
        """Up to ``limit`` events in order, as soon as there is one; none after ``wait_s`` seconds.

        Raises RetryLaterError when the log is away. When it raises, nothing was handed out.
        """
        ...

    async def commit(self, batch: Sequence[Received]) -> None:
        """Everything up to the last of ``batch`` (per partition) is done with. A lost partition is no error."""
        ...

    async def lag(self) -> int:
        """How many events the group has not committed yet, over the partitions that this member knows."""
        ...

    async def close(self) -> None: ...


class PartnerLog(Protocol):
    """The topics that partners produce reports to, on a log that strangers reach: Kafka alone has them."""

    async def partner_consumer(self, topic: str, group: str) -> Consumer:
        """A member of ``group`` on a partner's topic, from the start of it on; the ``.dead`` topic beside it is made
        where there is none. Its events are named after their places, ``topic/partition/offset``. Raises
        RetryLaterError: the log is away, or there is no such topic."""
        ...

    async def publish(self, events: Sequence[Event]) -> None:
        """See :meth:`Bus.publish`."""
        ...


class Bus(Protocol):
    async def publish(self, events: Sequence[Event]) -> None:
        """Put events on the log outside of any transaction. Raises RetryLaterError; they may have landed all the
        same."""
        ...

    async def consumer(self, topic: Topic, group: str) -> Consumer: ...

    async def tail(self, topic: Topic, on_event: Callable[[Event], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """Hand every event of a topic to ``on_event``: first what the log holds, then what comes.

        Returns once the log as it stood at the call has been handed over. What it returns stops the tailing.
        """
        ...

    async def healthy(self) -> bool:
        """Whether the log answers now, within a second."""
        ...

    async def close(self) -> None: ...
