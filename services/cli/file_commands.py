"""``trucewatch import`` and ``trucewatch replay``: files of reports, looked at as a whole, then sent."""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn, get_args
from zoneinfo import ZoneInfo

import click
import msgspec
from rich.markup import escape
from rich.progress import Progress, TaskID

from schemas.vocabulary import Language
from schemas.wording.words import Words, words
from schemas.zones import find_zone
from services.cli.ask import FILE_REFUSED, ask, client_options, complain, say
from services.cli.language import spoken_language
from services.cli.progress import progress_bar
from services.cli.reading import Fate, checked, count_names, describe, find_fate, find_unknown, read_map, tell_fate
from services.cli.release import Release, find_missing_events, note_events
from services.cli.sending import Refusal, Summary, preview_outcomes, send_outcomes, told_refusals, wait_for_verdicts
from services.client import AsyncClient
from services.connectors.decoding import Encoding
from services.connectors.fault_sentences import tell_fault
from services.connectors.file_facts import FileKind, FileSurvey, OpenedFile, ReadingOptions
from services.connectors.files import open_file, survey
from services.connectors.model import (
    AdapterMap,
    NumberedOutcome,
    RefusedRow,
    RefusedRowError,
    ReportDraft,
    RowContext,
    RowFault,
)
from services.platform.clock import SystemClock

SHOWN_FAULTS: Final = 50
INTERRUPTED: Final = 130


def _zone(_context: click.Context, _parameter: click.Parameter, name: str | None) -> ZoneInfo | None:
    try:
        return None if name is None else find_zone(name)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _tables(_context: click.Context, _parameter: click.Parameter, path: Path | None) -> AdapterMap:
    try:
        return AdapterMap() if path is None else read_map(path)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


_FILE: Final = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
_ZONE: Final = click.option(
    "--timezone", "zone", callback=_zone, help="Zone of local days in the file; by default the registry's."
)
_DRY_RUN: Final = click.option(
    "--dry-run", is_flag=True, help="Show what would become of each row, and names that no table knows; change nothing."
)
_WAIT: Final = click.option("--wait", is_flag=True, help="Wait until all is judged, then count the verdicts.")


class FileJob(msgspec.Struct, frozen=True):
    """The options of one command. ``tables`` None: it takes no map."""

    file: Path
    opened: OpenedFile
    zone: ZoneInfo | None
    language: Language
    tables: AdapterMap | None = None
    dry_run: bool = False
    full_release: bool = False
    wait: bool = False


@click.command()
@_FILE
@click.option("--csv", "as_csv", is_flag=True, help="FILE is CSV, whatever its name (what it holds shows it, too).")
@click.option("--ucdp", is_flag=True, help="FILE is UCDP GED as it is published (docs/ucdp.md has the mapping).")
@_DRY_RUN
@_ZONE
@_WAIT
@client_options
def replay(
    file: Path, as_csv: bool, ucdp: bool, dry_run: bool, zone: ZoneInfo | None, wait: bool, url: str, key: str | None
) -> None:
    """Send a FILE of reports: JSON Lines, or CSV with dotted columns (location.lat) and ';' in lists.

    What was sent before counts as unchanged, so a run that broke off is simply run again. A file of others is read by
    trucewatch import.
    """
    language = spoken_language()
    kinds: tuple[FileKind, ...] = ("ucdp",) if ucdp else ("reports",)
    opened = _open(file, ReadingOptions(kind="ucdp" if ucdp else None, otherwise="reports"), language)
    if opened.facts.kind not in kinds:
        spoken = words(language)
        kind = spoken.say(f"import.kind.{opened.facts.kind}")
        complain(escape(spoken.say("import.not_ours", kind=kind, file=file.name)))
        sys.exit(FILE_REFUSED)
    _run(FileJob(file, opened, zone, language, dry_run=dry_run, wait=wait), url, key)


@click.command("import")
@_FILE
@click.option("--kind", type=click.Choice(get_args(FileKind)), help="What FILE is, where it does not show it.")
@click.option(
    "--map",
    "tables",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    callback=_tables,
    help="JSON with fields, choices and names: their words to ours (docs/importing.md).",
)
@_DRY_RUN
@click.option("--sheet", help="The sheet of an Excel file, where several hold data.")
@click.option("--encoding", type=click.Choice(get_args(Encoding)), help="By default it is found out.")
@click.option("--full-release", is_flag=True, help="UCDP: take back events that a newer release no longer has.")
@_ZONE
@_WAIT
@client_options
def import_file(
    file: Path,
    kind: FileKind | None,
    tables: AdapterMap,
    dry_run: bool,
    sheet: str | None,
    encoding: Encoding | None,
    full_release: bool,
    zone: ZoneInfo | None,
    wait: bool,
    url: str,
    key: str | None,
) -> None:
    """Send the events of a FILE: ACLED, UCDP GED, HXL, a table, reports; as CSV, Excel or JSON, also with gzip.

    Says what the file is, and what is wrong with it. Sent again, a file changes nothing, so a run that broke off is
    simply run again.
    """
    language = spoken_language()
    opened = _open(file, ReadingOptions(kind=kind, encoding=encoding, sheet=sheet, tables=tables), language)
    for sentence in describe(file.name, opened.facts, language):
        say(escape(sentence))
    _run(FileJob(file, opened, zone, language, tables, dry_run, full_release, wait), url, key)


