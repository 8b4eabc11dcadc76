"""Take in what adapters read: the same validation, revisions and events as reports that are posted."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from schemas.events import Actor
from services.connectors.fault_sentences import tell_fault
from services.connectors.file_pages import ListPage, ReadRecord
from services.connectors.model import (
    NotYetReport,
    RefusedRow,
    ReportDraft,
    RowContext,
    RowFault,
    RowOutcome,
    WithdrawnReport,
)
from services.connectors.payloads import SOURCES, read_payload
from services.ingest.adapters.domain import Adapter, AdapterState, note_taken
from services.ingest.adapters.wire import InboundItem, UnknownValue
from services.ingest.admission import Admission
from services.ingest.domain import name_incident
from services.ingest.use_cases import Command, Filing, IntakeOutcome, Recorded, Retraction, SourceState, UnknownIncident
from services.platform.http.problems import FieldError, Problem

#: Commands of one transaction.
SLICE: Final = 100


class AdapterStates(Protocol):
    """The states of adapters."""

    async def change_state(self, id: str, change: Callable[[AdapterState], AdapterState]) -> None: ...

    async def known(self, incidents: Sequence[str]) -> set[str]:
        """Those of the incidents that are there."""
        ...


#: Keeps a record that was refused: the adapter's id, the record as far as it may be kept, and the problem.
Bury = Callable[[str, Mapping[str, Any], Problem], Awaitable[None]]
Write = Callable[[Sequence[Command]], Awaitable[Sequence[IntakeOutcome]]]


@dataclass(frozen=True, slots=True)
class Inbound:
    """Takes records in. ``write`` makes commands durable."""

    admission: Admission
    write: Write
    states: AdapterStates
    bury: Bury

    def read_page(self, adapter: Adapter, body: bytes, url: str = "") -> ListPage:
        """The records of a file, or of a page of a list. Takes its time: for a thread. Raises UnreadableListError."""
        context = RowContext(adapter.tables, self.admission.local.zone)
        return SOURCES[adapter.kind].read_page(body, context, url)

    def read(self, adapter: Adapter, payload: Any) -> list[ReadRecord]:
        """Each record of a payload in JSON, of a kind that is not a file."""
        return list(read_payload(adapter.kind, payload, RowContext(adapter.tables, self.admission.local.zone)))

    async def take(
        self, adapter: Adapter, records: Sequence[ReadRecord], *, read_at: int | None = None
    ) -> list[InboundItem]:
        """Take records in, and count them. ``read_at``: when the list was asked for that has them; None for a hook.
        Raises RetryLaterError: what was taken in by then stays."""
        items: list[InboundItem] = []
        buried: list[tuple[ReadRecord, Problem]] = []
        again = 0
        for start in range(0, len(records), SLICE):
            some = records[start : start + SLICE]
            decided = [self.decide(adapter, one.outcome, read_at) for one in some]
            buried += [(one, found) for one, found in zip(some, decided, strict=True) if isinstance(found, Problem)]
            commands = [one for one in decided if isinstance(one, Filing | Retraction)]
            again += await self._count_lost(adapter, commands) if read_at is not None else 0
            outcomes = iter(await self.write(commands) if commands else ())
            items += [_tell(one.outcome, found, outcomes) for one, found in zip(some, decided, strict=True)]
        for record, problem in buried:
            await self.bury(adapter.id, record.kept, problem)
        await self._note(adapter, items, again, hook=read_at is None)
        return items

    def decide(self, adapter: Adapter, outcome: RowOutcome, read_at: int | None = None) -> Command | Problem | None:
        """The command that a record stands for, the problem for which it is refused, or None for nothing yet."""
        if isinstance(outcome, RefusedRow):
            return refuse_faults(outcome)
        if isinstance(outcome, NotYetReport):
            return None
        current = SOURCES[adapter.kind].lists_are_current and read_at is not None
        source = SourceState(adapter.id, outcome.external_id, outcome.mark, read_at, current)
        if isinstance(outcome, WithdrawnReport):
            return self._withdraw(adapter, outcome, source)
        try:
            filing = self.admission.admit(msgspec.json.encode(outcome.report), adapter.partner)
        except Problem as problem:
            return _by_column(problem, outcome)
        return msgspec.structs.replace(filing, source=source)

    def _withdraw(self, adapter: Adapter, outcome: WithdrawnReport, source: SourceState) -> Retraction:
        incident = name_incident(adapter.partner, outcome.external_id)
        return Retraction(
            incident, outcome.reason, adapter.partner, Actor(None, adapter.id), self.admission.now(), source=source
        )

    async def _count_lost(self, adapter: Adapter, commands: Sequence[Command]) -> int:
        """How many reports a hook should have told of and did not."""
        new = [command.incident_id for command in commands if isinstance(command, Filing)]
        if not adapter.has_secret or not new:
            return 0
        return len(set(new) - await self.states.known(new))

    async def _note(self, adapter: Adapter, items: Sequence[InboundItem], again: int, *, hook: bool) -> None:
        now = self.admission.now()
        statuses = Counter(item.status for item in items)
        withdrawn = sum(item.withdrawn and item.status == 202 for item in items)

        def noted(state: AdapterState) -> AdapterState:
            return note_taken(
                state, now, read=statuses[200] + statuses[202], refused=statuses[422], new=statuses[202] > 0, sent=hook,
                withdrawn=withdrawn, found_again=again,
            )  # fmt: skip

        if items:
            await self.states.change_state(adapter.id, noted)


def refuse_faults(refused: RefusedRow) -> Problem:
    """Every fault by the column that it is in, in words."""
    errors = [
        FieldError(f"/{fault.column}" if fault.column else "", tell_fault(fault, "en")) for fault in refused.faults
    ]
    return Problem(422, "Not valid", _of(refused.external_id), errors=errors)


def _of(external_id: str) -> str:
    return f"{external_id} is refused." if external_id else ""


def _by_column(problem: Problem, draft: ReportDraft) -> Problem:
    """The problem of a report, told by the source's columns."""
    errors = [
        FieldError(
            error.pointer,
            f"column {column}: {error.detail}" if (column := _column(draft, error.pointer)) else error.detail,
        )
        for error in problem.errors
    ]
    return Problem(422, "Not valid", _of(draft.external_id) or problem.detail, errors=errors)


