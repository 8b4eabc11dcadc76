"""A change of the registry is followed by judging again what it can touch, in every database and several processes."""

import asyncio
import threading
from typing import Any

import pytest
from sqlalchemy import Connection

from schemas.causes import Cause
from services.platform.db.engine import Database
from services.rules.assessing import reassess as reassessing
from services.rules.assessing import sql_reassessments
from services.rules.assessing.domain.reassessment import CommandRefusedError
from services.rules.assessing.find_touched import KeyedIncident
from services.rules.assessing.sql_reassessments import LEASE_US
from services.rules.registry.sql import hold_version
from tests.component.rules.rules_process import OPERATOR, RulesProcess
from tests.unit.rules.build import reported
from tests.unit.rules.registry_samples import announcement, area, document, party, truce

DAMASCUS = {"lat": 33.5, "lon": 36.5, "radius_km": 1.0}
ELSEWHERE = {"lat": 10.0, "lon": 10.0, "radius_km": 1.0}
DECLARED = announcement("d", "declare", "01 00", starts_at="2016-05-01T00:00:00Z", ends_at="2016-05-03T00:00:00Z")
LONGER = announcement("e", "extend", "04 00", ends_at="2016-05-06T00:00:00Z")


def report(day: int = 2, **changes: Any) -> dict[str, Any]:
    return {
        "external_id": "r",
        "occurred": f"2016-05-{day:02}T12:00:00Z",
        "act": "shelling",
        "location": DAMASCUS,
        "perpetrators": ["army"],
        "targets": ["rebels"],
        "source": {"name": "a monitor"},
        **changes,
    }


CALM, EXTENDED = document(truces=[truce("calm", DECLARED)]), document(truces=[truce("calm", DECLARED, LONGER)])


async def test_an_extension_announced_after_the_fact_raises_what_it_covers_and_names_its_cause(
    database: Database,
) -> None:
    one = RulesProcess(database)
    assert await one.put_registry(CALM) == "registry-1"
    await one.reassess()
    await one.take(
        reported("covered", report(2)), reported("late", report(5)), reported("abroad", report(5, location=ELSEWHERE))
    )
    id = await one.put_registry(EXTENDED, "The extension came by telephone.")
    await one.reassess()
    now, before = await one.history("late")
    assert (before.verdict, before.registry_version) == ("not_covered", 1)
    assert (now.verdict, now.registry_version, now.revision) == ("violation", 2, 1)
    cause = Cause("registry", OPERATOR, "The extension came by telephone.", ("truces/calm",), 2)
    assert now.cause == cause
    assert [(a.incident_id, a.status, a.cause.kind) for a in await one.alerts()] == [
        ("covered", "raised", "report"),
        ("late", "raised", "registry"),
    ]
    assert len(await one.history("abroad")) == 1
    shown = await one.shown(id)
    assert (shown.state, shown.cause, shown.candidates, shown.done, shown.flips) == ("done", cause, 2, 2, 1)
    assert shown.ended_at is not None
    assert [(e.id, e.registry_version, e.alerts) for e in await one.ended()] == [("registry-1", 1, 0), (id, 2, 1)]


async def test_a_withdrawal_cancels(database: Database) -> None:
    one = RulesProcess(database)
    await one.put_registry(CALM)
    await one.reassess()
    await one.take(reported("i", report(2)))
    withdrawn = announcement("w", "withdraw", "04 00", withdraws="d")
    await one.put_registry(document(truces=[truce("calm", DECLARED, withdrawn)]))
    await one.reassess()
    raised, cancelled = await one.alerts()
    assert (raised.status, cancelled.status, cancelled.id) == ("raised", "cancelled", raised.id)
    assert cancelled.cause.registry_version == 2


FAR = {"type": "Polygon", "coordinates": [[[9, 9], [11, 9], [11, 11], [9, 11], [9, 9]]]}
MOVED = {"type": "FeatureCollection", "features": [area("city", FAR), area("country")]}
ALIAS = [party("army"), party("rebels", aliases=["men of the north"]), party("russia")]
MILL = {"id": "p", "name": "Old Mill", "lat": 33.5, "lon": 36.5, "radius_km": 1.0}


