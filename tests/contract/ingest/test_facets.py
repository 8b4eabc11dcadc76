"""Lists by facets on both databases: what they hold, in what order, and which index finds it."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, create_engine

from schemas.assessments import Assessment, Finding, FoundWindow, Interval, ResolvedParty, ResolvedPlace
from schemas.boxes import box_of, read_box
from schemas.codec import decode
from schemas.events import IncidentAssessed
from schemas.instants import DAY, HOUR, format_instant, parse_instant
from schemas.report import Report
from schemas.time_span import TimeSpan
from schemas.vocabulary import ACT_GROUPS, CERTAINTIES, OUTCOMES, SEVERITIES, expand_acts
from services.ingest.domain import name_incident
from services.ingest.facets import severities_from
from services.ingest.listing import list_incidents, list_placed
from services.ingest.projection import read_judged
from services.ingest.sql import SqlIncidents
from services.ingest.use_cases import Filing, follow_assessments, take
from services.platform.paging import PageQuery
from tests.component.ingest.running import judged, report
from tests.plans import plans_of
from tests.tables import create_tables

FIRST: Final = parse_instant("2016-05-01T00:00:00Z")
COUNT: Final = 150
PARTIES: Final = ("isis", "army", "opposition", "ISIS")
TRUCES: Final = ("calm", "cessation")
AREAS: Final = ("aleppo", "aleppo-city", "idlib")
ACTS: Final = ("shelling", "airstrike", "arrest", "protest")


@dataclass(frozen=True)
class Known:
    """An incident as the test made it."""

    id: str
    assessment: Assessment
    areas: tuple[str, ...]
    span: TimeSpan


class NoAnswers:
    """No Idempotency-Keys."""

    def recall(self, asked: Any) -> dict[Any, Any]:
        return {}

    def remember(self, answers: Any) -> None: ...

    def settle(self, once: Any, body: bytes) -> None: ...


def make_incidents(count: int, seed: int = 1) -> list[Known]:
    chance = random.Random(seed)
    return [_make(number, chance) for number in range(count)]


def _make(number: int, chance: random.Random) -> Known:
    start = FIRST + chance.randrange(20) * DAY + chance.randrange(24) * HOUR
    span = TimeSpan(start, start + (9 * DAY if chance.random() < 0.03 else chance.choice([0, HOUR, 3 * DAY])))
    verdict = chance.choice(OUTCOMES)
    findings = tuple(
        Finding(truce, chance.choice([verdict, "excluded"]), None, FoundWindow("", None, False, "aleppo", ()), ())
        for truce in chance.sample(TRUCES, chance.randrange(3))
    )
    place = ResolvedPlace(lat=chance.uniform(-89, 89), lon=chance.uniform(-180, 180), radius_km=chance.choice([1, 400]))
    if chance.random() < 0.5:
        place = ResolvedPlace(lat=chance.uniform(35, 37), lon=chance.uniform(36, 38), radius_km=chance.choice([1, 40]))
    known = decode(judged(name_incident("p", str(number)), 1, 1))
    assert isinstance(known, IncidentAssessed)
    assessment = msgspec.structs.replace(
        known.assessment,
        verdict=verdict,
        certainty=chance.choice(CERTAINTIES) if verdict == "violation" else None,
        severity=chance.choice(SEVERITIES),
        act=chance.choice(ACTS),
        findings=findings,
        perpetrators=(ResolvedParty("x", chance.choice([*PARTIES, None]), ("alliance",)),),
        place=place if chance.random() < 0.9 else ResolvedPlace(),
        occurred=Interval(format_instant(span.start), format_instant(span.end)),
    )
    areas = tuple(chance.sample(AREAS, chance.randrange(3)))
    return Known(assessment.incident_id, assessment, areas, span)


def keep(connection: Connection, incidents: Sequence[Known]) -> None:
    stores = SqlIncidents(connection)
    filings = [
        Filing(
            one.id, "p", msgspec.convert(report(external_id=str(number)), Report), one.span, number, None, None
        )
        for number, one in enumerate(incidents)
    ]  # fmt: skip
    take(stores, NoAnswers(), filings)
    follow_assessments(stores, [event_of(one) for one in incidents])


def event_of(one: Known, sequence: int = 1) -> Any:
    told = {field: getattr(one.assessment, field) for field in one.assessment.__struct_fields__}
    told = {field: value for field, value in told.items() if field not in ("incident_id", "revision", "verdict")}
    return read_judged(judged(one.id, 1, sequence, one.assessment.verdict, areas=one.areas, **told))


@pytest.fixture
def kept(database_url: str) -> Iterator[tuple[Engine, list[Known]]]:
    """150 judged incidents; each was judged otherwise at first."""
    engine, incidents = create_engine(database_url), make_incidents(COUNT)
    create_tables(engine)
    others = make_incidents(COUNT, seed=2)
    with engine.begin() as connection:
        pairs = zip(incidents, others, strict=True)
        keep(connection, [replace(other, id=one.id, span=one.span) for one, other in pairs])
    with engine.begin() as connection:
        follow_assessments(SqlIncidents(connection), [event_of(one, 2) for one in incidents])
    yield engine, incidents
    engine.dispose()


CHOSEN: Final = st.fixed_dictionaries(
    {},
    optional={
        "verdict": st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=2),
        "truce": st.lists(st.sampled_from([*TRUCES, "none"]), min_size=1, max_size=2),
        "area": st.lists(st.sampled_from(AREAS), min_size=1, max_size=2),
        "party": st.lists(st.sampled_from([*PARTIES, "alliance", "i"]), min_size=1, max_size=2),
        "act": st.lists(st.sampled_from([*ACTS, *ACT_GROUPS]), min_size=1, max_size=2),
        "min_severity": st.lists(st.sampled_from(SEVERITIES), min_size=1, max_size=1),
        "min_certainty": st.lists(st.sampled_from(CERTAINTIES), min_size=1, max_size=1),
        "bbox": st.lists(
            st.sampled_from(["36,35,37,36", "-180,-90,180,90", "170,-80,-170,80", "36.5,36.5,36.6,36.6"]),
            min_size=1,
            max_size=1,
        ),
    },
)
TIMES: Final = st.none() | st.integers(0, 22).map(lambda day: FIRST + day * DAY)


@given(chosen=CHOSEN, start=TIMES, end=TIMES, by=st.sampled_from(["occurred", "received"]), descending=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
def test_the_pages_of_a_list_hold_just_the_incidents_that_pass_every_filter_in_order(
    kept: tuple[Engine, list[Known]],
    chosen: dict[str, list[str]],
    start: int | None,
    end: int | None,
    by: str,
    descending: bool,
) -> None:
    engine, incidents = kept
    filters = {name: tuple(dict.fromkeys(values)) for name, values in chosen.items()}
    query = PageQuery(by, descending, None, 20, start, end, filters)
    found: list[tuple[tuple[int | str, ...], str]] = []
    with engine.connect() as connection:
        while page := list_incidents(connection, query)[:20]:
            found += [(one.key, one.summary.incident_id) for one in page]
            query = replace(query, after=page[-1].key)
    assert sorted(id for _, id in found) == sorted(one.id for one in incidents if passes(one, query))
    assert found == sorted(found, reverse=descending)


def passes(one: Known, query: PageQuery) -> bool:
    """As the contract says it, one incident at a time."""
    told, values = one.assessment, query.values
    ids = {id for side in (told.perpetrators, told.targets) for who in side for id in (who.party, *who.coalitions)}
    truces = {one.truce for one in told.findings if one.outcome == told.verdict}
    certain = True
    if least := values("min_certainty"):
        certain = told.verdict != "violation" or CERTAINTIES.index(told.certainty) <= CERTAINTIES.index(least[0])
    over = query.start is not None and not (one.span.start >= query.start or one.span.end > query.start)
    return (
        certain
        and not over
        and (query.end is None or one.span.start < query.end)
        and (not values("verdict") or told.verdict in values("verdict"))
        and (not values("truce") or bool(truces & set(values("truce"))))
        and (not values("area") or bool(set(one.areas) & set(values("area"))))
        and (not values("party") or bool(ids & set(values("party"))))
        and (not values("act") or told.act in expand_acts(values("act")))
        and all(told.severity in severities_from(least) for least in values("min_severity"))
        and all(_reaches(told.place, text) for text in values("bbox"))
    )


def _reaches(place: ResolvedPlace, text: str) -> bool:
    """Along each axis by itself, on a circle of longitudes."""
    box = box_of(place)
    if box is None:
        return False
    (west, south, east, north), (left, bottom, right, top) = read_box(text), box
    wide, broad = (east - west) % 360 or 360 * (east != west), (right - left) % 360 or 360 * (right != left)
    beside = (left - west) % 360 <= wide or (west - left) % 360 <= broad
    return beside and bottom <= north and top >= south


LED_BY: Final[tuple[tuple[dict[str, tuple[str, ...]], int | None, str], ...]] = (
    ({"truce": ("none",)}, None, "incident_facets"),
    ({"party": ("isis",), "verdict": ("violation",)}, FIRST, "incident_facets"),
    ({"act": ("heavy_weapons",)}, None, "incident_facets"),
    ({"bbox": ("36,35,37,36",)}, None, "incident_facets"),
    ({}, FIRST, "ix_incident_revisions_long"),
    ({}, FIRST, "ix_incident_revisions_time"),
)


def test_an_index_leads_to_the_page_of_each_list(database_url: str) -> None:
    engine = create_engine(database_url)
    create_tables(engine)
    with engine.begin() as connection:
        keep(connection, make_incidents(2_000))
        connection.exec_driver_sql("ANALYZE")
        for chosen, start, index in LED_BY:
            for find in (list_incidents, list_placed):
                query = PageQuery("occurred", True, None, 20, start, None, chosen)
                plans = "\n".join(plans_of(connection, partial(find, connection, query)))
                assert index in plans, plans
                assert "SCAN incident_revisions\n" not in plans, plans
    engine.dispose()
