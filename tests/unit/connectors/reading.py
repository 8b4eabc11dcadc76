"""Reading a file in tests as the command and the adapters do: rows, then the check of every report."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from schemas.instants import to_instant
from services.connectors.explain import check_draft
from services.connectors.fault_sentences import tell_fault
from services.connectors.file_facts import ReadingOptions
from services.connectors.files import read_file
from services.connectors.model import AdapterMap, RefusedRow, ReportDraft, RowContext, RowOutcome
from services.platform.reports import find_all_errors

CASES: Final = Path(__file__).parent / "cases"
SAMPLES: Final = Path(__file__).parent / "samples"
DAMASCUS: Final = ZoneInfo("Asia/Damascus")
NOW: Final = to_instant(datetime(2026, 11, 27, tzinfo=UTC))


def sample(name: str) -> bytes:
    return next(SAMPLES.rglob(name)).read_bytes()


def case(name: str) -> bytes:
    return (CASES / name).read_bytes()


def outcomes(data: bytes, tables: AdapterMap = AdapterMap(), options: ReadingOptions | None = None) -> list[RowOutcome]:
    """Every row's outcome. Raises RefusedRowError for a file refused as a whole."""
    found = read_file(data, options or ReadingOptions(tables=tables), RowContext(tables, DAMASCUS))
    return [
        check_draft(row.outcome, find_faults) if isinstance(row.outcome, ReportDraft) else row.outcome for row in found
    ]


def find_faults(report: object) -> list[tuple[str, str]]:
    return [(error.pointer, error.detail) for error in find_all_errors(report, NOW, DAMASCUS)]


def told(outcome: RowOutcome) -> list[str]:
    """The faults of a row in English."""
    assert isinstance(outcome, RefusedRow), outcome
    return [tell_fault(fault, "en") for fault in outcome.faults]


def report(outcome: RowOutcome) -> dict[str, object]:
    assert isinstance(outcome, ReportDraft), outcome
    return outcome.report
