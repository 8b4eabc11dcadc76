"""An old file sent again undoes no correction, whoever sends it when. On both databases."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from schemas.events import Actor
from schemas.report import Report
from schemas.time_span import TimeSpan
from services.ingest.bootstrap import _take
from services.ingest.domain import name_incident
from services.ingest.incident_view import find_incident
from services.ingest.use_cases import Command, Filing, IntakeOutcome, NotMatched, Recorded, Retraction, Stale
from services.ingest.withheld import EVERYTHING
from services.platform.db.engine import Database
from services.platform.db.group import GroupWriter
from services.platform.settings.config import embedded_url
from tests.component.ingest.running import report
from tests.examples import examples
from tests.tables import create_tables

OWNER: Final = "partner-a"
ID: Final = name_incident(OWNER, "a")


def filing(text: str, if_match: Sequence[int] | None = None, external_id: str = "a") -> Filing:
    made = msgspec.convert(report(external_id=external_id, description=text), Report)
    named = None if if_match is None else frozenset(if_match)
    return Filing(name_incident(OWNER, external_id), OWNER, made, TimeSpan(0, 10), 1000, if_match=named)


def retraction(reason: str, if_match: Sequence[int] | None = None) -> Retraction:
    named = None if if_match is None else frozenset(if_match)
    return Retraction(ID, reason, OWNER, Actor("p1", OWNER), 1000, if_match=named)


async def take(database: Database, *commands: Command) -> list[IntakeOutcome]:
    return await database.write(lambda connection: _take(connection, commands))


async def said(database: Database) -> list[tuple[str, bool]]:
    """The content of each revision, the oldest first, and whether it is a retraction."""
    found = await database.read(lambda connection: find_incident(connection, ID, EVERYTHING))
    assert found is not None
    return [(_read(one.report), one.retracted is not None) for one in reversed(found.revisions)]


def _read(raw: Any) -> str:
    return msgspec.json.decode(bytes(raw), type=Report).description


async def test_an_earlier_revisions_content_is_stale_in_another_transaction_and_in_the_same(database: Database) -> None:
    await take(database, filing("first"))
    await take(database, filing("second"))
    assert await take(database, filing("first")) == [Stale(ID, 1, 2)]
    assert await take(database, filing("third"), filing("second"), filing("third")) == [
        Recorded(ID, 3, fresh=True), Stale(ID, 2, 3), Recorded(ID, 3, fresh=False),
    ]  # fmt: skip
    assert await said(database) == [("first", False), ("second", False), ("third", False)]


async def test_whoever_names_the_latest_revision_may_go_back_to_what_was_said_before(database: Database) -> None:
    await take(database, filing("first"), filing("second"))
    assert await take(database, filing("first", [1])) == [NotMatched(2)]
    assert await take(database, filing("first", [2])) == [Recorded(ID, 3, fresh=True)]
    assert await take(database, filing("second")) == [Stale(ID, 2, 3)]
    assert await take(database, filing("first", [2])) == [Recorded(ID, 3, fresh=False)], "an answer that was lost"
    assert await take(database, filing("new", [1], "b")) == [NotMatched(None)]


async def test_a_retraction_stands_against_what_was_said_before_it(database: Database) -> None:
    await take(database, filing("first"), filing("second"), retraction("withdrawn"))
    assert await take(database, filing("second")) == [Recorded(ID, 3, fresh=False)]
    assert await take(database, filing("first")) == [Stale(ID, 1, 3)]
    assert await take(database, retraction("again", [2])) == [NotMatched(3)]
    assert await take(database, filing("third")) == [Recorded(ID, 4, fresh=True)]


async def test_old_files_sent_by_two_processes_while_corrections_come_undo_none(
    database_url: str, database: Database
) -> None:
    other = Database(database_url)
    await take(database, filing("old"), filing("new"))
    writers = [GroupWriter[Command, IntakeOutcome](one, _take) for one in (database, other)]
    texts = [text for n in range(20) for text in ("old", f"correction {n}")]
    outcomes = await asyncio.gather(*(writers[n // 2 % 2].write([filing(text)]) for n, text in enumerate(texts)))
    assert all(isinstance(one, Stale) == (text == "old") for (one,), text in zip(outcomes, texts, strict=True))
    everything = [text for text, _ in await said(database)]
    assert everything[:2] == ["old", "new"]
    assert sorted(everything[2:]) == sorted(f"correction {n}" for n in range(20))
    await other.close()


_TEXTS = st.sampled_from(["a", "b", "c"])
_TAGS = st.none() | st.lists(st.integers(1, 6), min_size=1, max_size=2)
_COMMANDS = st.lists(st.tuples(st.sampled_from(["file", "file", "retract"]), _TEXTS, _TAGS), max_size=12)


@given(_COMMANDS, st.integers(1, 12))
@examples(60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_whatever_is_sent_in_whatever_order_and_units_the_history_is_the_naive_one(
    tmp_path_factory: Any, asked: Sequence[tuple[str, str, Sequence[int] | None]], unit: int
) -> None:
    directory: Path = tmp_path_factory.mktemp("history")
    assert asyncio.run(_play(directory, asked, unit)) == _naive(asked)


async def _play(
    directory: Path, asked: Sequence[tuple[str, str, Sequence[int] | None]], unit: int
) -> list[IntakeOutcome]:
    database = Database(embedded_url(directory))
    create_tables(database.engine)
    made: list[Command] = [filing(text, tags) if do == "file" else retraction(text, tags) for do, text, tags in asked]
    found = [one for n in range(0, len(made), unit) for one in await take(database, *made[n : n + unit])]
    await database.close()
    return found


def _naive(asked: Sequence[tuple[str, str, Sequence[int] | None]]) -> list[IntakeOutcome | None]:
    """The rule in its words, over a plain list of (report, reason of the retraction)."""
    history: list[tuple[str, str | None]] = []
    return [_naive_one(history, *one) for one in asked]


def _naive_one(
    history: list[tuple[str, str | None]], do: str, text: str, tags: Sequence[int] | None
) -> IntakeOutcome | None:
    from services.ingest.use_cases import UnknownIncident

    latest = len(history)
    if do == "retract" and not history:
        return UnknownIncident()
    if history and text == (history[-1][0] if do == "file" else history[-1][1]):
        return Recorded(ID, latest, fresh=False)
    if tags is not None and latest not in tags:
        return NotMatched(latest or None)
    if do == "retract":
        history.append((history[-1][0], text))
        return Recorded(ID, latest + 1, fresh=True)
    earlier = [n for n, (before, reason) in enumerate(history, 1) if before == text and reason is None]
    if earlier and tags is None:
        return Stale(ID, earlier[-1], latest)
    history.append((text, None))
    return Recorded(ID, latest + 1, fresh=True)
