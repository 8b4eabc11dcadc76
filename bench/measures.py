"""The one table of measures, each with its peer and its target, that ``make bench`` and the README go by.

Ratios are what counts; absolute numbers are a machine's at an hour. Nothing here decides a test of behaviour.
"""

import json
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

RESULTS: Final = Path(__file__).parent / "results.json"
#: The documents with a table, and whether it has every measure.
DOCUMENTS: Final = {Path(__file__).parents[1] / "README.md": False, Path(__file__).parent / "README.md": True}
BEGIN: Final = "<!-- The table is made by `python -m bench --tables` from bench/results.json. -->"
END: Final = "<!-- End of the table. -->"


@dataclass(frozen=True)
class Measure:
    """``target`` is for ours by the peer's: at least so much, or with ``most`` at most. None: printed beside others.
    ``shown``: a user wants to know it, so it stands in the README."""

    key: str
    ours: str
    peer: str
    unit: str
    target: float | None
    most: bool = False
    shown: bool = False

    @property
    def aim(self) -> str:
        return "" if self.target is None else f"{'≤' if self.most else '≥'} {self.target:g} ×"

    def met(self, ratio: float) -> bool | None:
        """None where there is no target."""
        if self.target is None:
            return None
        return ratio <= self.target if self.most else ratio >= self.target


@dataclass(frozen=True)
class Figure:
    """``runs``: ours and the peer's in the measure's unit, of each of the interleaved runs."""

    key: str
    runs: tuple[tuple[float, float], ...]
    measured_on: str

    @property
    def ratios(self) -> list[float]:
        return [ours / peer for ours, peer in self.runs]

    @property
    def ratio(self) -> float:
        """The median of the runs' ratios."""
        return statistics.median(self.ratios)

    def median(self, who: int) -> float:
        """The median of ours (0) or the peer's (1), by itself."""
        return statistics.median(run[who] for run in self.runs)


def figure(key: str, ours: Iterable[float], peer: Iterable[float]) -> Figure:
    """A figure of today. Raises KeyError for what is no measure, ValueError unless both ran equally often."""
    return Figure(MEASURES[key].key, tuple(zip(ours, peer, strict=True)), date.today().isoformat())


_ECHO: Final = "a FastAPI echo that keeps nothing"
_LOOP: Final = "a bare aiohttp loop that only sends"
_RELAY: Final = "a relay that only forces each message to disk and forwards it"
_FASTSTREAM: Final = "FastStream that only decodes, encodes and produces"
_TEN: Final = "the same with 10,000"

MEASURES: Final = {
    one.key: one
    for one in (
        Measure("intake.single", "single POST, durable, authenticated", _ECHO, "/s", 2, shown=True),
        Measure("intake.batch", "lines in batches of 100, durable", "decoding the same lines in process", "/s", 0.4),
        Measure("search.1000", "points placed within 1,000 truces", "a loop over prepared geometries", "/s", 100),
        Measure("search.10000", "points placed within 10,000 truces", "a loop over prepared geometries", "/s", 350),
        Measure("assess.truces", "full assessment, 10,000 truces", "100 truces", "µs", 1.2, most=True, shown=True),
        Measure("webhooks.httpx", "webhooks, 50 connections, signed, recorded", "httpx as it comes", "/s", 12),
        Measure("webhooks.loop", "webhooks, 50 connections, signed, recorded", _LOOP, "/s", 0.6),
        Measure("letters", "letters over ten connections", "2,000/s", "/s", 1, shown=True),
        Measure("fairness", "p99 beside 1,000 hanging endpoints of another owner", "without them", "ms", 2, most=True),
        Measure("fanout.loop", "one alert to 10,000 subscribers, recorded", _LOOP, "/s", 0.5, shown=True),
        Measure("alert.cpu", "CPU of one alert from POST to webhook, saturated", _LOOP, "µs", 4, most=True),
        Measure("alert.rate", "alerts from POST to webhook, saturated, durable", _LOOP, "/s", 0.25, shown=True),
        Measure("alert.rate.am", "alerts from POST to webhook, saturated, durable",
                "Alertmanager, which keeps nothing", "/s", None),
        Measure("alert.200.p50", "POST to webhook at 200/s, p50", _RELAY, "ms", 3, most=True, shown=True),
        Measure("alert.200.p99", "POST to webhook at 200/s, p99", _RELAY, "ms", 1.5, most=True, shown=True),
        Measure("alert.500.p50", "POST to webhook at 500/s, p50", _RELAY, "ms", 3, most=True),
        Measure("alert.500.p99", "POST to webhook at 500/s, p99", _RELAY, "ms", 1.5, most=True),
        Measure("kafka.200.p50", "POST to webhook at 200/s on Kafka and PostgreSQL, p50", "embedded", "ms", 5,
                most=True, shown=True),
        Measure("kafka.200.p99", "POST to webhook at 200/s on Kafka and PostgreSQL, p99", "embedded", "ms", 4,
                most=True, shown=True),
        Measure("kafka.rules", "rules on a real broker, every assessment stored", _FASTSTREAM, "/s", 4),
        Measure("kafka.cpu", "CPU per incident with two processes of rules", "with one", "µs", 1.15, most=True),
        Measure("kafka.producing", "producing the assessments alone, by aiokafka in batches", _FASTSTREAM, "/s", None),
        Measure("kafka.judging", "judging alone, a process a core", _FASTSTREAM, "/s", None),
        Measure("bytes.sqlite", "bytes on disk for a report with one delivery, SQLite", "5,000 B", "B", 1, most=True,
                shown=True),
        Measure("bytes.postgresql", "bytes on disk for a report with one delivery, PostgreSQL", "5,000 B", "B", 1,
                most=True, shown=True),
        Measure("backtest", "longest hold of the event loop by a backtest over 100,000 alerts", "50 ms", "ms", 1,
                most=True),
        Measure("import.rate", "import of 100,000 rows of ACLED's shape, judged and stored",
                "decoding the same file", "/s", 0.1),
        Measure("import.memory", "memory of the import", "300 MB", "MB", 1, most=True),
        Measure("links", "events linked with a second report of them, at 0.8 and more", "all that were retold", "",
                None),
        Measure("again.time", "judging 1 % of a million incidents again", "reading and judging them in memory", "s", 2,
                most=True, shown=True),
        Measure("again.dry", "the dry run of that change", "reading and judging them in memory", "s", 1.5, most=True,
                shown=True),
        Measure("again.p99", "p99 of an alert beside it", "without it", "ms", 2, most=True, shown=True),
        *(
            Measure(f"read.{what}", f"{name}, p95, with a million incidents", _TEN, "ms", 2, most=True, shown=shown)
            for what, name, shown in (
                ("list", "list of incidents", True),
                ("filters", "list by truce, party, act and severity", False),
                ("box", "list by a box and a stretch of time", False),
                ("map", "map of a box", True),
                ("text", "text search", True),
                ("statistics", "statistics by day", True),
                ("status", "status", False),
            )
        ),
        Measure("growth.memory", "memory of `serve` after 1,000,000 reports", "after 10,000", "MiB", 1.2, most=True,
                shown=True),
        Measure("growth.start", "start of `serve` with a million incidents", "with none", "s", 1.5, most=True,
                shown=True),
        *(
            Measure(f"growth.{kind}", f"memory of {kind} after 1,000,000 reports", "after 10,000", "MiB", 1.2,
                    most=True)
            for kind in ("ingest", "rules", "notify")
        ),
    )
}  # fmt: skip


