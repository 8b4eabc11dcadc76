"""The incidents that a change of the registry can touch are found by an index, in every database."""

from functools import partial
from typing import Any

import pytest
from sqlalchemy import text

from schemas.instants import DAY, parse_instant
from schemas.time_span import TimeSpan
from services.platform.db.engine import Database
from services.rules.assessing import find_touched as finding
from services.rules.assessing import sql_keys
from services.rules.assessing.domain.index_keys import searches_of
from services.rules.assessing.domain.reach import ChangeReach, Field
from services.rules.assessing.find_touched import SearchPosition, find_touched
from services.rules.assessing.judge_and_keep import Judging
from services.rules.assessing.reported import assess_incidents
from services.rules.assessing.sql import SqlJudgements, judged
from services.rules.judging.keys import IncidentKeys, party_key
from services.rules.registry.domain.document import compile_document
from services.rules.registry.wire import read_document
from tests.fakes import DrivenClock
from tests.unit.rules.build import current_judge_of, reported

AT = parse_instant("2016-05-08T12:00:00Z")
ALEPPO = (36.5, 35.5, 37.5, 36.5)


def report(**changes: Any) -> dict[str, Any]:
    return {
        "external_id": "r",
        "occurred": "2016-05-08T12:00:00Z",
        "act": "shelling",
        "location": {"lat": 36.2, "lon": 37.1, "radius_km": 1.0},
        "source": {"name": "a monitor"},
        **changes,
    }


REPORTS = {
    "there": report(),
    "elsewhere": report(location={"lat": 33.5, "lon": 36.3, "radius_km": 1.0}),
    "later": report(occurred="2016-08-08T12:00:00Z"),
    "whole-country": report(location={"lat": 34.8, "lon": 38.5, "radius_km": 300.0}),
    "long": report(occurred={"from": "2016-01-01T00:00:00Z", "to": "2016-07-01T00:00:00Z"}, aggregate=True),
    "nowhere-known": report(location={"place": "Nowhere in particular"}),
    "by-name": report(location={"lat": 33.5, "lon": 36.3}, perpetrators=["some brigade"]),
}


async def keep(database: Database, reports: dict[str, dict[str, Any]], revision: int = 1) -> None:
    current = current_judge_of(compile_document(read_document(b'{"version":1,"timezone":"UTC"}'), 0))
    judging = Judging(current, SqlJudgements(database), DrivenClock().now, lambda _a, _b: None)
    await assess_incidents([reported(id, one, revision) for id, one in reports.items()], judging)


async def find(database: Database, reach: ChangeReach) -> list[str]:
    return sorted([one.incident_id async for part in find_touched(reach, SqlJudgements(database)) for one in part])


@pytest.fixture(params=[1, 2, 500])
def page(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "PAGE", request.param)


@pytest.mark.usefixtures("page")
async def test_ground_at_a_time_and_names_find_what_they_touch(database: Database) -> None:
    await keep(database, REPORTS)
    ground = ChangeReach(frozenset(), [Field(ALEPPO, AT - DAY, AT + DAY)])
    assert set(await find(database, ground)) == {"there", "whole-country", "long", "nowhere-known"}
    resolved = ChangeReach(frozenset(), [Field(ALEPPO, AT - DAY, AT + DAY, unresolved=False)])
    assert set(await find(database, resolved)) == {"there", "whole-country", "long"}
    assert await find(database, ChangeReach(frozenset({party_key("some brigade")}), [])) == ["by-name"]
    assert await find(database, ChangeReach(frozenset(), [])) == []


@pytest.mark.usefixtures("page")
async def test_an_incident_is_found_by_what_was_reported_last(database: Database) -> None:
    await keep(database, REPORTS)
    await keep(database, {"there": REPORTS["elsewhere"], "elsewhere": REPORTS["there"]}, revision=2)
    ground = ChangeReach(frozenset(), [Field(ALEPPO, AT - DAY, AT + DAY, unresolved=False)])
    assert set(await find(database, ground)) == {"elsewhere", "whole-country", "long"}


@pytest.mark.usefixtures("page")
async def test_incidents_from_before_keys_were_kept_are_touched_by_every_change(database: Database) -> None:
    await keep(database, REPORTS)
    old = ("later", "elsewhere", "by-name")
    unset = judged.update().where(judged.c.incident_id.in_(old)).values(keys=None)
    await database.write(lambda c: c.execute(unset))
    found = await find(database, ChangeReach(frozenset({party_key("nobody")}), []))
    assert set(found) == set(old)


async def test_the_search_reads_the_index_and_only_the_entries_that_it_is_for(database: Database) -> None:
    """Of eight thousand incidents in one place over the years."""
    moments = [AT + n * DAY // 8 for n in range(8_000)]
    there = (37.1, 36.2, 37.1, 36.2)
    keyed = [(f"i{n}", IncidentKeys(TimeSpan(at, at), (there,), frozenset())) for n, at in enumerate(moments)]
    for first in range(0, len(keyed), 1_000):
        await database.write(partial(sql_keys.add_entries, keyed=keyed[first : first + 1_000]))
    reach = ChangeReach(frozenset(), [Field(ALEPPO, AT + 900 * DAY, AT + 901 * DAY)])
    searches = searches_of(reach)
    found, _ = await database.read(lambda c: sql_keys.search_entries(c, searches, SearchPosition(0), 1_000))
    assert {"i7200", "i7208"} <= set(found)
    assert len(found) < 50
    await database.write(lambda c: c.execute(text("ANALYZE")))
    page = sql_keys.page_of(searches[-1], SearchPosition(0, searches[-1].first, searches[-1].start), 100)
    asked = str(sql_keys.PAGE.params(page).compile(database.engine, compile_kwargs={"literal_binds": True}))
    explain = "EXPLAIN QUERY PLAN " if database.is_log else "EXPLAIN "
    plan = " ".join(map(str, await database.read(lambda c: c.exec_driver_sql(explain + asked).all())))
    assert ("SEARCH incident_keys USING PRIMARY KEY" if database.is_log else "using pk_incident_keys") in plan
    if database.is_log:
        assert "(key,began" in plan or "((key,began" in plan
    else:
        assert "Index Cond" in plan
    pages = "SELECT incident_id FROM judged WHERE keys IS NULL AND incident_id > 'x' ORDER BY incident_id LIMIT 5"
    if database.is_log:
        plan = " ".join(map(str, await database.read(lambda c: c.exec_driver_sql(explain + pages).all())))
        assert "ix_judged_without_keys" in plan
