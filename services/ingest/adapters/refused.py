"""Records that could not be read: kept as dead letters, and read again when an operator retries them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from schemas import codec
from schemas.envelope import Event
from schemas.events import RecordReceived
from schemas.instants import format_instant
from schemas.topics import INBOUND
from services.connectors.file_pages import ReadRecord
from services.connectors.model import RowContext
from services.connectors.payloads import SOURCES
from services.ingest.adapters.sql import SqlAdapters
from services.ingest.adapters.use_cases import Inbound
from services.platform.bus.dead_letters import DeadLetters
from services.platform.clock import Clock
from services.platform.failures import NeverRetryError
from services.platform.http.problems import Problem

GROUP: Final = "ingest.inbound"
MAX_REASON: Final = 1_000


@dataclass(frozen=True, slots=True)
class RefusedRecords:
    """Keeps them, one dead letter for one content."""

    dead_letters: DeadLetters
    clock: Clock

    async def bury(self, adapter: str, record: Mapping[str, Any], problem: Problem) -> None:
        id = hashlib.blake2b(msgspec.json.encode([adapter, record], order="deterministic"), digest_size=16).hexdigest()
        event = received_event(adapter, record, self.clock.now(), id=id)
        await self.dead_letters.add(GROUP, event, describe_problem(problem))


def received_event(adapter: str, record: Mapping[str, Any], now: int, *, id: str) -> Event:
    """A record to be read again; ``id`` names it."""
    return codec.encode(INBOUND, RecordReceived(adapter, dict(record)), key=adapter, id=id, time=format_instant(now))


def describe_problem(problem: Problem) -> str:
    """Every error of a problem in one line."""
    parts = [problem.detail, *(f"{error.pointer}: {error.detail}" for error in problem.errors)]
    return " ".join(part for part in parts if part)[:MAX_REASON] or problem.title


@dataclass(frozen=True, slots=True)
class RecordReader:
    """Handles records that were put on the ``inbound`` topic again."""

    store: SqlAdapters
    inbound: Inbound

    async def handle(self, events: Sequence[Event]) -> None:
        """Raises NeverRetryError for a record that cannot be read still."""
        for event in events:
            received: RecordReceived = codec.decode(event)
            adapter = await self.store.find(received.adapter)
            if adapter is None:
                raise NeverRetryError(f"there is no adapter {received.adapter} that reads it")
            context = RowContext(adapter.tables, self.inbound.admission.local.zone)
            outcome = SOURCES[adapter.kind].read(received.record, context)
            if isinstance(found := self.inbound.decide(adapter, outcome), Problem):
                raise NeverRetryError(describe_problem(found))
            await self.inbound.take(adapter, [ReadRecord(outcome, received.record)])
