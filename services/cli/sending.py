"""Send the outcomes of a file to an ingest API. Nothing is taken twice, so a run that broke off is run again."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from schemas.vocabulary import Language
from schemas.wording.words import words
from services.cli.client import Api, Fault, RefusedError, read_faults
from services.connectors.explain import explain_faults
from services.connectors.fault_sentences import share_faults, tell_shared
from services.connectors.model import (
    NumberedOutcome,
    RefusedRow,
    ReportDraft,
    RowFault,
    WithdrawnReport,
)

#: A hundred a request is where a server is at its best; the bytes stay well under its limit of 16 MiB.
BATCH: Final = 100
BATCH_BYTES: Final = 4 * 1024 * 1024
NDJSON: Final = "application/x-ndjson"
#: Statuses that a server gives to a body, as opposed to a key or to itself.
ABOUT_THE_BODY: Final = frozenset({400, 413, 415, 422})
#: Statuses of a report that the server has: new, or there before.
TAKEN: Final = frozenset({200, 202})
STALE: Final = 409
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
    api: Api,
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
                yield Line(numbered.line, draft, msgspec.json.encode(draft.report))
            case RefusedRow() as row:
                summary.refused.append(Refusal(numbered.line, row))
            case WithdrawnReport():
                yield numbered
            case _:
                summary.unchanged += 1


def group(lines: Iterable[Line | NumberedOutcome]) -> Iterator[list[Line] | NumberedOutcome]:
    """Lines in batches, bounded in number and in bytes; withdrawals one by one, in their order among them."""
    batch: list[Line] = []
    size = 0
    for line in lines:
        if batch and (isinstance(line, NumberedOutcome) or len(batch) == BATCH or size + len(line.body) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        if isinstance(line, NumberedOutcome):
            yield line
        else:
            batch.append(line)
            size += len(line.body)
    if batch:
        yield batch


async def _send(api: Api, batch: Sequence[Line], summary: Summary) -> None:
    try:
        answer = await api.send("POST", "/v1/incidents/batch", b"\n".join(line.body for line in batch), NDJSON)
    except RefusedError as error:
        if error.status not in ABOUT_THE_BODY:
            raise
        if len(batch) == 1:
            summary.refused.append(_refusal(batch[0], error.faults or [Fault("", str(error))]))
            return
        middle = len(batch) // 2
        await _send(api, batch[:middle], summary)
        await _send(api, batch[middle:], summary)
        return
    for result in answer["results"]:
        _note(result, batch[result["index"]], summary)


def _note(result: dict[str, Any], line: Line, summary: Summary) -> None:
    if result["status"] == STALE:
        summary.refused.append(Refusal(line.number, RefusedRow((RowFault("stale"),), line.draft.external_id)))
    elif result["status"] not in TAKEN:
        problem = result.get("problem") or {}
        faults = read_faults(problem) or [Fault("", str(problem.get("detail") or problem.get("title") or "refused"))]
        summary.refused.append(_refusal(line, faults))
    else:
        summary.taken[result["incident_id"]] = result["revision"]
        if result["status"] == 202:
            summary.accepted += 1
        else:
            summary.unchanged += 1


def _refusal(line: Line, faults: Sequence[Fault]) -> Refusal:
    return Refusal(line.number, explain_faults(line.draft, [(fault.pointer, fault.detail) for fault in faults]))


async def _withdraw(api: Api, numbered: NumberedOutcome, summary: Summary) -> None:
    """Take back what the server has of that id; what it has not, or has taken back before, stays as it is."""
    withdrawn = numbered.outcome
    assert isinstance(withdrawn, WithdrawnReport)
    found = (await api.get("/v1/incidents", external_id=withdrawn.external_id))["items"]
    left = [item for item in found if item["state"] != "retracted"]
    if len({item["partner"] for item in found}) > 1:
        fault = RowFault("several_partners", cell=withdrawn.external_id)
        summary.refused.append(Refusal(numbered.line, RefusedRow((fault,), withdrawn.external_id)))
    elif not left:
        summary.unchanged += 1
    else:
        answer = await api.post(f"/v1/incidents/{left[0]['incident_id']}/retraction", {"reason": withdrawn.reason})
        summary.taken[answer["incident_id"]] = answer["revision"]
        summary.withdrawn += 1


async def wait_for_verdicts(
    api: Api, taken: dict[str, int], sleep: Callable[[float], Any], on_progress: Callable[[int], None]
) -> Counter[str]:
    """The verdicts on what was sent, counted, once every report is judged (a dead letter counts as such)."""
    left, verdicts = dict(taken), Counter[str]()
    while True:
        async for items in api.pages("/v1/incidents"):
            for item in items:
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