@pytest.mark.parametrize(
    ("change", "wanted"), [({"parties": ALIAS}, "name"), ({"places": [MILL]}, "place"), ({"areas": MOVED}, "border")]
)
async def test_a_name_a_place_and_a_border_that_change_are_judged_again(
    database: Database, change: dict[str, Any], wanted: str
) -> None:
    one = RulesProcess(database)
    await one.put_registry(CALM)
    await one.reassess()
    await one.take(
        reported("name", report(location={**DAMASCUS, "lat": 33.2}, targets=["men of the north"])),
        reported("place", report(location={"place": "Old Mill"})),
        reported("border", report()),
        reported("none", report(location={"lat": 60.0, "lon": 60.0, "radius_km": 1.0})),
    )
    await one.put_registry({**CALM, **change})
    await one.reassess()
    versions = {id: [a.registry_version for a in await one.history(id)] for id in ("name", "place", "border", "none")}
    assert (versions[wanted], versions["none"]) == ([2, 1], [1])


async def test_what_a_change_leaves_as_it_is_gets_no_second_assessment(database: Database) -> None:
    one = RulesProcess(database)
    await one.put_registry(CALM)
    await one.reassess()
    await one.take(reported("i", report(2)))
    id = await one.put_registry({**CALM, "truces": [truce("calm", DECLARED, guarantors=["russia"])]})
    await one.reassess()
    shown = await one.shown(id)
    assert (shown.state, shown.candidates, shown.done, shown.changed, shown.flips) == ("done", 1, 1, 0, 0)
    assert len(await one.history("i")) == 1


async def test_a_change_that_touches_nothing_causes_none(database: Database) -> None:
    one = RulesProcess(database)
    await one.put_registry(CALM)
    await one.reassess()
    assert await one.put_registry(CALM) is None


async def test_two_changes_in_a_row_settle_as_both_at_once(database: Database) -> None:
    one = RulesProcess(database)
    await one.put_registry(CALM)
    await one.reassess()
    await one.take(*(reported(f"i{day}", report(day)) for day in range(1, 8)))
    first = await one.put_registry(EXTENDED)
    second = await one.put_registry(CALM)
    await one.reassess()
    assert [(await one.shown(id)).state for id in (first, second)] == ["done", "done"]
    assert len(await one.alerts()) == 2
    assert [len(await one.history(f"i{day}")) for day in range(1, 8)] == [1] * 7


async def test_a_process_goes_on_where_another_was_killed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reassessing, "SLICE", 2)
    one = RulesProcess(database)
    other = RulesProcess(database, "other", one.clock)
    await one.put_registry(CALM)
    await one.reassess()
    await one.take(*(reported(f"i{n}", report(5)) for n in range(7)))
    id = await one.put_registry(EXTENDED)

    class KilledError(Exception):
        pass

    slices = 0

    class Killed(sql_reassessments.SqlReassessments):
        """After the second slice was judged, before that is noted."""

        async def finish(self, id: str, incident_ids: Any, cause: str) -> None:
            nonlocal slices
            slices += 1
            if slices == 2:
                raise KilledError
            await super().finish(id, incident_ids, cause)

    one.reassessments = Killed(database, "one", one.clock.now)
    with pytest.raises(KilledError):
        await one.reassess()
    await other.reassess()
    assert (await other.shown(id)).done == 2
    await one.clock.advance(LEASE_US / 1_000_000)
    await other.reassess()
    shown = await other.shown(id)
    assert (shown.state, shown.candidates, shown.done, shown.changed, shown.flips) == ("done", 7, 7, 7, 7)
    assert sorted(a.incident_id for a in await one.alerts()) == [f"i{n}" for n in range(7)]
    assert [(e.registry_version, e.alerts) for e in await one.ended()] == [(1, 0), (2, 7)]


async def test_a_process_that_works_keeps_its_lease(database: Database) -> None:
    one = RulesProcess(database)
    other = RulesProcess(database, "other", one.clock)
    await one.put_registry(CALM)
    await one.reassess()
    await one.take(reported("i", report(5)))
    await one.put_registry(EXTENDED)
    for _ in range(5):
        assert await one.reassessments.claim() is not None
        assert await other.reassessments.claim() is None
        await one.clock.advance(0.4 * LEASE_US / 1_000_000)
    await one.clock.advance(LEASE_US / 1_000_000)
    assert await other.reassessments.claim() is not None
    assert await one.reassessments.claim() is None