def _open(file: Path, options: ReadingOptions, language: Language) -> OpenedFile:
    try:
        return open_file(file.read_bytes(), options)
    except RefusedRowError as error:
        _refuse_file(file, error.faults, language)


def _refuse_file(file: Path, faults: tuple[RowFault, ...], language: Language) -> NoReturn:
    for fault in faults:
        complain(escape(f"{file.name}: {tell_fault(fault, language)}"))
    sys.exit(FILE_REFUSED)


def _run(job: FileJob, url: str, key: str | None) -> None:
    try:
        refused = ask(url, key, lambda api: _rehearse(api, job) if job.dry_run else _send(api, job))
    except KeyboardInterrupt:
        complain(words(job.language).say("import.stopped"))
        sys.exit(INTERRUPTED)
    if refused:
        sys.exit(FILE_REFUSED)


async def _begin(api: AsyncClient, job: FileJob) -> tuple[RowContext, FileSurvey]:
    zone = job.zone or find_zone((await api.get("/v1/registry"))["timezone"])
    context = RowContext(job.tables or AdapterMap(), zone)
    surveyed = survey(job.opened, context)
    if not surveyed.rows:
        _refuse_file(job.file, (RowFault("nothing_read"),), job.language)
    return context, surveyed


async def _send(api: AsyncClient, job: FileJob) -> bool:
    """Whether anything was refused."""
    context, surveyed = await _begin(api, job)
    told, release = words(job.language), Release()
    with progress_bar() as progress:
        task = progress.add_task(told.say("import.sending"), total=surveyed.rows, told="")
        summary = await send_outcomes(
            api,
            note_events(_outcomes(job, context, surveyed), release, context.zone),
            lambda sent: _show(progress, task, sent, told),
        )
        if job.full_release:
            missing = await find_missing_events(api, release, summary, context.zone)
            await send_outcomes(api, missing, lambda _: None, summary)
    _tell(summary, told)
    if job.wait and summary.taken:
        for verdict, count in (await _judged(api, summary, told)).most_common():
            say(f"{count:8} {verdict}")
    return bool(summary.refused)


def _outcomes(job: FileJob, context: RowContext, surveyed: FileSurvey) -> Iterator[NumberedOutcome]:
    return checked(job.opened, context, surveyed, SystemClock().now())


async def _rehearse(api: AsyncClient, job: FileJob) -> bool:
    """Tell the fate of each row as the server would decide it, which keeps none. Whether anything would be refused."""
    context, surveyed = await _begin(api, job)
    told, names, refused = words(job.language), Counter[str](), list[Refusal]()
    counts = Counter[Fate]()
    async for numbered, taken in preview_outcomes(api, _outcomes(job, context, surveyed)):
        fate = find_fate(numbered.outcome, taken)
        say(escape(tell_fate(numbered, fate, taken, job.language)))
        counts[fate] += 1
        if isinstance(numbered.outcome, ReportDraft):
            count_names(numbered.outcome, names)
        elif isinstance(numbered.outcome, RefusedRow):
            refused.append(Refusal(numbered.line, numbered.outcome))
    _tell_faults(refused, told)
    if unknown := await find_unknown(api, names):
        # As lines of a map's names, where there can be one.
        end = ': "",' if job.tables is not None else ""
        say(escape(told.say("import.unknown_names" if job.tables is not None else "import.unresolved_names")))
        for name, count in unknown:
            say(escape(f"{count:6}  {msgspec.json.encode(name).decode()}{end}"))
    summed = {fate: told.number(counts[fate]) for fate in get_args(Fate)}
    summed["unchanged"] = told.number(counts["unchanged"] + counts["not_yet"])
    say(told.say("import.dry_run", **summed))
    return bool(refused)


def _show(progress: Progress, task: TaskID, summary: Summary, told: Words) -> None:
    parts = [told.count("reports", summary.lines)]
    if summary.refused:
        parts.append(told.count("import.refused", len(summary.refused)))
    progress.update(task, completed=summary.lines, told=told.join(parts))


async def _judged(api: AsyncClient, summary: Summary, told: Words) -> Counter[str]:
    with progress_bar() as progress:
        task = progress.add_task(told.say("import.judging"), total=len(summary.taken), told="")
        return await wait_for_verdicts(
            api, summary.taken, SystemClock().sleep, lambda done: progress.update(task, completed=done)
        )


def _tell(summary: Summary, told: Words) -> None:
    _tell_faults(summary.refused, told)
    counts = {name: told.number(n) for name, n in summary.counts().items()}
    parts = [told.say("import.summary", **counts)]
    if summary.withdrawn:
        parts.append(told.count("import.withdrawn", summary.withdrawn))
    say(told.join(parts))


def _tell_faults(refused: list[Refusal], told: Words) -> None:
    for text in told_refusals(refused, SHOWN_FAULTS, told.language):
        complain(escape(text))
