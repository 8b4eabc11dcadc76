"""Adapters, wired: their store, their hooks, their polls, their topics."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from fastapi import APIRouter

from services.ingest.adapters.http import AdapterParts, build_adapters_router
from services.ingest.adapters.polls import NAME as POLLING
from services.ingest.adapters.polls import PERIOD_S, Polls
from services.ingest.adapters.refused import RecordReader, RefusedRecords
from services.ingest.adapters.sql import SqlAdapters, holds_sealed
from services.ingest.adapters.status import NAME as BOARD
from services.ingest.adapters.status import PERIOD_S as BOARD_S
from services.ingest.adapters.status import AdapterBoard
from services.ingest.adapters.topic_store import SqlTopicStore
from services.ingest.adapters.topics import NAME as TOPICS
from services.ingest.adapters.topics import PERIOD_S as TOPICS_S
from services.ingest.adapters.topics import TopicIntake, TopicReaders
from services.ingest.adapters.use_cases import Inbound
from services.ingest.admission import Admission
from services.ingest.use_cases import Command, IntakeOutcome
from services.platform.bus.consume import Handle
from services.platform.clock import new_id
from services.platform.db.group import GroupWriter
from services.platform.outbound.address import Policy
from services.platform.outbound.fetch import Fetcher
from services.platform.outbound.guard import trust_also
from services.platform.process.runtime import Run, Runtime, Task
from services.platform.security.sealing import Sealer
from services.platform.settings.secret_key import open_sealer


@dataclass(frozen=True, slots=True)
class AdapterService:
    """The parts of the adapters that ingest runs. ``handle`` takes the events of the ``inbound`` topic."""

    router: APIRouter
    handle: Handle
    tasks: Sequence[Task]
    stop: Sequence[Run]
    status: Callable[[], Mapping[str, Any]]
    polls: Polls
    board: AdapterBoard
    store: SqlAdapters
    topics: TopicReaders | None


async def build_adapters(
    runtime: Runtime,
    admission: Admission,
    writer: GroupWriter[Command, IntakeOutcome],
    count: Callable[[Iterable[IntakeOutcome]], None],
) -> AdapterService:
    settings, database, clock = runtime.settings, runtime.database, runtime.clock
    in_use = await holds_sealed(database)

    @cache
    def sealer() -> Sealer:
        # Opened when it is needed: the services apart may do without adapters, and so without a key here.
        return open_sealer(settings.secret_keys, database.file, in_use=in_use)

    store = SqlAdapters(database, sealer)
    log, topics = runtime.partner_log, None
    await store.seal_anew()
    inbound = Inbound(admission, _counted(writer, count), store, RefusedRecords(runtime.dead_letters, clock).bury)
    policy = Policy(opened=settings.webhook_allow, proxied=settings.webhook_proxy is not None)
    trusted = None if settings.webhook_ca is None else trust_also(settings.webhook_ca)
    fetcher = Fetcher(policy, tls=trusted, proxy=settings.webhook_proxy)
    polls = Polls(store, inbound, fetcher, database, clock, runtime.faults, new_id())
    board = AdapterBoard(store, clock)
    if log is not None:
        taken = SqlTopicStore(database, runtime.dead_letters, clock)
        topics = TopicReaders(
            store, log, partial(TopicIntake, store, taken, inbound, log, count), clock, runtime.faults
        )
    parts = AdapterParts(
        store, inbound, clock, policy, settings.public_url, topics is not None, polls.wake,
        runtime.metrics.auth_failures.inc,
    )  # fmt: skip
    return AdapterService(
        build_adapters_router(parts),
        RecordReader(store, inbound).handle,
        [
            runtime.every(PERIOD_S, POLLING, polls.step),
            runtime.every(BOARD_S, BOARD, board.refresh),
            *([] if topics is None else [runtime.every(TOPICS_S, TOPICS, topics.step)]),
        ],
        [polls.close, fetcher.close, *([] if topics is None else [topics.close])],
        board.said,
        polls,
        board,
        store,
        topics,
    )


def _counted(
    writer: GroupWriter[Command, IntakeOutcome], count: Callable[[Iterable[IntakeOutcome]], None]
) -> Callable[[Sequence[Command]], Any]:
    async def write(commands: Sequence[Command]) -> Sequence[IntakeOutcome]:
        outcomes = await writer.write(commands)
        count(outcomes)
        return outcomes

    return write