async def test_a_search_that_was_killed_is_done_again(database: Database) -> None:
    one = RulesProcess(database)
    await one.put_registry(CALM)
    await one.reassess()
    await one.take(reported("i", report(5)))
    id = await one.put_registry(EXTENDED)
    assert await one.reassessments.claim() is not None
    await one.reassessments.add(str(id), [KeyedIncident("i", "not_covered", None)])
    await one.reassess()
    shown = await one.shown(id)
    assert (shown.candidates, shown.done, shown.changed) == (1, 1, 1)


async def test_one_that_is_stopped_rests_until_it_is_resumed(database: Database) -> None:
    one = RulesProcess(database)
    await one.put_registry(CALM)
    await one.reassess()
    await one.take(reported("i", report(5)))
    id = await one.put_registry(EXTENDED)
    for _ in range(2):
        stopped = await one.command(id, "stop")
        assert stopped is not None
        assert stopped.state == "stopped"
    await one.reassess()
    assert (await one.current())["i"].verdict == "not_covered"
    later = await one.put_registry(document(truces=[truce("calm", DECLARED, LONGER)], places=[]))
    assert later is None
    resumed = await one.command(id, "resume")
    assert resumed is not None
    assert (resumed.state, resumed.ended_at) == ("running", None)
    await one.reassess()
    assert (await one.current())["i"].verdict == "violation"
    assert await one.command("registry-99", "stop") is None
    for command in ("stop", "resume"):
        with pytest.raises(CommandRefusedError):
            await one.command(id, command)


async def test_an_incident_that_cannot_be_judged_stops_no_other(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = RulesProcess(database)
    await one.put_registry(CALM)
    await one.reassess()
    await one.take(reported("good", report(5)), reported("bad", report(5)))
    id = await one.put_registry(EXTENDED)
    await one.judging.current.catch_up()
    judge = one.judging.current.judge
    assess = judge.assess

    def fails(cases: Any, now: int) -> Any:
        if any(case.incident_id == "bad" for case in cases):
            raise ValueError("no such time")
        return assess(cases, now)

    monkeypatch.setattr(judge, "assess", fails)
    await one.reassess()
    assert (await one.shown(id)).state == "done"
    assert [type(error) for error in one.failures] == [ValueError]
    assert {id: now.verdict for id, now in (await one.current()).items()} == {"good": "violation", "bad": "not_covered"}


async def test_a_report_judged_by_the_version_before_while_the_change_is_made_is_judged_again(
    database: Database,
) -> None:
    """By a process that has not heard of the change, and commits just before or just after it."""
    one, other = RulesProcess(database), RulesProcess(database, "other")
    await one.put_registry(CALM)
    await one.reassess()
    await other.take(reported("before", report(5)))
    await one.put_registry(EXTENDED)
    await other.take(reported("after", report(5)))
    await one.reassess()
    assert {now.verdict for now in (await one.current()).values()} == {"violation"}
    assert [len(await one.history(id)) for id in ("before", "after")] == [2, 1]


async def test_a_change_waits_for_judgements_by_the_version_before_it(database: Database, database_url: str) -> None:
    """Else one that commits after the change would never be found by its reassessment."""
    one, other = RulesProcess(database), Database(database_url)
    await one.put_registry(CALM)
    held, release, order = threading.Event(), threading.Event(), list[str]()

    def judge(connection: Connection) -> None:
        assert hold_version(connection) == 1
        held.set()
        release.wait()
        order.append("judged")

    judging = asyncio.create_task(other.write(judge))
    await asyncio.to_thread(held.wait)
    changing = asyncio.create_task(one.put_registry(EXTENDED))
    changing.add_done_callback(lambda _: order.append("changed"))
    await asyncio.wait([changing], timeout=0.3)
    release.set()
    await asyncio.gather(judging, changing)
    await other.close()
    assert order == ["judged", "changed"]
