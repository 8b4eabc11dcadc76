"""Links kept in every database, by several processes at once (judgement.md 18)."""

import asyncio
from collections.abc import Collection
from typing import Any

from schemas.causes import Cause
from schemas.report import Location, Report, Source
from services.platform.db.engine import Database
from services.rules.linking.recheck import recheck_links
from tests.component.rules.linking import LinkingRules, event_of, fact_of, links_of
from tests.unit.rules.build import PARTIES, current_judge_of, party, refs, registry, report, truce

PAIRS = 12


def process(database: Database) -> LinkingRules:
    return LinkingRules(database, current_judge_of(registry()))


def said_by(source: str, number: int, **fields: Any) -> Report:
    """A report at the n-th of some places apart from each other."""
    place = Location(lat=0.5, lon=0.03 + number * 0.05, radius_km=1.0)
    return report(source=Source(source, "C3"), location=place, **fields)


async def settle(rules: LinkingRules, incident_ids: Collection[str]) -> None:
    """As the log of assessments has it: each that was made is looked at, until no more are made."""
    seen: dict[str, int] = {}
    while True:
        made = {id: len(await rules.history(id)) for id in sorted(incident_ids)}
        new = [id for id, count in made.items() if seen.get(id) != count]
        if not new:
            return
        seen = made
        await recheck_links(new, rules.parts)


async def test_reports_that_two_processes_judge_at_one_time_are_linked(database: Database) -> None:
    one, other = process(database), process(database)
    for number in range(PAIRS):
        await asyncio.gather(
            one.take(event_of(f"a{number}", said_by("one", number))),
            other.take(event_of(f"b{number}", said_by("two", number))),
        )
    ids = [f"{side}{number}" for number in range(PAIRS) for side in "ab"]
    await settle(one, ids)
    for number in range(PAIRS):
        first, second = await one.now(f"a{number}"), await other.now(f"b{number}")
        assert (links_of(first), links_of(second)) == ({f"b{number}": 1.0}, {f"a{number}": 1.0})
        assert fact_of(first, "corroborated") == {"incidents": [f"b{number}"]}
        assert fact_of(second, "corroborated") == {"incidents": [f"a{number}"]}


async def test_reports_that_two_processes_move_at_one_time_have_the_links_of_where_they_are(database: Database) -> None:
    one, other = process(database), process(database)
    for number in range(PAIRS):
        await one.take(event_of(f"a{number}", said_by("one", 0, at=24 + 3 * number)))
        await one.take(event_of(f"b{number}", said_by("two", 5, at=24 + 3 * number)))
    for number in range(PAIRS):
        await asyncio.gather(
            one.take(event_of(f"a{number}", said_by("one", 9, at=24 + 3 * number), 2)),
            other.take(event_of(f"b{number}", said_by("two", 9, at=24 + 3 * number), 2)),
        )
    ids = [f"{side}{number}" for number in range(PAIRS) for side in "ab"]
    await settle(other, ids)
    assert [links_of(await one.now(f"a{number}")) for number in range(PAIRS)] == [
        {f"b{number}": 1.0} for number in range(PAIRS)
    ]


async def test_a_retraction_and_a_decision_take_links_away_on_every_database(database: Database) -> None:
    rules = process(database)
    await rules.take(*(event_of(id, said_by(source, 0)) for id, source in (("a", "one"), ("b", "two"), ("c", "three"))))
    await rules.take(event_of("c", said_by("three", 0), 2, "no"))
    await settle(rules, "abc")
    await rules.decide("a", "b", "cut", "two streets")
    await settle(rules, "abc")
    assert [links_of(await rules.now(id)) for id in "abc"] == [{}, {}, {}]
    cause = (await rules.now("b")).cause
    assert (cause.kind, cause.reason, cause.resources) == ("link", "two streets", ("incidents/a",))
    await rules.decide("a", "b", None)
    await settle(rules, "abc")
    assert [links_of(await rules.now(id)) for id in "abc"] == [{"b": 1.0}, {"a": 1.0}, {}]
    assert await rules.parts.rechecks.origins(10) == []


async def test_a_profile_by_an_older_registry_replaces_none_by_a_newer(database: Database) -> None:
    """The process that judges last was not told of a change."""
    slow, quick = process(database), process(database)
    await slow.take(event_of("a", said_by("one", 0)), event_of("b", said_by("two", 0, perpetrators=("green",))))
    members = [*(one for one in PARTIES if one.id != "green"), party("green", member_of=refs("red"))]
    await quick.current.adopt(registry(truce(), parties=members, version=2))
    (case,) = [one.case.case for one in (await quick.parts.judged.reports(["b"])).values()]
    for rules in (quick, slow):
        await rules.parts.judging.linking.link(rules.current.judge, [case], Cause("link"))
    assert list(await slow.parts.profiles.links_of(["b"])) == [("b", "a")]
