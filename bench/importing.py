"""A file of ACLED's shape, imported by the command until all of it is judged and stored, beside decoding it in process.

The rows are of our own making: they lie on the bundled truces, and every text is a row's own. Rates are rows a second.
"""

import csv
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import httpx

from schemas.zones import find_zone
from services.connectors.file_facts import ReadingOptions
from services.connectors.files import read_file
from services.connectors.model import AdapterMap, ReportDraft, RowContext
from tests.parts.service import ROOT, Service
from tests.scenario import OPERATOR_KEY, bearer, registry_document

ROWS: Final = 100_000
_COLUMNS: Final = [
    "event_id_cnty", "event_date", "year", "time_precision", "disorder_type", "event_type", "sub_event_type", "actor1",
    "assoc_actor_1", "inter1", "actor2", "assoc_actor_2", "inter2", "interaction", "civilian_targeting", "iso",
    "region", "country", "admin1", "admin2", "admin3", "location", "latitude", "longitude", "geo_precision",
    "source", "source_scale", "notes", "fatalities", "tags", "timestamp",
]  # fmt: skip
_DAYS: Final = 120


@dataclass(frozen=True)
class Imported:
    """``decoded`` and ``imported`` are rows a second; ``memory`` is the command's resident bytes at their highest."""

    decoded: float
    imported: float
    memory: int


def measure(directory: Path, rows: int = ROWS) -> Imported:
    """Raises RuntimeError unless every row was decoded, taken and judged."""
    file = directory / "acled.csv"
    write_rows(file, rows)
    decoded = rows / min(_timed(lambda: _decode(file, rows)) for _ in range(3))
    service = Service("serve", ["serve", "--data", str(directory / "data")], directory, _ENV)
    with service, httpx.Client(base_url=service.url, headers=bearer(), timeout=120) as client:
        client.put("/v1/registry", json=registry_document()).raise_for_status()
        begin = time.perf_counter()
        memory = _import(file, service.url)
        _until_judged(client, rows)
        return Imported(decoded, rows / (time.perf_counter() - begin), memory)


_ENV: Final = {"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY}


def write_rows(file: Path, rows: int) -> None:
    """A file with the columns of ACLED and so many events."""
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, _COLUMNS)
        writer.writeheader()
        writer.writerows(_row(number) for number in range(rows))


def _row(number: int) -> dict[str, object]:
    day = date(2016, 2, 1) + timedelta(days=number % _DAYS)
    return {
        "event_id_cnty": f"TST{number}", "event_date": day.isoformat(), "year": day.year, "time_precision": 1,
        "disorder_type": "Political violence", "event_type": "Explosions/Remote violence",
        "sub_event_type": "Shelling/artillery/missile attack", "actor1": "Opposition Rebels (Syria)", "inter1": 3,
        "actor2": "Civilians (Syria)", "inter2": 7, "interaction": 37, "civilian_targeting": "Civilian targeting",
        "iso": 760, "region": "Middle East", "country": "Syria", "admin1": "Aleppo", "admin2": "Jebel Saman",
        "admin3": "Jebel Saman", "location": "Aleppo", "latitude": f"{36.0 + number % 997 / 2000:.4f}",
        "longitude": f"{37.0 + number % 991 / 2000:.4f}", "geo_precision": 1, "source": "Desk A; Desk B",
        "source_scale": "National", "notes": f"Made for a measurement: shells fell on a district, row {number}.",
        "fatalities": number % 4, "timestamp": 1_462_000_000 + number,
    }  # fmt: skip


def _timed(work: Callable[[], None]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _decode(file: Path, rows: int) -> None:
    context = RowContext(AdapterMap(), find_zone("Asia/Damascus"))
    outcomes = read_file(file.read_bytes(), ReadingOptions(kind="acled"), context)
    if sum(isinstance(one.outcome, ReportDraft) for one in outcomes) != rows:
        raise RuntimeError("a row was refused")


def _import(file: Path, url: str) -> int:
    """The command's highest resident bytes."""
    command = [sys.executable, "-m", "services", "import", str(file), "--url", url, "--key", OPERATOR_KEY]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the import ended with {process.returncode}")
    return usage.ru_maxrss * 1024


def _until_judged(client: httpx.Client, rows: int) -> None:
    """Until rules has judged all, and ingest has its assessments: the last one that came is judged, and no lag."""
    while True:
        status = client.get("/status").json()
        last = client.get("/v1/incidents", params={"external_id": f"acled-TST{rows - 1}"}).json()["items"]
        idle = not status["components"]["rules"].get("lag", 1) and not status["oldest_unassessed_s"]
        if idle and last and last[0]["state"] == "assessed":
            return
        time.sleep(0.05)
