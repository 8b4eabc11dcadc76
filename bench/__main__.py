"""``python -m bench [ROW …]``: every measure beside its peer, in one run, with its target.

What was measured is kept in ``bench/results.json``, beside what was measured before, and ``--tables`` puts the tables
of :mod:`bench.measures` into the two READMEs.
"""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import measures
from bench.measures import Figure, figure
from services.start import tune


def intake(directory: Path) -> Iterator[Figure]:
    from bench import intake as bench

    single, batches = bench.measure(directory)
    yield figure("intake.single", *zip(*single, strict=True))
    yield figure("intake.batch", *zip(*batches, strict=True))


def evaluation(_: Path) -> Iterator[Figure]:
    from bench import evaluate as bench

    rounds = [{truces: bench.measure(truces) for truces in (100, 1_000, 10_000)} for _ in range(3)]
    for truces in (1_000, 10_000):
        found = [one[truces] for one in rounds]
        yield figure(f"search.{truces}", (1e6 / one.search for one in found), (1e6 / one.loop for one in found))
    yield figure("assess.truces", (one[10_000].assess for one in rounds), (one[100].assess for one in rounds))


def end_to_end(directory: Path) -> Iterator[Figure]:
    from bench import end_to_end as bench
    from bench import fanout, floor

    found = bench.measure(directory, floor.relay, fanout.bare_loop)
    yield figure("alert.cpu", found.cpu_us, found.loop_cpu_us)
    yield figure("alert.rate", found.rate, found.loop)
    yield figure("alert.rate.am", found.rate, found.alertmanager)
    for rate in bench.RATES:
        for k, share in enumerate(("p50", "p99")):
            ours, relay = ((one[k] for one in found_ms[rate]) for found_ms in (found.ours_ms, found.relay_ms))
            yield figure(f"alert.{rate:.0f}.{share}", ours, relay)


def channels(_: Path) -> Iterator[Figure]:
    from bench import channels as bench
    from bench import recorded

    recording, hooks, mail = recorded.measure(), bench.measure_webhooks(), bench.measure_mail()
    yield figure("webhooks.httpx", recording, hooks.peers["httpx"])
    yield figure("webhooks.loop", recording, hooks.peers["aiohttp"])
    yield figure("letters", mail.ours, (2_000 for _ in mail.ours))


def fairness(_: Path) -> Iterator[Figure]:
    from bench import fairness as bench

    yield figure("fairness", *zip(*bench.measure(), strict=True))


def fanout(directory: Path) -> Iterator[Figure]:
    from bench import fanout as bench

    yield figure("fanout.loop", *zip(*bench.measure(directory), strict=True))


def growth(directory: Path) -> Iterator[Figure]:
    from bench import growth as bench

    found = bench.measure(directory)
    yield figure("growth.memory", *([size / 2**20] for size in found.memory))
    yield figure("growth.start", *zip(*found.start_s, strict=True))
    for what, (many, few) in found.reading_ms.items():
        yield figure(f"read.{what}", [many], [few])


def services(directory: Path) -> Iterator[Figure]:
    from bench import growth as bench

    for kind, (few, many) in bench.measure_services(directory).items():
        yield figure(f"growth.{kind}", [many / 2**20], [few / 2**20])


def distributed(directory: Path) -> Iterator[Figure]:
    from bench import distributed as bench

    found = bench.measure(directory)
    yield figure("kafka.producing", [found.producing], [found.faststream])
    yield figure("kafka.rules", [found.one.rate], [found.faststream])
    yield figure("kafka.judging", [found.judging], [found.faststream])
    yield figure("kafka.cpu", [found.two.cpu_us], [found.one.cpu_us])
    for k, share in enumerate(("p50", "p99")):
        ours, embedded = ((one[k] for one in each) for each in (found.distributed_ms, found.embedded_ms))
        yield figure(f"kafka.200.{share}", ours, embedded)


def backtest(directory: Path) -> Iterator[Figure]:
    from bench import backtest as bench

    yield figure("backtest", [bench.measure(directory) * 1000], [50])


def importing(directory: Path) -> Iterator[Figure]:
    from bench import importing as bench

    found = bench.measure(directory)
    yield figure("import.rate", [found.imported], [found.decoded])
    yield figure("import.memory", [found.memory / 1e6], [300])


def links(_: Path) -> Iterator[Figure]:
    from bench import links as bench
    from services.rules.linking.domain.score import STRONG

    found = bench.measure()
    for line in bench.tell(found):
        print(line)
    yield figure("links", [found.recall[STRONG] * found.events], [found.events])


def reassessing(directory: Path) -> Iterator[Figure]:
    from bench import reassessing as bench

    found = bench.measure(directory)
    yield figure("again.time", [found.seconds], [found.in_memory_s])
    yield figure("again.dry", [found.dry_run_s], [found.in_memory_s])
    yield figure("again.p99", [found.beside_p99_ms], [found.usual_p99_ms])


def storage(directory: Path) -> Iterator[Figure]:
    from bench import storage as bench

    example = bench.measure_sqlite(directory / "example", bench.worked_example())
    sent = bench.generated(bench.GENERATED)
    sqlite = bench.measure_sqlite(directory / "sqlite", sent)
    postgres = bench.measure_postgres(directory / "postgres", sent)
    for name, stored in (("SQLite, worked example", example), ("SQLite", sqlite), ("PostgreSQL", postgres)):
        print("\n".join(bench.tell(name, stored)))
    yield figure("bytes.sqlite", [sqlite.kept], [5_000])
    yield figure("bytes.postgresql", [postgres.kept], [5_000])


ROWS: dict[str, Callable[[Path], Iterator[Figure]]] = {
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


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], help="which rows; all by default")
    parser.add_argument("--out", type=Path, default=measures.RESULTS, help="where results are kept, as JSON")
    parser.add_argument("--tables", action="store_true", help="measure nothing, write the tables of the READMEs anew")
    asked = parser.parse_args()
    if asked.tables:
        measures.write_tables()
        return
    tune()
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {sys.version.split()[0]}"
    print(machine)
    for name in asked.rows or ROWS:
        with tempfile.TemporaryDirectory() as directory:
            for found in ROWS[name](Path(directory)):
                print(measures.tell(found), flush=True)
                measures.keep([found], machine, asked.out)


if __name__ == "__main__":
    main()
