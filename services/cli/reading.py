"""A file as the commands read it: what it is in words, its rows checked as the server checks them."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from schemas.vocabulary import Language
from schemas.wording.words import Words, words
from services.cli.sending import Taken
from services.client import AsyncClient
from services.connectors.explain import check_draft
from services.connectors.file_facts import FileFacts, FileSurvey, OpenedFile
from services.connectors.files import read_outcomes
from services.connectors.model import (
    AdapterMap,
    NotYetReport,
    NumberedOutcome,
    RefusedRow,
    ReportDraft,
    RowContext,
    RowOutcome,
    WithdrawnReport,
)
from services.platform.http.problems import Problem
from services.platform.reports import read_report

#: The fates of a row.
Fate = Literal["new", "revised", "unchanged", "withdrawn", "not_yet", "refused"]
SEPARATORS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
#: Names in one question to the server: as many as one side of a report may hold.
_NAMES_A_QUESTION: Final = 50


def describe(name: str, facts: FileFacts, language: Language) -> Iterator[str]:
    """One sentence that says what the file is; a second where it is one page of several."""
    say = words(language)
    parts = [say.say(f"import.kind.{facts.kind}"), say.say(f"import.form.{facts.form}"), *_details(facts, say)]
    yield say.say("import.file", file=say.foreign(name), facts=say.join(parts))
    if facts.next_page:
        yield say.say("import.next_page", url=say.foreign(facts.next_page))


def _details(facts: FileFacts, say: Words) -> Iterator[str]:
    if facts.sheet is not None:
        yield say.say("import.sheet", sheet=say.foreign(facts.sheet))
    if facts.encoding is not None:
        yield facts.encoding.upper() if facts.encoding.startswith("utf") else facts.encoding
    if facts.marked:
        yield say.say("import.marked")
    if facts.packed:
        yield say.say("import.packed")
    if facts.separator is not None:
        yield say.say(f"import.separator.{SEPARATORS[facts.separator]}")
    if facts.decimal_comma:
        yield say.say("import.decimal_comma")
    if facts.form in ("csv", "xlsx"):
        line = facts.header_line
        yield say.say("import.header", line=line) if line else say.say("import.no_header")


def checked(opened: OpenedFile, context: RowContext, surveyed: FileSurvey, now: int) -> Iterator[NumberedOutcome]:
    """Every row's outcome; a report that the server would refuse is a refusal of its columns. ``now`` is an instant."""
    find = _finder(now, context.zone)
    for numbered in read_outcomes(opened, context, surveyed):
        draft = numbered.outcome
        yield NumberedOutcome(numbered.line, check_draft(draft, find)) if isinstance(draft, ReportDraft) else numbered


def _finder(now: int, zone: ZoneInfo) -> Callable[[object], list[tuple[str, str]]]:
    def find(report: object) -> list[tuple[str, str]]:
        try:
            read_report(msgspec.json.encode(report), now, zone)
        except Problem as problem:
            found = [(error.pointer, error.detail) for error in problem.errors]
            return found or [("", problem.detail or problem.title)]
        except (msgspec.MsgspecError, UnicodeEncodeError, OverflowError, RecursionError) as error:
            return [("", str(error))]
        return []

    return find


def count_names(draft: ReportDraft, into: Counter[str]) -> None:
    """Count the names of one report."""
    for side in ("perpetrators", "targets"):
        into.update(draft.report.get(side, ()))


async def find_unknown(api: AsyncClient, names: Counter[str]) -> list[tuple[str, int]]:
    """The names that resolve to no party, most frequent first. The server is asked by reports that it does not keep."""
    unknown: set[str] = set()
    ordered = list(names)
    for start in range(0, len(ordered), _NAMES_A_QUESTION):
        question = {
            "external_id": "names",
            "occurred": {"date": "2016-03-01"},
            "act": "other",
            "location": {"lat": 0.1, "lon": 0.1},
            "source": {"name": "import"},
            "perpetrators": ordered[start : start + _NAMES_A_QUESTION],
        }
        assessment = await api.evaluate_report(question)
        told = [*assessment["reasons"], *(r for finding in assessment["findings"] for r in finding["reasons"])]
        unknown.update(r["fact"]["reported"] for r in told if r["code"] == "unresolved_party")
    return [(name, count) for name, count in names.most_common() if name in unknown]


def read_map(path: Path) -> AdapterMap:
    """The operator's tables from a JSON file. Raises ValueError, saying what is wrong."""
    try:
        return msgspec.json.decode(path.read_bytes().removeprefix(b"\xef\xbb\xbf"), type=AdapterMap)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{path.name}: {error}") from error


def find_fate(outcome: RowOutcome, taken: Taken | None) -> Fate:
    """The fate of one row; ``taken`` is the revision that its report or withdrawal would be."""
    match outcome:
        case RefusedRow():
            return "refused"
        case NotYetReport():
            return "not_yet"
        case WithdrawnReport():
            return "unchanged" if taken is None else "withdrawn"
    if taken is None or not taken.fresh:
        return "unchanged"
    return "new" if taken.revision == 1 else "revised"


def tell_fate(numbered: NumberedOutcome, fate: Fate, taken: Taken | None, language: Language) -> str:
    """The fate of one row, in one line."""
    say, outcome = words(language), numbered.outcome
    facts = {
        "act": say.name("act", outcome.report["act"]) if isinstance(outcome, ReportDraft) else "",
        "revision": "" if taken is None else say.number(taken.revision),
        "reason": outcome.reason if isinstance(outcome, NotYetReport) else "",
    }
    told = say.say(f"import.fate.{fate}", **facts)
    return say.say("import.row", line=numbered.line, id=say.foreign(outcome.external_id or "?"), fate=told)