def _column(draft: ReportDraft, pointer: str) -> str:
    while pointer:
        if pointer in draft.columns:
            return draft.columns[pointer]
        pointer = pointer.rpartition("/")[0]
    return ""


def _tell(outcome: RowOutcome, found: Command | Problem | None, outcomes: Any) -> InboundItem:
    id = outcome.external_id
    if isinstance(found, Problem):
        return InboundItem(422, id, problem=found.body())
    if found is None:
        return InboundItem(200, id, ignored=outcome.reason if isinstance(outcome, NotYetReport) else "")
    result: IntakeOutcome = next(outcomes)
    withdrawn = isinstance(found, Retraction)
    if isinstance(result, Recorded):
        return InboundItem(202 if result.fresh else 200, id, result.incident_id, result.revision, withdrawn=withdrawn)
    assert isinstance(result, UnknownIncident), result
    return InboundItem(200, id, ignored="there is nothing to withdraw", withdrawn=True)


def preview(inbound: Inbound, adapter: Adapter, records: Sequence[ReadRecord]) -> list[InboundItem]:
    """The fate that each record would have, with nothing stored."""
    items = []
    for record in records:
        found, id = inbound.decide(adapter, record.outcome), record.outcome.external_id
        if isinstance(found, Problem):
            items.append(InboundItem(422, id, problem=found.body()))
        elif isinstance(record.outcome, NotYetReport):
            items.append(InboundItem(200, id, ignored=record.outcome.reason))
        else:
            report = record.outcome.report if isinstance(record.outcome, ReportDraft) else None
            items.append(InboundItem(202, id, withdrawn=isinstance(found, Retraction), report=report))
    return items


def find_unknown(records: Iterable[ReadRecord]) -> list[UnknownValue]:
    """The values that no table knows, the most frequent first."""
    counts: Counter[tuple[str, str]] = Counter()
    for record in records:
        if isinstance(record.outcome, RefusedRow):
            counts.update(_place(fault) for fault in record.outcome.faults if fault.code == "not_in_table")
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [UnknownValue(field, value, count) for (field, value), count in ordered]


def _place(fault: RowFault) -> tuple[str, str]:
    return fault.pointer.removeprefix("/").replace("/", "."), fault.cell or ""
