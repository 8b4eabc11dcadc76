"""Statistics on both databases: what they add up, and which index finds it."""

from collections import Counter
from collections.abc import Iterator
from datetime import date
from functools import partial
from typing import Final

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine

from schemas.assessments import Link, Reason
from schemas.instants import DAY, to_datetime
from schemas.report import Casualties
from schemas.vocabulary import ACTS, OUTCOMES, SEVERITIES
from schemas.zones import UTC
from services.ingest.facets import GROUPS
from services.ingest.sql import SqlIncidents
from services.ingest.statistics import add_up
from services.ingest.tallies import period_starts
from services.ingest.use_cases import follow_assessments
from services.platform.paging import PageQuery
from tests.contract.ingest.test_facets import (
    AREAS,
    CHOSEN,
    FIRST,
    PARTIES,
    TIMES,
    TRUCES,
    Known,
    event_of,
    keep,
    make_incidents,
    passes,
)
from tests.plans import plans_of
from tests.tables import create_tables

KEYS: Final = {
    "verdict": OUTCOMES, "severity": SEVERITIES, "act": ACTS, "truce": TRUCES, "party": (*PARTIES, "alliance"),
    "area": AREAS,
}  # fmt: skip
BY_DAY: Final = period_starts("day", UTC)


def with_claims(number: int, one: Known) -> Known:
    """Every third incident has claims, every tenth is an aggregate, every 20th retracted."""
    casualties = Casualties(number % 7, None) if number % 3 == 0 else Casualties()
    reasons = (Reason("retracted"),) if number % 20 == 7 else ()
    changed = msgspec.structs.replace(
        one.assessment, casualties=casualties, aggregate=number % 10 == 9, reasons=reasons
    )
    return Known(one.id, changed, one.areas, one.span)


@pytest.fixture
def kept(database_url: str) -> Iterator[tuple[Engine, list[Known]]]:
    engine = create_engine(database_url)
    incidents = [with_claims(number, one) for number, one in enumerate(make_incidents(150))]
    create_tables(engine)
    with engine.begin() as connection:
        keep(connection, [with_claims(number + 1, one) for number, one in enumerate(make_incidents(150, seed=2))])
        keep(connection, incidents)
        follow_assessments(SqlIncidents(connection), [event_of(one, 2) for one in incidents])
    yield engine, incidents
    engine.dispose()


@given(chosen=CHOSEN, start=TIMES, end=TIMES, group=st.sampled_from(GROUPS))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
def test_a_series_adds_up_just_the_incidents_that_begin_in_time_and_pass_every_filter(
    kept: tuple[Engine, list[Known]], chosen: dict[str, list[str]], start: int | None, end: int | None, group: str
) -> None:
    engine, incidents = kept
    query = PageQuery("", True, None, 100, start, end, {name: tuple(values) for name, values in chosen.items()})
    with engine.connect() as connection:
        found = add_up(connection, query, [f"{group}/{key}" for key in KEYS[group]], BY_DAY)
    counts, least, most = Counter[tuple[str, date]](), Counter[tuple[str, date]](), Counter[tuple[str, date]]()
    for one in incidents:
        begun = (start is None or one.span.start >= start) and (end is None or one.span.start < end)
        if one.assessment.reasons or not begun or not passes(one, query):
            continue
        for key in keys_of(one, group):
            at, killed = (f"{group}/{key}", to_datetime(one.span.start).date()), one.assessment.casualties.killed or 0
            counts[at] += 1
            least[at] += 0 if one.assessment.aggregate else killed
            most[at] += killed
    told = {(key, day): tally for key, days in found.items() for day, tally in days.items()}
    assert {at: tally.incidents for at, tally in told.items()} == counts
    assert {at: (tally.killed.least, tally.killed.most) for at, tally in told.items()} == {
        at: (least[at], most[at]) for at in counts
    }


def keys_of(one: Known, group: str) -> set[str]:
    told = one.assessment
    match group:
        case "truce":
            return {finding.truce for finding in told.findings if finding.outcome == told.verdict}
        case "area":
            return set(one.areas)
        case "party":
            sides = (*told.perpetrators, *told.targets)
            return {id for who in sides for id in (who.party, *who.coalitions) if id is not None}
        case _:
            return {getattr(told, group)}


def test_linked_reports_count_each_and_their_claims_once(database_url: str) -> None:
    engine = create_engine(database_url)
    create_tables(engine)
    first, second, third = make_incidents(3)
    linked = [
        linked_to(first, 3, Link(second.id, 0.9)),
        linked_to(second, 5, Link(first.id, 0.9), Link(third.id, 0.5)),
        linked_to(third, 7, Link(second.id, 0.5)),
    ]
    with engine.begin() as connection:
        keep(connection, linked)
        everything = PageQuery("", True, None, 100, None, None, {})
        months = period_starts("month", UTC)
        found = add_up(connection, everything, [f"act/{act}" for act in ACTS], months)
    engine.dispose()
    (tally,) = found["act/shelling"].values()
    assert (tally.incidents, tally.killed.least, tally.killed.most) == (3, 10, 12)


def linked_to(one: Known, killed: int, *links: Link) -> Known:
    changed = msgspec.structs.replace(one.assessment, act="shelling", casualties=Casualties(killed), links=links)
    return Known(one.id, changed, one.areas, one.span)


FOUND_BY: Final[tuple[tuple[str, dict[str, tuple[str, ...]]], ...]] = (
    ("verdict", {}),
    ("truce", {}),
    ("truce", {"party": ("nobody",)}),
    ("act", {"truce": ("calm",), "verdict": ("violation",)}),
    ("party", {"bbox": ("36,35,37,36",)}),
    ("verdict", {"min_certainty": ("Likely",)}),
    ("verdict", {"state": ("assessed",)}),
)


def test_the_index_of_facets_leads_to_all_statistics(database_url: str) -> None:
    engine = create_engine(database_url)
    create_tables(engine)
    with engine.begin() as connection:
        keep(connection, make_incidents(3_000))
        connection.exec_driver_sql("ANALYZE")
        connection.exec_driver_sql("SELECT 1" if engine.dialect.name == "sqlite" else "SET enable_seqscan = off")
        for group, chosen in FOUND_BY:
            query = PageQuery("", True, None, 100, FIRST, FIRST + 2 * DAY, chosen)
            keys = [f"{group}/{key}" for key in KEYS[group]]
            plans = "\n".join(plans_of(connection, partial(add_up, connection, query, keys, BY_DAY)))
            assert "incident_facets" in plans, plans
            assert "SCAN incident_" not in plans, plans
            assert "Seq Scan on incident_" not in plans, plans
    engine.dispose()
