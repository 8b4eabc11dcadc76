"""``python -m bench [ROW …]``: every measure beside its peer, in one run, with its target.

Ratios are what counts; absolute numbers are this machine's at this hour. Nothing here decides a test.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from services.start import tune


@dataclass(frozen=True)
class Row:
    """One line of the table. ``at_least``: the ratio must not be below the target, else not above it."""

    measure: str
    ours: str
    peer: str
    ratio: float
    target: float
    at_least: bool = True

    @property
    def met(self) -> bool:
        return self.ratio >= self.target if self.at_least else self.ratio <= self.target


def intake(directory: Path) -> Iterator[Row]:
    from bench import intake as bench

    ours, peer = bench.measure_ours(directory), bench.measure_peer(directory)
    rate, other = (statistics.median(m.rate for m in found) for found in (ours, peer))
    yield Row(
        "single POST, durable, authenticated | FastAPI echo", f"{rate:,.0f}/s", f"{other:,.0f}/s", rate / other, 2
    )


def evaluation(_: Path) -> Iterator[Row]:
    from bench import evaluate as bench

    found = {truces: bench.measure(truces) for truces in (100, 1_000, 10_000)}
    for truces, target in ((1_000, 100), (10_000, 350)):
        one = found[truces]
        name = f"search for areas, {truces:,} truces | loop over prepared geometries"
        yield Row(name, f"{one.search:.2f} µs", f"{one.loop:,.0f} µs", one.loop / one.search, target)
    low, high = found[100], found[10_000]
    name = "cost per incident, full assessment, 10,000 truces | 100 truces"
    yield Row(name, f"{high.assess:.0f} µs", f"{low.assess:.0f} µs", high.assess / low.assess, 4, at_least=False)


def end_to_end(directory: Path) -> Iterator[Row]:
    from bench import end_to_end as bench
    from bench import fanout, floor

    peer = bench.measure(directory / "peer", bench.alertmanager, peer=True)
    # Beside ours, what nothing built on the same parts can be faster than on this machine.
    for who, run in (("end to end", bench.trucewatch), ("a relay that only syncs and forwards", floor.relay)):
        ours = bench.measure(directory / run.__name__, run)
        rate, what = (ours.rate, who) if run is bench.trucewatch else (fanout.aiohttp_rate(), "an aiohttp loop alone")
        name = f"{what}, saturated | Alertmanager"
        yield Row(name, f"{rate:,.0f}/s", f"{peer.rate:,.0f}/s", rate / peer.rate, 2)
        for share, mine, its, target in (("p99", ours.p99_ms, peer.p99_ms, 0.25), ("p50", ours.p50_ms, peer.p50_ms, 2)):
            name = f"{who}, at 500/s, {share} | Alertmanager"
            yield Row(name, f"{mine:.2f} ms", f"{its:.2f} ms", mine / its, target, at_least=False)


def fanout(directory: Path) -> Iterator[Row]:
    from bench import fanout as bench

    found = bench.measure(directory)
    name = "one alert to 10,000 subscribers, recorded | aiohttp loop that records nothing"
    yield Row(name, f"{found.ours:,.0f}/s", f"{found.aiohttp:,.0f}/s", found.ours / found.aiohttp, 0.4)
    name = "the same | httpx as it comes, 50 connections"
    yield Row(name, f"{found.ours:,.0f}/s", f"{found.httpx:,.0f}/s", found.ours / found.httpx, 12)


def channels(_: Path) -> Iterator[Row]:
    from bench import channels as bench
    from bench import recorded

    recording = max(recorded.measure())
    hooks, mail = bench.measure_webhooks(), bench.measure_mail()
    recording = max(recording, *recorded.measure())
    for peer, name, target in (
        ("httpx", "httpx as it comes", 12),
        ("aiohttp", "aiohttp loop that records nothing", 0.5),
    ):
        other = max(hooks.peers[peer])
        name = f"webhooks, 50 connections, signed, recorded | {name}"
        yield Row(name, f"{recording:,.0f}/s", f"{other:,.0f}/s", recording / other, target)
    alone, other = max(hooks.ours), max(hooks.peers["aiohttp"])
    yield Row("the sender alone | the same (no target)", f"{alone:,.0f}/s", f"{other:,.0f}/s", alone / other, 0)
    letters = max(mail.ours)
    yield Row("letters over ten connections | 2,000/s", f"{letters:,.0f}/s", "2,000/s", letters / 2000, 1)


def fairness(_: Path) -> Iterator[Row]:
    from bench import fairness as bench

    beside, clean = bench.measure()
    name = "p99 of an alert beside 1,000 hanging endpoints of another owner | without them"
    yield Row(name, f"{beside:.1f} ms", f"{clean:.1f} ms", beside / clean, 2, at_least=False)


def growth(directory: Path) -> Iterator[Row]:
    from bench import growth as bench

    found = bench.measure(directory)
    name = "memory of serve after 1,000,000 reports | after 10,000"
    ours, few = (f"{size / 2**20:.0f} MiB" for size in (found.many, found.few))
    yield Row(name, ours, few, found.many / found.few, 1.3, at_least=False)
    name = "start with 100,000 stored incidents | with none"
    yield Row(
        name, f"{found.stored_s:.2f} s", f"{found.empty_s:.2f} s", found.stored_s / found.empty_s, 1.5, at_least=False
    )


def services(directory: Path) -> Iterator[Row]:
    from bench import growth as bench

    for kind, (few, many) in bench.measure_services(directory).items():
        name = f"memory of {kind}, on Kafka and PostgreSQL, after 1,000,000 reports | after 10,000"
        yield Row(name, f"{many / 2**20:.0f} MiB", f"{few / 2**20:.0f} MiB", many / few, 1.3, at_least=False)


def distributed(directory: Path) -> Iterator[Row]:
    from bench import distributed as bench

    found = bench.measure(directory)
    one, two, peer = found.one, found.two, found.faststream
    name = "producing the assessments alone, by aiokafka in batches | FastStream"
    yield Row(name, f"{found.producing:,.0f}/s", f"{peer:,.0f}/s", found.producing / peer, 20)
    name = "rules stage on a real broker, stored | FastStream: decode, encode, produce"
    yield Row(name, f"{one.rate:,.0f}/s", f"{peer:,.0f}/s", one.rate / peer, 20)
    name = "judging alone, a process a core, nothing stored or sent | FastStream (no target)"
    yield Row(name, f"{found.judging:,.0f}/s", f"{peer:,.0f}/s", found.judging / peer, 0)
    name = "the rules stage, CPU per incident with two consumers | with one"
    ratio = two.cpu_us / one.cpu_us
    yield Row(name, f"{two.cpu_us:.0f} µs", f"{one.cpu_us:.0f} µs", ratio, 1.15, at_least=False)
    for share, mine, other in zip(("p50", "p99"), found.distributed_ms, found.embedded_ms, strict=True):
        name = f"end to end at 200/s on Kafka and PostgreSQL, {share} | embedded (no target)"
        yield Row(name, f"{mine:.2f} ms", f"{other:.2f} ms", mine / other, float("inf"), at_least=False)


def backtest(directory: Path) -> Iterator[Row]:
    from bench import backtest as bench

    held = bench.measure(directory) * 1000
    name = "a backtest over 100,000 alerts, longest hold of the event loop | 50 ms"
    yield Row(name, f"{held:.1f} ms", "50 ms", held / 50, 1, at_least=False)


def importing(directory: Path) -> Iterator[Row]:
    from bench import importing as bench

    found = bench.measure(directory)
    name = "import of 100,000 rows of ACLED's shape, judged and stored | decoding the same file"
    ratio = found.imported / found.decoded
    yield Row(name, f"{found.imported:,.0f}/s", f"{found.decoded:,.0f}/s", ratio, 0.1)
    name = "memory of the import | 300 MB"
    yield Row(name, f"{found.memory / 1e6:.0f} MB", "300 MB", found.memory / 300e6, 1, at_least=False)


def links(_: Path) -> Iterator[Row]:
    from bench import links as bench
    from services.rules.linking.domain.score import STRONG

    found = bench.measure()
    for line in bench.tell(found):
        print(line)
    name = "events linked with a second report of them, at 0.8 and more | all that were retold (no target)"
    share = found.recall[STRONG]
    yield Row(name, f"{share * found.events:,.0f}", f"{found.events:,}", share, 0)


def reassessing(directory: Path) -> Iterator[Row]:
    from bench import reassessing as bench

    found = bench.measure(directory)
    for what, seconds, target in (("judging them again", found.seconds, 2), ("the dry run", found.dry_run_s, 1.5)):
        name = f"{found.touched:,} of {bench.STORED:,} incidents touched, {what} | in memory"
        ratio = seconds / found.in_memory_s
        yield Row(name, f"{seconds:.2f} s", f"{found.in_memory_s:.2f} s", ratio, target, at_least=False)
    name = "p99 of an alert beside it | without it"
    ours, usual = (f"{ms:.1f} ms" for ms in (found.beside_p99_ms, found.usual_p99_ms))
    yield Row(name, ours, usual, found.beside_p99_ms / found.usual_p99_ms, 2, at_least=False)


def storage(directory: Path) -> Iterator[Row]:
    from bench import storage as bench

    example = bench.measure_sqlite(directory / "example", bench.worked_example())
    sent = bench.generated(bench.GENERATED)
    sqlite = bench.measure_sqlite(directory / "sqlite", sent)
    postgres = bench.measure_postgres(directory / "postgres", sent)
    for name, stored in (("SQLite, worked example", example), ("SQLite", sqlite), ("PostgreSQL", postgres)):
        print("\n".join(bench.tell(name, stored)))
    for name, stored in (("SQLite", sqlite), ("PostgreSQL", postgres)):
        measure = f"bytes on disk for a report with one delivery, {name} | 5 kB"
        yield Row(measure, f"{stored.kept:,.0f} B", "5,000 B", stored.kept / 5_000, 1, at_least=False)


ROWS: dict[str, Callable[[Path], Iterator[Row]]] = {
    "intake": intake,
    "evaluation": evaluation,
    "end-to-end": end_to_end,
    "channels": channels,
    "fairness": fairness,
    "fanout": fanout,
    "growth": growth,
    "services": services,
    "distributed": distributed,
    "backtest": backtest,
    "importing": importing,
    "links": links,
    "reassessing": reassessing,
    "storage": storage,
}


def show(row: Row) -> str:
    sign = "≥" if row.at_least else "≤"
    verdict = "met" if row.met else "NOT MET"
    return f"{row.measure:<82} {row.ours:>12} {row.peer:>12} {row.ratio:>9.2f} ×  {sign} {row.target:<5g} {verdict}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], help="which rows; all by default")
    parser.add_argument("--out", type=Path, help="keep the results as JSON")
    asked = parser.parse_args()
    tune()
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}")
    found: list[Row] = []
    for name in asked.rows or ROWS:
        with tempfile.TemporaryDirectory() as directory:
            for row in ROWS[name](Path(directory)):
                found.append(row)
                print(show(row), flush=True)
    if asked.out:
        asked.out.write_text(json.dumps([asdict(row) for row in found], indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
