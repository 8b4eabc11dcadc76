"""``trucewatch replay``: a file of reports, sent with a progress bar."""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, TextIO
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from schemas.zones import find_zone
from services.cli.ask import FILE_REFUSED, ask, client_options, complain, say
from services.cli.client import Api
from services.cli.replay import Summary, send_reports, shown_refusals, wait_for_verdicts
from services.cli.report_files import Line, read_csv, read_json_lines, read_ucdp
from services.shared.clock import SystemClock

Form = Literal["jsonl", "csv", "ucdp"]
SHOWN_REFUSALS: Final = 50
INTERRUPTED: Final = 130


def _zone(_context: click.Context, _parameter: click.Parameter, name: str | None) -> ZoneInfo | None:
    try:
        return None if name is None else find_zone(name)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--csv", "as_csv", is_flag=True, help="FILE is CSV, whatever its name.")
@click.option("--ucdp", is_flag=True, help="FILE is UCDP GED as it is published (docs/ucdp.md has the mapping).")
@click.option("--timezone", "zone", callback=_zone, help="Zone of UCDP's local days; by default the registry's.")
@click.option("--wait", is_flag=True, help="Wait until all is judged, then count the verdicts.")
@client_options
def replay(file: Path, as_csv: bool, ucdp: bool, zone: ZoneInfo | None, wait: bool, url: str, key: str | None) -> None:
    """Send a FILE of reports: JSON Lines, or CSV with dotted columns (location.lat) and ';' in lists.

    What was sent before counts as unchanged, so a run that broke off is simply run again.
    """
    form: Form = "ucdp" if ucdp else "csv" if as_csv or file.suffix.lower() == ".csv" else "jsonl"
    try:
        summary = ask(url, key, lambda api: _send(api, file, form, zone))
        _tell(summary)
        if wait and summary.taken:
            _tell_verdicts(ask(url, key, lambda api: _judged(api, summary)))
    except KeyboardInterrupt:
        complain("stopped; run it again to go on: nothing is taken twice")
        sys.exit(INTERRUPTED)
    if summary.refused:
        sys.exit(FILE_REFUSED)


async def _send(api: Api, path: Path, form: Form, zone: ZoneInfo | None) -> Summary:
    if form == "ucdp" and zone is None:
        zone = find_zone((await api.get("/v1/registry"))["timezone"])
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file, _progress() as progress:
        task = progress.add_task("sending", total=_size(path), told="")

        def show(summary: Summary) -> None:
            told = f"{summary.lines} reports" + (f", {len(summary.refused)} refused" if summary.refused else "")
            progress.update(task, completed=os.lseek(file.fileno(), 0, os.SEEK_CUR), told=told)

        return await send_reports(api, _read(file, form, zone), show)


def _size(path: Path) -> int:
    return path.stat().st_size


def _read(file: TextIO, form: Form, zone: ZoneInfo | None) -> Iterator[Line]:
    if form == "ucdp":
        assert zone is not None
        return read_ucdp(file, zone)
    return read_csv(file) if form == "csv" else read_json_lines(file)


async def _judged(api: Api, summary: Summary) -> Counter[str]:
    with _progress() as progress:
        task = progress.add_task("judging", total=len(summary.taken), told="")
        return await wait_for_verdicts(
            api, summary.taken, SystemClock().sleep, lambda done: progress.update(task, completed=done)
        )


@contextmanager
def _progress() -> Iterator[Progress]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield progress


def _tell(summary: Summary) -> None:
    for text in shown_refusals(summary.refused, SHOWN_REFUSALS):
        complain(escape(text))
    say(f"{summary.accepted} accepted, {summary.unchanged} unchanged, {len(summary.refused)} refused")


def _tell_verdicts(verdicts: Counter[str]) -> None:
    for verdict, count in verdicts.most_common():
        say(f"{count:8} {verdict}")
