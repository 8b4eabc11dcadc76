"""Send a file of reports to an ingest API. What was sent before is not taken twice, so a broken run is run again."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from services.cli.client import Api, Fault, RefusedError, read_faults
from services.cli.report_files import Line

#: A hundred a request is where a server is at its best; the bytes stay well under its limit of 16 MiB.
BATCH: Final = 100
BATCH_BYTES: Final = 4 * 1024 * 1024
NDJSON: Final = "application/x-ndjson"
#: What a server says of a body, as opposed to a key or to itself.
ABOUT_THE_BODY: Final = frozenset({400, 413, 415, 422})
#: Statuses of a report that the server has: new, or there before.
TAKEN: Final = frozenset({200, 202})
POLL_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Refusal:
    """One line that was not taken, and why."""

    line: int
    faults: Sequence[Fault]


@dataclass(slots=True)
class Summary:
    """What became of a file. ``taken`` holds the revision of each incident, whether it was new or not."""

    accepted: int = 0
    unchanged: int = 0
    refused: list[Refusal] = field(default_factory=list)
    taken: dict[str, int] = field(default_factory=dict)

    @property
    def lines(self) -> int:
        return self.accepted + self.unchanged + len(self.refused)


async def send_reports(api: Api, lines: Iterable[Line], on_sent: Callable[[Summary], None]) -> Summary:
    """Send every line, in order. Raises RefusedError where the key or the server is at fault, UnreachableError."""
    summary = Summary()
    for batch in group(lines):
        await _send(api, batch, summary)
        on_sent(summary)
    return summary


def group(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Lines in batches, bounded in number and in bytes."""
    batch: list[Line] = []
    size = 0
    for line in lines:
        if batch and (len(batch) == BATCH or size + len(line.body) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line.body)
    if batch:
        yield batch


async def _send(api: Api, batch: Sequence[Line], summary: Summary) -> None:
    summary.refused += [Refusal(line.number, [Fault("", line.problem)]) for line in batch if line.problem]
    whole = [line for line in batch if not line.problem]
    if not whole:
        return
    try:
        answer = await api.send("POST", "/v1/incidents/batch", b"\n".join(line.body for line in whole), NDJSON)
    except RefusedError as error:
        if error.status not in ABOUT_THE_BODY:
            raise
        if len(whole) == 1:
            summary.refused.append(Refusal(whole[0].number, error.faults or [Fault("", str(error))]))
            return
        middle = len(whole) // 2
        await _send(api, whole[:middle], summary)
        await _send(api, whole[middle:], summary)
        return
    for result in answer["results"]:
        _note(result, whole[result["index"]], summary)


def _note(result: dict[str, Any], line: Line, summary: Summary) -> None:
    if result["status"] not in TAKEN:
        problem = result.get("problem") or {}
        faults = read_faults(problem) or [Fault("", str(problem.get("detail") or problem.get("title") or "refused"))]
        summary.refused.append(Refusal(line.number, faults))
        return
    summary.taken[result["incident_id"]] = result["revision"]
    if result["status"] == 202:
        summary.accepted += 1
    else:
        summary.unchanged += 1


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


def shown_refusals(refused: Sequence[Refusal], most: int) -> Iterator[str]:
    """A line of text for each offending field of the first ``most`` lines refused."""
    for refusal in itertools.islice(sorted(refused, key=lambda r: r.line), most):
        for fault in refusal.faults:
            yield f"line {refusal.line}: {fault.pointer + ': ' if fault.pointer else ''}{fault.detail}"
    if len(refused) > most:
        yield f"and {len(refused) - most} more lines"
