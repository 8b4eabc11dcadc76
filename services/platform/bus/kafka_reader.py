"""Reading from Kafka: a group member, or a reader on its own, that notices when it is stuck and starts over.

aiokafka says nothing when the broker is away or when its fetcher has lost its way after a broker came back: it returns
no records. So a reader that gets nothing for a while compares its position with the end of the log.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, RebalanceInProgressError

from schemas.envelope import Event
from schemas.topics import Topic
from services.platform.bus.kafka_endings import AWAY, asking, end_consumer, start
from services.platform.bus.kafka_records import Record, event_of
from services.platform.bus.port import Received
from services.platform.failures import RetryLaterError
from services.platform.settings.kafka_security import OPEN, KafkaSecurity

log = logging.getLogger(__name__)

#: Bounds on what aiokafka does without one, in seconds.
OPEN_S: Final = 20.0
ASK_S: Final = 4.0
#: Silence after which a reader asks where the log ends; standing still twice while behind means stuck.
SILENCE_S: Final = 5.0
#: A client that gets no answer so often, one after another, may never get one again, although the broker is back:
#: aiokafka's task that refreshes its metadata ends at an error that it did not foresee, and everything waits for it.
MAX_UNANSWERED: Final = 2

#: A member that does not come back for its next batch within this time is left out, and another takes its partitions.
MAX_PAUSE_MS: Final = 60_000

Offsets = dict[TopicPartition, int]


class KafkaReader:
    """One reader of one topic. With ``group``, one member of it; without, it reads every partition from the start."""

    def __init__(
        self,
        bootstrap: str,
        topic: Topic,
        group: str | None,
        security: KafkaSecurity = OPEN,
        *,
        silence_s: float = SILENCE_S,
        read: Callable[[Record], Event] = event_of,
    ) -> None:
        self._bootstrap = bootstrap
        self._security = security
        self._topic = topic.name
        self._group = group
        self._silence_s = silence_s
        self._read = read
        self._inner: AIOKafkaConsumer | None = None
        self._next: Offsets = {}
        self._committed: Offsets = {}
        self._stood_at: Offsets | None = None
        self._quiet_since = 0.0
        self._unanswered = 0
        self.restarts = 0

    async def fetch(self, limit: int, wait_s: float) -> Sequence[Received]:
        """See :class:`Consumer`. A stuck reader starts over and raises RetryLaterError, for its owner to know."""
        inner = await self._opened()
        try:
            async with asking(None):
                found = await inner.getmany(timeout_ms=int(wait_s * 1000), max_records=limit)
        except AWAY as error:
            await self._abandon()
            raise RetryLaterError(f"kafka: reading {self._topic}: {error!r}") from error
        except Exception:
            # An error that aiokafka did not foresee has ended one of its tasks: it would raise the same for ever.
            await self._abandon()
            raise
        if found:
            return self._received(found)
        if asyncio.get_running_loop().time() - self._quiet_since >= self._silence_s:
            await self._look_around(inner)
        return []

    async def commit(self, batch: Sequence[Received]) -> None:
        """See :class:`Consumer`. Raises RetryLaterError when the broker does not answer in time; the second time, the
        reader starts over."""
        inner = self._inner
        if not batch or inner is None:
            return
        mine = inner.assignment()
        last = {TopicPartition(self._topic, r.partition): r.position + 1 for r in batch}
        offsets = {tp: offset for tp, offset in last.items() if tp in mine}
        if not offsets:
            # All of it went to other members while it was being handled, and aiokafka takes no empty commit.
            log.info("%s: the group moved on before the commit", self._topic)
            return
        try:
            await self._counted(inner.commit(offsets))
        except (CommitFailedError, IllegalStateError, RebalanceInProgressError) as error:
            # Another member has these partitions now and will repeat the batch, which is harmless.
            log.info("%s: the group moved on before the commit: %r", self._topic, error)
            return
        self._committed.update(offsets)

    async def lag(self) -> int:
        """See :class:`Consumer`. Raises RetryLaterError, also before the first fetch: only a fetch joins the group.

        The lag is asked for by another task than the fetch; if both could open the reader, there would be two members.
        """
        inner = self._inner
        if inner is None:
            raise RetryLaterError(f"kafka: {self._topic} is not being read yet")
        mine = inner.assignment()
        try:
            ends = await self._asked(inner.end_offsets(mine))
            done = {tp: await self._done_with(inner, tp) for tp in mine}
        except IllegalStateError as error:
            raise RetryLaterError(f"kafka: the group of {self._topic} is moving on: {error!r}") from error
        return sum(max(0, ends[tp] - done[tp]) for tp in mine)

    async def close(self) -> None:
        """Leave the group, if Kafka lets us in time."""
        await self._abandon()

    async def ends(self) -> Offsets:
        """Where each partition ends now, and with it the position to reach. For a reader without a group."""
        inner = await self._opened()
        return dict(await self._asked(inner.end_offsets(inner.assignment())))

    async def reached(self, ends: Offsets) -> bool:
        """Whether everything before ``ends`` has been handed out."""
        inner = await self._opened()
        positions = {tp: await self._asked(inner.position(tp)) for tp in ends}
        return all(positions[tp] >= end for tp, end in ends.items())

    @property
    def partitions(self) -> frozenset[int]:
        """The partitions that this reader has now."""
        inner = self._inner
        return frozenset() if inner is None else frozenset(tp.partition for tp in inner.assignment())

    def _received(self, found: dict[TopicPartition, list[Any]]) -> list[Received]:
        self._quiet_since, self._stood_at = asyncio.get_running_loop().time(), None
        for tp, records in found.items():
            self._next[tp] = records[-1].offset + 1
        return [Received(self._read(r), tp.partition, r.offset) for tp, records in found.items() for r in records]

    async def _done_with(self, inner: AIOKafkaConsumer, tp: TopicPartition) -> int:
        known = self._committed
        if tp not in known:
            committed = await self._asked(inner.committed(tp))
            if committed is None:
                committed = (await self._asked(inner.beginning_offsets([tp])))[tp]
            # A commit made while the broker was asked is newer than its answer.
            known.setdefault(tp, committed)
        return known[tp]

    async def _look_around(self, inner: AIOKafkaConsumer) -> None:
        """Raises RetryLaterError when the broker is away, or when this reader stood still while behind."""
        self._quiet_since = asyncio.get_running_loop().time()
        try:
            ends, positions = await self._counted(self._places(inner))
        except IllegalStateError:
            # The group moved on meanwhile: what this member has now is looked at next time.
            return
        behind = any(positions[tp] < ends[tp] for tp in ends)
        if not behind or self._stood_at != positions:
            self._stood_at = positions if behind else None
            return
        self.restarts += 1
        log.warning("%s: stuck at %s of %s, starting over", self._topic, positions, ends)
        await self._abandon()
        raise RetryLaterError(f"kafka: the reader of {self._topic} was stuck and starts over")

    async def _places(self, inner: AIOKafkaConsumer) -> tuple[Offsets, Offsets]:
        """Where each partition of this reader ends, and where it stands. Raises IllegalStateError for one that it has
        lost meanwhile."""
        mine = inner.assignment()
        return await inner.end_offsets(mine), {tp: await inner.position(tp) for tp in mine}

    async def _opened(self) -> AIOKafkaConsumer:
        if self._inner is None:
            inner = self._made()
            try:
                async with asking(OPEN_S):
                    await start(inner)
                    if self._group is None:
                        await self._assign_all(inner)
            except (TimeoutError, *AWAY) as error:
                await end_consumer(inner)
                raise RetryLaterError(f"kafka: {self._topic} cannot be opened: {error!r}") from error
            except BaseException:
                await end_consumer(inner)
                raise
            self._inner, self._stood_at = inner, None
            self._quiet_since = asyncio.get_running_loop().time()
        return self._inner

    def _made(self) -> AIOKafkaConsumer:
        made = AIOKafkaConsumer(
            group_id=self._group,
            bootstrap_servers=self._bootstrap,
            **self._security.options(),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_poll_interval_ms=MAX_PAUSE_MS,
            max_partition_fetch_bytes=4 * 1024 * 1024,
            retry_backoff_ms=100,
            metadata_max_age_ms=30_000,
        )
        if self._group is not None:
            made.subscribe([self._topic], listener=_Anew(self._forget))
        return made

    async def _assign_all(self, inner: AIOKafkaConsumer) -> None:
        partitions = await inner._client._wait_on_metadata(self._topic)
        mine = [TopicPartition(self._topic, partition) for partition in partitions]
        inner.assign(mine)
        for tp in mine:
            if tp in self._next:
                inner.seek(tp, self._next[tp])
            else:
                await inner.seek_to_beginning(tp)

    async def _asked(self, question: Awaitable[Any]) -> Any:
        try:
            async with asking(ASK_S):
                return await question
        except (CommitFailedError, IllegalStateError, RebalanceInProgressError):
            raise
        except (TimeoutError, *AWAY) as error:
            raise RetryLaterError(f"kafka: no answer about {self._topic}: {error!r}") from error

    async def _counted(self, question: Awaitable[Any]) -> Any:
        """The answer, asked for by the reading task: a client without answers is closed, for a new one to be made."""
        try:
            answer = await self._asked(question)
        except RetryLaterError:
            self._unanswered += 1
            if self._unanswered >= MAX_UNANSWERED:
                log.warning("%s: no answers, starting over", self._topic)
                await self._abandon()
            raise
        self._unanswered = 0
        return answer

    def _forget(self) -> None:
        """Ask for committed offsets anew; an answer still under way is not kept."""
        self._committed = {}

    async def _abandon(self) -> None:
        inner, self._inner, self._unanswered = self._inner, None, 0
        self._forget()
        if inner is not None:
            await end_consumer(inner)


class _Anew(ConsumerRebalanceListener):  # type: ignore[misc]
    """A member's knowledge of committed offsets ends with each assignment: another one may have gone on from them."""

    def __init__(self, forget: Callable[[], None]) -> None:
        self._forget = forget

    def on_partitions_revoked(self, _revoked: Iterable[TopicPartition]) -> None:
        """A batch under way is finished all the same: the new owner of its partitions repeats it, harmlessly."""

    def on_partitions_assigned(self, _assigned: Iterable[TopicPartition]) -> None:
        self._forget()
