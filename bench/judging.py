"""The ceiling of the rules stage, whatever log and database it has: judging alone.

One process a core decodes, judges, words and encodes as the service does, with nothing read from anywhere, stored or
sent; the broker and the database would want these cores as well. ``python -m bench.judging COUNT OUT``
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench.end_to_end import Target, registry
from schemas.codec import decode, encode
from schemas.envelope import Event
from schemas.events import IncidentReported
from schemas.report import Report
from schemas.topics import INCIDENTS
from services.rules.assessing.domain.alert_wording import AlertWording
from services.rules.assessing.domain.keeping import ReportedCase, decide_batch
from services.rules.assessing.judge_and_keep import case_of
from services.rules.judging.evaluate import Judge
from services.rules.registry.domain.document import compile_document
from services.rules.registry.wire import read_document
from services.start import tune
from tests.parts.process import Process

BATCH = 200
ROUNDS = 5
AT = "2016-05-08T12:00:00Z"


def measure(processes: int, count: int) -> float:
    """Incidents a second of so many processes at once, together."""
    with tempfile.TemporaryDirectory() as folder:
        outs = [Path(folder) / f"rate-{number}" for number in range(processes)]
        running = [_process(out, count) for out in outs]
        for process in running:
            process.start(wait=False)
        try:
            for process in running:
                process.wait_ready()
            return sum(float(out.read_text()) for out in outs)
        finally:
            for process in running:
                process.stop()


def _process(out: Path, count: int) -> Process:
    command = [sys.executable, "-m", "bench.judging", str(count), str(out)]
    return Process(out.name, command, out.with_suffix(".log"), lambda: out.exists() and out.read_text() != "")


def make_incidents(count: int, name: str = "bench") -> Iterator[Event]:
    """Reported violations as they come on the log."""
    for number in range(count):
        report = msgspec.convert(Target("", {}).body(number), Report)
        fact = IncidentReported(f"{name}-{number}", 1, "bench", AT, report)
        yield encode(INCIDENTS, fact, key=fact.incident_id, id=f"{fact.incident_id}-1", time=AT)


def _work(count: int) -> float:
    judge = Judge(compile_document(read_document(msgspec.json.encode(registry())), 1))
    wording, events = AlertWording(judge), list(make_incidents(count))
    best = float("inf")
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for first in range(0, count, BATCH):
            batch = events[first : first + BATCH]
            reported = [decode(event) for event in batch]
            cases = [ReportedCase(case_of(r), r.partner, e.data) for r, e in zip(reported, batch, strict=True)]
            assessments = judge.assess([one.case for one in cases], 0)
            keys = judge.keys_of([one.case for one in cases])
            decide_batch(cases, assessments, keys, {}, ["report"] * len(cases), wording.surroundings_of, judge.areas_of)
        best = min(best, time.perf_counter() - begin)
    return count / best


if __name__ == "__main__":
    tune()
    Path(sys.argv[2]).write_text(str(_work(int(sys.argv[1]))))
