"""Lists of current assessments on both databases: what they hold, in what order, and which index leads to it."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, create_engine

from schemas.instants import DAY
from schemas.vocabulary import OUTCOMES
from services.platform.paging import PageQuery
from services.rules.assessing.sql import assessments, judged, load_current
from tests.contract.ingest.test_facets import FIRST, TIMES, TRUCES, Known, make_incidents
from tests.plans import plans_of
from tests.tables import create_tables

PARTNERS: Final = ("one", "two", "three")


def partner_of(number: int) -> str:
    return PARTNERS[0] if number % 50 else PARTNERS[1 + number // 50 % 2]


def keep(connection: Connection, incidents: Sequence[Known]) -> None:
    rows, bodies = [], []
    for number, one in enumerate(incidents):
        told = one.assessment
        rows.append(
            {
                "incident_id": one.id, "partner": partner_of(number), "revision": 1, "sequence": 1,
                "verdict": told.verdict, "occurred_from": one.span.start, "occurred_to": one.span.end,
                "truces": "".join(f",{finding.truce}," for finding in told.findings), "event": b"{}", "episode": 0,
                "alert": None, "keys": None,
            }
        )  # fmt: skip
        body = msgspec.json.encode(told)
        bodies.append({"incident_id": one.id, "sequence": 1, "revision": 1, "cause": "report", "body": body})
    connection.execute(judged.insert(), rows)
    connection.execute(assessments.insert(), bodies)


@pytest.fixture
def kept(database_url: str) -> Iterator[tuple[Engine, list[Known]]]:
    engine, incidents = create_engine(database_url), make_incidents(200)
    create_tables(engine)
    with engine.begin() as connection:
        keep(connection, incidents)
    yield engine, incidents
    engine.dispose()


CHOSEN: Final = st.fixed_dictionaries(
    {},
    optional={
        "verdict": st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=3, unique=True),
        "truce": st.lists(st.sampled_from([*TRUCES, "none"]), min_size=1, max_size=2),
    },
)


@given(
    chosen=CHOSEN, start=TIMES, end=TIMES, partner=st.sampled_from([*PARTNERS, None]), descending=st.booleans(),
    limit=st.integers(1, 60),
)  # fmt: skip
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
def test_the_pages_hold_just_the_assessments_that_pass_every_filter_in_order(
    kept: tuple[Engine, list[Known]],
    chosen: dict[str, list[str]],
    start: int | None,
    end: int | None,
    partner: str | None,
    descending: bool,
    limit: int,
) -> None:
    engine, incidents = kept
    values = {name: tuple(some) for name, some in chosen.items()}
    found: list[str] = []
    after: tuple[int | str, ...] | None = None
    starts = {one.id: one.span.start for one in incidents}
    with engine.connect() as connection:
        while True:
            query = PageQuery("occurred", descending, after, limit, start, end, values)
            page = [one.incident_id for one in load_current(connection, query, partner)]
            found += page[:limit]
            if len(page) <= limit:
                break
            after = (starts[page[limit - 1]], page[limit - 1])
    wanted = [
        (one.span.start, one.id)
        for number, one in enumerate(incidents)
        if (start is None or one.span.start >= start or one.span.end > start)
        and (end is None or one.span.start < end)
        and (partner is None or partner_of(number) == partner)
        and one.assessment.verdict in (values.get("verdict") or OUTCOMES)
        and (not values.get("truce") or {f.truce for f in one.assessment.findings} & set(values["truce"]))
    ]
    assert found == [id for _, id in sorted(wanted, reverse=descending)]


LED_BY: Final[tuple[tuple[dict[str, tuple[str, ...]], int | None, str | None, tuple[str, ...]], ...]] = (
    ({}, None, None, ("ix_judged_occurred_from",)),
    ({}, None, "two", ("ix_judged_partner",)),
    ({"verdict": ("excluded",)}, None, None, ("ix_judged_verdict",)),
    ({"verdict": ("excluded", "violation")}, None, None, ("ix_judged_verdict",)),
    ({}, FIRST + 19 * DAY, None, ("ix_judged_occurred_from", "ix_judged_long")),
)


def test_an_index_leads_to_the_page_of_each_list(database_url: str) -> None:
    engine = create_engine(database_url)
    create_tables(engine)
    with engine.begin() as connection:
        keep(connection, make_incidents(4_000))
        connection.exec_driver_sql("ANALYZE")
        for chosen, start, partner, indexes in LED_BY:
            query = PageQuery("occurred", True, None, 20, start, None, chosen)
            plans = "\n".join(plans_of(connection, partial(load_current, connection, query, partner)))
            for index in indexes:
                assert index in plans, plans
            for scanned in ("SCAN judged\n", "Seq Scan on judged", "TEMP B-TREE", "Sort Key"):
                assert scanned not in plans, plans
    engine.dispose()
