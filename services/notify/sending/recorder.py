"""Records outcomes of attempts in batches: what came within a moment, or while the last batch was being written."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from msgspec import Struct

from services.notify.decisions.attempts import Outcome, strip
from services.notify.domain.delivery import Judgement
from services.platform.backoff import Backoff
from services.platform.db.engine import SMALL
from services.platform.failures import RetryLaterError
from services.platform.faults import UNFORESEEN, raise_if_meant

log = logging.getLogger(__name__)

#: Outcomes gather for so long before they are recorded, so many at once: as many as are written without a thread.
RECORDED_AT_ONCE: Final = SMALL
RECORDING_LINGERS_S: Final = 0.02

OnFault = Callable[[str, BaseException], None]


class OutcomeStore(Protocol):
    async def record(self, outcomes: Sequence[Outcome]) -> None: ...


class AttemptResult(Struct, frozen=True):
    """An outcome to be recorded. ``led``: its alert's later revisions were waiting for it."""

    outcome: Outcome
    judgement: Judgement | None = None
    led: bool = False


class OutcomeRecorder:
    """Belongs to the event loop. ``recorded`` is called with each batch once it is, ``on_idle`` when nothing is left;
    ``on_fault`` with what an outcome raised that cannot be recorded: the others are."""

    def __init__(
        self,
        store: OutcomeStore,
        recorded: Callable[[Sequence[AttemptResult]], Awaitable[None]],
        on_idle: Callable[[], None],
        on_fault: OnFault,
    ) -> None:
        self._store, self._recorded, self._on_idle, self._on_fault = store, recorded, on_idle, on_fault
        self._results: list[AttemptResult] = []
        self._task: asyncio.Task[None] | None = None

    def add(self, result: AttemptResult) -> None:
        self._results.append(result)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="record attempts")

    async def finish(self, grace_s: float) -> None:
        """Until all is recorded, or the time is over."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=grace_s)

    async def _run(self) -> None:
        try:
            while self._results:
                await asyncio.sleep(RECORDING_LINGERS_S if len(self._results) < RECORDED_AT_ONCE else 0)
                batch, self._results = self._results[:RECORDED_AT_ONCE], self._results[RECORDED_AT_ONCE:]
                await self._keep(batch)
                await self._recorded(batch)
        finally:
            self._task = None
            self._on_idle()

    async def _keep(self, batch: Sequence[AttemptResult]) -> None:
        """Record a batch; one that cannot be recorded as a whole is recorded one by one."""
        outcomes = [noted.outcome for noted in batch]
        try:
            await self._record_in_time(outcomes)
        except UNFORESEEN as error:
            raise_if_meant(error)
            log.warning("a batch of %d outcomes cannot be recorded, going one by one: %r", len(batch), error)
            for outcome in outcomes:
                await self._keep_alone(outcome)

    async def _keep_alone(self, outcome: Outcome) -> None:
        """Record one outcome; where that fails, the state alone, with the failure as its reason. A message for which
        not even that can be recorded stays claimed, and is queued again as stranded."""
        try:
            return await self._record_in_time([outcome])
        except UNFORESEEN as error:
            raise_if_meant(error)
            self._on_fault("record attempts", error)
            bare = strip(outcome, error)
        try:
            await self._record_in_time([bare])
        except UNFORESEEN as error:
            raise_if_meant(error)
            self._on_fault("record attempts", error)

    async def _record_in_time(self, outcomes: Sequence[Outcome]) -> None:
        def note(error: RetryLaterError) -> None:
            log.warning("attempts cannot be recorded yet: %s", error)

        await Backoff().retry(lambda: self._store.record(outcomes), asyncio.sleep, note)
