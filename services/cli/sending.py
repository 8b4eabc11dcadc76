"""Send the outcomes of a file to an ingest API. Nothing is taken twice, so a run that broke off is run again."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final, cast

import msgspec

from schemas.vocabulary import Language
from schemas.wording.words import words
from services.client import AsyncClient, BatchItem, Fault, RefusedError
from services.client.answers import read_faults
from services.client.batches import in_batches
from services.connectors.explain import explain_faults
from services.connectors.fault_sentences import share_faults, tell_shared
from services.connectors.model import (
    NumberedOutcome,
    RefusedRow,
    ReportDraft,
    RowFault,
    WithdrawnReport,
)

#: Statuses that a server gives to a body, as opposed to a key or to itself.
ABOUT_THE_BODY: Final = frozenset({400, 413, 415, 422})
STALE: Final = 409
FRESH: Final = 202
POLL_S: Final = 0.5


class Line(msgspec.Struct, frozen=True):
    """A report that is ready to be sent: the line on which it begins (from 1), its draft, and that as JSON."""

    number: int
    draft: ReportDraft
    body: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """One line that was not taken, and why."""

    line: int
    row: RefusedRow


class Taken(msgspec.Struct, frozen=True):
    """The revision that a report is, or would be. ``fresh``: by this run; else it was there."""

    incident_id: str
    revision: int
    fresh: bool


@dataclass(slots=True)
class Summary:
    """The result of a file. ``taken`` holds the revision of each incident, whether it was new or not."""

    accepted: int = 0
    unchanged: int = 0
    withdrawn: int = 0
    refused: list[Refusal] = field(default_factory=list)
    taken: dict[str, int] = field(default_factory=dict)

    @property
    def lines(self) -> int:
        return self.accepted + self.unchanged + self.withdrawn + len(self.refused)

    def counts(self) -> dict[str, int]:
        """How many lines came to what; withdrawals apart."""
        return {"accepted": self.accepted, "unchanged": self.unchanged, "refused": len(self.refused)}


async def send_outcomes(
    api: AsyncClient,
    outcomes: Iterable[NumberedOutcome],
    on_sent: Callable[[Summary], None],
    summary: Summary | None = None,
) -> Summary:
    """Send every outcome, in order, and count it in ``summary``. Raises RefusedError where the key or the server is at
    fault, UnreachableError."""
    summary = summary or Summary()
    for batch in group(_ready(outcomes, summary)):
        if isinstance(batch, NumberedOutcome):
            await _withdraw(api, batch, summary)
        else:
            await _send(api, batch, summary)
        on_sent(summary)
    on_sent(summary)
    return summary


def _ready(outcomes: Iterable[NumberedOutcome], summary: Summary) -> Iterator[Line | NumberedOutcome]:
    for numbered in outcomes:
        match numbered.outcome:
            case ReportDraft() as draft:
                yield _line(numbered.line, draft)
            case RefusedRow() as row:
                summary.refused.append(Refusal(numbered.line, row))
            case WithdrawnReport():
                yield numbered
            case _:
                summary.unchanged += 1


def group(lines: Iterable[Line | NumberedOutcome]) -> Iterator[list[Line] | NumberedOutcome]:
    """Lines in batches, bounded in number and in bytes; withdrawals one by one, in their order among them."""
    for is_line, run in groupby(lines, lambda one: isinstance(one, Line)):
        if is_line:
            yield from in_batches(cast("Iterator[Line]", run), lambda line: len(line.body))
        else:
            yield from cast("Iterator[NumberedOutcome]", run)


async def _send(api: AsyncClient, batch: Sequence[Line], summary: Summary) -> None:
    for line, result in zip(batch, await _post(api, batch), strict=True):
        if isinstance(result, RefusedRow):
            summary.refused.append(Refusal(line.number, result))
        else:
            summary.taken[result.incident_id] = result.revision
            summary.accepted += result.fresh
            summary.unchanged += not result.fresh


async def _post(api: AsyncClient, batch: Sequence[Line], *, dry_run: bool = False) -> list[Taken | RefusedRow]:
    """One result for each line, in order."""
    if not batch:
        return []
    try:
        results = await api.post_batch([line.body for line in batch], dry_run=dry_run)
    except RefusedError as error:
        if error.status not in ABOUT_THE_BODY:
            raise
        if len(batch) == 1:
            return [_refusal(batch[0], error.faults or [Fault("", str(error))])]
        middle = len(batch) // 2
        halves = batch[:middle], batch[middle:]
        return [result for half in halves for result in await _post(api, half, dry_run=dry_run)]
    return [_read(result, batch[result["index"]]) for result in results]


def _read(result: BatchItem, line: Line) -> Taken | RefusedRow:
    incident, revision = result.get("incident_id"), result.get("revision")
    if result["status"] == STALE:
        return RefusedRow((RowFault("stale"),), line.draft.external_id)
    if incident is None or revision is None:
        problem = result.get("problem") or {}
        faults = read_faults(problem) or [Fault("", str(problem.get("detail") or problem.get("title") or "refused"))]
        return _refusal(line, faults)
    return Taken(incident, revision, result["status"] == FRESH)


def _refusal(line: Line, faults: Sequence[Fault]) -> RefusedRow:
    return explain_faults(line.draft, [(fault.pointer, fault.detail) for fault in faults])


async def preview_outcomes(
    api: AsyncClient, outcomes: Iterable[NumberedOutcome]
) -> AsyncIterator[tuple[NumberedOutcome, Taken | None]]:
    """Each outcome as it would be if it were sent: a refusal where the server would refuse it. With a report or a
    withdrawal goes the revision that it would be, None where the server has nothing to withdraw. Nothing is sent to
    be kept. Raises as :func:`send_outcomes`."""
    for batch in in_batches(outcomes, lambda one: len(msgspec.json.encode(one.outcome))):
        lines = [_line(one.line, one.outcome) for one in batch if isinstance(one.outcome, ReportDraft)]
        results = iter(await _post(api, lines, dry_run=True))
        for numbered in batch:
            result: Taken | RefusedRow | None = None
            if isinstance(numbered.outcome, ReportDraft):
                result = next(results)
            elif isinstance(numbered.outcome, WithdrawnReport):
                result = await _find_withdrawn(api, numbered.outcome)
            if isinstance(result, RefusedRow):
                yield NumberedOutcome(numbered.line, result), None
            else:
                yield numbered, result


def _line(number: int, draft: ReportDraft) -> Line:
    return Line(number, draft, msgspec.json.encode(draft.report))


async def _withdraw(api: AsyncClient, numbered: NumberedOutcome, summary: Summary) -> None:
    """Take back what the server has of that id; what it has not, or has taken back before, stays as it is."""
    withdrawn = numbered.outcome
    assert isinstance(withdrawn, WithdrawnReport)
    found = await _find_withdrawn(api, withdrawn)
    if found is None:
        summary.unchanged += 1
    elif isinstance(found, RefusedRow):
        summary.refused.append(Refusal(numbered.line, found))
    else:
        answer = await api.retract_report(found.incident_id, withdrawn.reason)
        summary.taken[answer["incident_id"]] = answer["revision"]
        summary.withdrawn += 1


async def _find_withdrawn(api: AsyncClient, withdrawn: WithdrawnReport) -> Taken | RefusedRow | None:
    """The revision that the retraction would be; None where nothing is left to withdraw."""
    found = [item async for item in api.list_incidents({"external_id": withdrawn.external_id})]
    if len({item["partner"] for item in found}) > 1:
        return RefusedRow((RowFault("several_partners", cell=withdrawn.external_id),), withdrawn.external_id)
    left = next((item for item in found if item["state"] != "retracted"), None)
    return None if left is None else Taken(left["incident_id"], left["revision"] + 1, fresh=True)


async def wait_for_verdicts(
    api: AsyncClient, taken: dict[str, int], sleep: Callable[[float], Any], on_progress: Callable[[int], None]
) -> Counter[str]:
    """The verdicts on what was sent, counted, once every report is judged (a dead letter counts as such)."""
    left, verdicts = dict(taken), Counter[str]()
    while True:
        async for page in api.list_incidents().pages():
            for item in page.items:
                revision = left.get(item["incident_id"])
                if revision is None or item["revision"] < revision or item["state"] == "accepted":
                    continue
                del left[item["incident_id"]]
                verdicts[item["verdict"] or item["state"]] += 1
            on_progress(len(taken) - len(left))
            if not left:
                break
        if not left:
            return verdicts
        await sleep(POLL_S)


def told_refusals(refused: Sequence[Refusal], most: int, language: Language) -> Iterator[str]:
    """A line of text for each of the first ``most`` faults; the same fault in many lines once."""
    shared = share_faults((refusal.line, refusal.row) for refusal in sorted(refused, key=lambda r: r.line))
    yield from (tell_shared(fault, language) for fault in shared[:most])
    if len(shared) > most:
        yield words(language).count("import.more_faults", len(shared) - most)
