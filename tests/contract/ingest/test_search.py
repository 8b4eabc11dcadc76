"""Incidents are found by their words, on both databases, by an index."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, create_engine, insert

from schemas.report import Report
from schemas.zones import UTC
from services.ingest import text_search
from services.ingest.facets import GROUPS
from services.ingest.listing import Listed, list_incidents
from services.ingest.sql import SqlIncidents
from services.ingest.statistics import add_up
from services.ingest.tallies import period_starts
from services.ingest.use_cases import Filing, follow_assessments, follow_deaths, take
from services.ingest.withheld import EVERYTHING, Reader
from services.ingest.words import fold
from services.platform.paging import PageQuery
from tests.component.ingest.running import report
from tests.contract.ingest.test_facets import NoAnswers, event_of, make_incidents
from tests.contract.ingest.test_statistics import with_claims
from tests.plans import plans_of
from tests.tables import create_tables

MIGRATIONS: Final = Path(__file__).parents[3] / "deploy" / "migrations"
SAID: Final = (
    "Shells on Midan, Aleppo", "قصف على حي الميدان في حَلَب", "Обстрел Алеппо: ёлка", "shelling, 2 killed", "", "Ḥayyān",
    "state-tv said O'Brien", "100% _sure_ \"quoted\"",
)  # fmt: skip
SOUGHT: Final = (
    "aleppo", "ALEP", "حلب", "الميدان", "алеппо елка", "shell", "hayyan", "tv state", "obrien", "quoted", "0042", "100",
    "sure", "nothing", "a'b", "-", "midan aleppo", "opposition",
)  # fmt: skip


def told(number: int) -> dict[str, Any]:
    """Every third one is of a source whose words are withheld."""
    source = {"name": "State media", **({} if number % 3 else {"terms": "no_redistribution"})}
    said = SAID[number % len(SAID)]
    return report(external_id=f"{number:04}-{said[:3]}", description=said, source=source)


def file(connection: Connection, ids: list[str], numbers: list[int]) -> None:
    spans = make_incidents(len(ids))
    filings = [
        Filing(id, "p", msgspec.convert(told(number), Report), one.span, number)
        for id, number, one in zip(ids, numbers, spans, strict=True)
    ]
    take(SqlIncidents(connection), NoAnswers(), filings)


@pytest.fixture
def kept(database_url: str) -> Iterator[tuple[Engine, dict[str, dict[str, Any]]]]:
    """Sixty incidents, of which the last ten were corrected, and the last was given up on."""
    engine = create_engine(database_url)
    incidents = [with_claims(number, one) for number, one in enumerate(make_incidents(60))]
    create_tables(engine)
    ids = [one.id for one in incidents]
    with engine.begin() as connection:
        file(connection, ids, list(range(60)))
        follow_assessments(SqlIncidents(connection), [event_of(one) for one in incidents[:59]])
        file(connection, ids[50:], list(range(1050, 1060)))
    with engine.begin() as connection:
        newer = [msgspec.structs.replace(event_of(one, 2), revision=2) for one in incidents[50:59]]
        follow_assessments(SqlIncidents(connection), newer)
        follow_deaths(SqlIncidents(connection), [(ids[59], 2)])
    numbers = {id: number if number < 50 else number + 1000 for number, id in enumerate(ids)}
    yield engine, {id: told(number) for id, number in numbers.items()}
    engine.dispose()


def words_in(one: dict[str, Any], reader: Reader) -> list[str]:
    shown = reader.gets_all or "terms" not in one["source"]
    texts = [one["external_id"], one["description"] if shown else "", one["location"].get("place", "")]
    return [word for text in (*texts, *one["perpetrators"], *one["targets"]) for word in fold(text)]


@given(
    sought=st.lists(st.sampled_from(SOUGHT), min_size=1, max_size=2),
    few=st.booleans(),
    reader=st.sampled_from((EVERYTHING, Reader(gets_all=False))),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
def test_a_search_finds_just_the_incidents_with_all_words_however_many_they_are(
    kept: tuple[Engine, dict[str, dict[str, Any]]], sought: list[str], few: bool, reader: Reader
) -> None:
    engine, told_of = kept
    texts = {id: words_in(one, reader) for id, one in told_of.items()}
    sought = [one for one in dict.fromkeys(sought) if fold(one)]
    if not sought:
        return
    query = PageQuery("occurred", True, None, 100, None, None, {"q": tuple(sought)})
    with pytest.MonkeyPatch.context() as patch, engine.connect() as connection:
        patch.setattr(text_search, "MOST_FOUND", 20_000 if few else 0)
        found = {one.summary.incident_id for one in list_incidents(connection, query, reader)}
        series = add_up(connection, query, [f"{kind}/shelling" for kind in GROUPS], period_starts("month", UTC), reader)
    expected = {
        id for id, text in texts.items()
        if any(all(any(w.startswith(word) for w in text) for word in fold(one)) for one in sought)
    }  # fmt: skip
    assert found == expected
    assert sum(tally.incidents for days in series.values() for tally in days.values()) <= len(expected)


def test_the_index_of_words_leads_to_the_incidents(database_url: str) -> None:
    engine = create_engine(database_url)
    create_tables(engine)
    with engine.begin() as connection:
        incidents = make_incidents(1_100)
        file(connection, [one.id for one in incidents], list(range(1_100)))
        others = [{"incident_id": f"other-{n}", "words": f"other\nword{n}\nof{n % 50}"} for n in range(20_000)]
        connection.execute(insert(text_search.words), others)
        follow_assessments(SqlIncidents(connection), [event_of(one) for one in incidents])
        connection.exec_driver_sql("ANALYZE")
        query, found = PageQuery("occurred", True, None, 20, None, None, {"q": ("1042",)}), list[Listed]()
        plans = "\n".join(plans_of(connection, lambda: found.extend(list_incidents(connection, query))))
        assert len(found) == 1
    engine.dispose()
    index = "incident_text VIRTUAL TABLE INDEX" if "sqlite" in database_url else "ix_incident_words_words"
    assert index in plans, plans
    assert "SCAN incident_revisions" not in plans, plans
    assert "Seq Scan" not in plans.replace("Seq Scan on incident_deaths", ""), plans


def test_incidents_from_before_get_their_words_and_claims(kept: tuple[Engine, dict[str, dict[str, Any]]]) -> None:
    engine, _ = kept
    with engine.begin() as connection:
        before = _stored(connection)
        migration, script = _history(connection)
        with Operations.context(migration):
            for step in ("0022", "0020"):
                script.get_revision(step).module.downgrade()
            for step in ("0020", "0022"):
                script.get_revision(step).module.upgrade()
        assert _stored(connection) == before
        assert (
            len(list_incidents(connection, PageQuery("occurred", True, None, 100, None, None, {"q": ("midan",)}))) > 1
        )


def _history(connection: Connection) -> tuple[MigrationContext, ScriptDirectory]:
    return MigrationContext.configure(connection), ScriptDirectory(str(MIGRATIONS))


def _stored(connection: Connection) -> list[Any]:
    claims = connection.exec_driver_sql("SELECT * FROM incident_facets ORDER BY 1, 2, 3").all()
    words = connection.exec_driver_sql("SELECT incident_id, words FROM incident_words ORDER BY 1").all()
    facets = connection.exec_driver_sql("SELECT incident_id, facets FROM incident_projections ORDER BY 1").all()
    return [*claims, *words, *facets]