def tell(one: Figure) -> str:
    """A line for the terminal."""
    measure = MEASURES[one.key]
    ours, peer = (_value(one.median(who), measure.unit) for who in (0, 1))
    return f"{measure.ours:<68} {ours:>12} {peer:>12} {_ratio(one):>24}  {measure.aim:>8} {_verdict(one)}"


def load(file: Path = RESULTS) -> dict[str, Figure]:
    """The figures measured last, by key; none where none were."""
    if not file.exists():
        return {}
    kept: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return {
        key: Figure(key, tuple((ours, peer) for ours, peer in one["runs"]), one["measured_on"])
        for key, one in kept["figures"].items()
    }


def keep(found: Sequence[Figure], machine: str, file: Path = RESULTS) -> None:
    """Put figures beside those that were kept before, in the order of the table."""
    known = load(file) | {one.key: one for one in found}
    figures = {
        key: {
            "measure": MEASURES[key].ours, "beside": MEASURES[key].peer, "unit": MEASURES[key].unit,
            "target": MEASURES[key].aim or None, "met": MEASURES[key].met(known[key].ratio),
            "ratio": round(known[key].ratio, 4), "measured_on": known[key].measured_on,
            "runs": [[float(f"{value:.5g}") for value in run] for run in known[key].runs],
        }
        for key in MEASURES
        if key in known
    }  # fmt: skip
    lines = ",\n".join(f'  "{key}": {json.dumps(one, ensure_ascii=False)}' for key, one in figures.items())
    file.write_text(f'{{\n "machine": "{machine}",\n "figures": {{\n{lines}\n }}\n}}\n', "utf-8")


def table(figures: dict[str, Figure], *, every: bool) -> str:
    """Every measure; or, for the README, what a user wants to know."""
    return "\n".join(_lines({key: one for key, one in figures.items() if every or MEASURES[key].shown}))


def _lines(figures: dict[str, Figure]) -> Iterator[str]:
    yield "| measure | ours | beside | ratio, with its spread | target | measured |"
    yield "|---|---|---|---|---|---|"
    for key, measure in MEASURES.items():
        if key in figures:
            one = figures[key]
            ours, peer = (_value(one.median(who), measure.unit) for who in (0, 1))
            beside = measure.peer if peer == measure.peer else f"{measure.peer}: {peer}"
            yield f"| {measure.ours} | {ours} | {beside} | {_ratio(one)} | {_aim(one)} | {one.measured_on} |"


def write_tables() -> None:
    """Put the tables where the documents have them."""
    for file, every in DOCUMENTS.items():
        before, _, rest = file.read_text("utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        file.write_text(f"{before}{BEGIN}\n\n{table(load(), every=every)}\n\n{END}{after}", "utf-8")


def _aim(one: Figure) -> str:
    return ", ".join(part for part in (MEASURES[one.key].aim, _verdict(one)) if part)


def _verdict(one: Figure) -> str:
    met = MEASURES[one.key].met(one.ratio)
    return "" if met is None else "met" if met else "not met"


def _ratio(one: Figure) -> str:
    ratios = one.ratios
    spread = f" ({_short(min(ratios))} to {_short(max(ratios))})" if len(ratios) > 1 else ""
    return f"{_short(one.ratio)} ×{spread}"


def _value(value: float, unit: str) -> str:
    return f"{_short(value)}{'' if unit == '/s' else ' '}{unit}".strip()


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{float(f'{value:.3g}'):g}"
