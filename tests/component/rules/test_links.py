"""Reports of one event, judged one after the other: their links, threads and corroboration (judgement.md 18)."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.causes import Cause
from schemas.decisions import DecidedLink, OperatorDecision
from schemas.report import Location, Report, Source
from services.platform.db.engine import Database
from services.platform.settings.config import embedded_url
from services.rules.assessing.domain.review import review_reasons
from services.rules.assessing.judge_and_keep import judge_and_keep
from services.rules.linking import sql as linking_sql
from services.rules.linking.recheck import recheck_left_over
from tests.component.rules.linking import OPERATOR, EmbeddedLinkingRules, event_of, fact_of, links_of
from tests.tables import create_tables
from tests.unit.rules.build import PARTIES, current_judge_of, party, refs, registry, report, truce


@pytest.fixture
async def rules(tmp_path: Path) -> AsyncIterator[EmbeddedLinkingRules]:
    database = Database(embedded_url(tmp_path))
    create_tables(database.engine)
    yield EmbeddedLinkingRules(database, current_judge_of(registry()))
    await database.close()


def said_by(source: str, grade: str = "C3", *, quotes: tuple[str, ...] = (), **fields: Any) -> Report:
    return report(source=Source(source, grade, quotes=quotes), **fields)


async def test_a_second_source_corroborates_and_both_reports_are_judged_with_it(rules: EmbeddedLinkingRules) -> None:
    await rules.take(event_of("a", said_by("one")))
    await rules.settle()
    assert ((await rules.now("a")).certainty, links_of(await rules.now("a"))) == ("Likely", {})
    await rules.take(event_of("b", said_by("two")))
    # The second is judged with its link at once, the first when the log tells of the second.
    second = await rules.now("b")
    assert (second.certainty, links_of(second), second.cause.kind) == ("Observed", {"a": 1.0}, "report")
    await rules.settle()
    first = await rules.now("a")
    assert (first.certainty, links_of(first), fact_of(first, "corroborated")) == (
        "Observed", {"b": 1.0}, {"incidents": ["b"]},
    )  # fmt: skip
    assert (first.cause.kind, first.cause.resources) == ("link", ("incidents/b",))
    assert [len(await rules.history(id)) for id in ("a", "b")] == [2, 1]


async def test_alerts_of_linked_incidents_share_a_thread_and_a_certainty_that_rose_is_an_update(
    rules: EmbeddedLinkingRules,
) -> None:
    await rules.take(event_of("b", said_by("one")))
    await rules.take(event_of("a", said_by("two")))
    await rules.settle()
    raised, second, update = await rules.told()
    assert {raised.thread} == {second.thread, update.thread, raised.thread}
    assert (update.incident_id, update.status, [c.field for c in update.changes]) == ("b", "updated", ["certainty"])
    assert update.cause.kind == "link"


async def test_incidents_whose_links_changed_are_judged_again_as_one_batch_each_for_its_own_cause(
    rules: EmbeddedLinkingRules,
) -> None:
    batches: list[list[str]] = []
    judging = replace(rules.parts.judging, observe=lambda kept, _: batches.append([one.incident_id for one in kept]))
    rules.parts = replace(rules.parts, judging=judging)
    at = {name: Location(lat=36.2 + step, lon=37.1, radius_km=0.1) for step, name in enumerate("ace")}
    await rules.take(*(event_of(name, said_by("one", location=where)) for name, where in at.items()))
    others = {"a": "b", "c": "d", "e": "f"}
    await rules.take(*(event_of(others[name], said_by("two", location=where)) for name, where in at.items()))
    batches.clear()
    await rules.settle()
    assert [sorted(batch) for batch in batches] == [["a", "c", "e"]]
    for name, other in others.items():
        judged = await rules.now(name)
        assert set(links_of(judged)) == {other}
        assert judged.cause.resources == (f"incidents/{other}",)


async def test_reports_of_one_batch_are_linked_too(rules: EmbeddedLinkingRules) -> None:
    await rules.take(event_of("a", said_by("one")), event_of("b", said_by("two")))
    assert [(await rules.now(id)).certainty for id in ("a", "b")] == ["Observed", "Observed"]
    first, second = await rules.told()
    assert first.thread == second.thread
    await rules.settle()
    assert [len(await rules.history(id)) for id in ("a", "b")] == [1, 1]


@pytest.mark.parametrize(
    "second",
    [
        said_by("One"),  # the same source, written in another way
        said_by("two", quotes=("one",)),
        said_by("two", at=24.5),  # a score of 0.577
        said_by("two", act="small_arms"),
        said_by("two", aggregate=True),
    ],
)
async def test_what_does_not_corroborate(rules: EmbeddedLinkingRules, second: Report) -> None:
    await rules.take(event_of("a", said_by("one")), event_of("b", second))
    await rules.settle()
    assert fact_of(await rules.now("a"), "corroborated") is None
    assert (await rules.now("a")).certainty == "Likely"


async def test_a_strong_link_of_one_source_needs_a_person(rules: EmbeddedLinkingRules) -> None:
    """The source tells of two events, and the score of one."""
    await rules.take(event_of("a", said_by("one")), event_of("b", said_by("one")), event_of("c", said_by("two")))
    await rules.settle()
    reasons = {id: review_reasons(await rules.now(id)) for id in "abc"}
    assert reasons == {"a": ("contested_link",), "b": ("contested_link",), "c": ()}


async def test_the_reason_stands_where_a_cap_blocks_the_step(rules: EmbeddedLinkingRules) -> None:
    """Nobody is named as the target: at most Likely, whatever another source adds."""
    await rules.take(event_of("a", said_by("one", targets=())), event_of("b", said_by("two", targets=())))
    got = await rules.now("a")
    assert (got.certainty, fact_of(got, "corroborated")) == ("Likely", {"incidents": ["b"]})


@pytest.mark.parametrize(
    "change",
    [
        {"retracted": "entered in error"},
        {"report": said_by("two", location=Location(lat=0.9, lon=0.9, radius_km=1.0))},
        {"report": said_by("two", at=60)},
        {"report": said_by("two", act="protest")},
        {"report": said_by("two", aggregate=True)},
        {"report": said_by("two", perpetrators=("blue",), targets=("red",))},
    ],
)
async def test_a_report_that_moves_or_is_taken_back_takes_its_links_with_it(
    rules: EmbeddedLinkingRules, change: dict[str, Any]
) -> None:
    await rules.take(event_of("a", said_by("one")), event_of("b", said_by("two")))
    await rules.take(event_of("b", change.pop("report", said_by("two")), 2, **change))
    await rules.settle()
    got = await rules.now("a")
    assert (got.certainty, got.links, fact_of(got, "corroborated")) == ("Likely", (), None)
    assert (await rules.now("b")).links == ()
    # And comes back.
    await rules.take(event_of("b", said_by("two"), 3))
    await rules.settle()
    assert (await rules.now("a")).certainty == "Observed"


async def test_a_quote_that_is_added_ends_the_corroboration_and_not_the_link(rules: EmbeddedLinkingRules) -> None:
    await rules.take(event_of("a", said_by("one")), event_of("b", said_by("two")))
    await rules.take(event_of("b", said_by("two", quotes=("one",)), 2))
    await rules.settle()
    got = await rules.now("a")
    assert (got.certainty, links_of(got)) == ("Likely", {"b": 1.0})


async def test_a_cut_link_never_corroborates_until_the_decision_is_taken_back(rules: EmbeddedLinkingRules) -> None:
    await rules.take(event_of("a", said_by("one")), event_of("b", said_by("two")))
    await rules.decide("b", "a", "cut", "two different streets")
    await rules.settle()
    for incident_id, kind in (("b", "decision"), ("a", "link")):
        got = await rules.now(incident_id)
        assert (got.certainty, got.links) == ("Likely", ())
        assert (got.cause.kind, got.cause.by, got.cause.reason) == (kind, OPERATOR, "two different streets")
    # It outlives revisions of either report.
    await rules.take(event_of("a", said_by("one", killed=3), 2), event_of("b", said_by("two", killed=3), 2))
    await rules.settle()
    assert [(await rules.now(id)).links for id in ("a", "b")] == [(), ()]
    await rules.decide("b", "a", None)
    await rules.settle()
    assert [(await rules.now(id)).certainty for id in ("a", "b")] == ["Observed", "Observed"]


async def test_a_confirmed_link_corroborates_whatever_its_score(rules: EmbeddedLinkingRules) -> None:
    await rules.take(event_of("a", said_by("one")), event_of("b", said_by("two", at=30)))
    assert (await rules.now("a")).links == ()
    await rules.decide("a", "b", "confirmed")
    await rules.settle()
    for incident_id, other in (("a", "b"), ("b", "a")):
        got = await rules.now(incident_id)
        assert (got.certainty, links_of(got), got.links[0].state) == ("Observed", {other: 0.0}, "confirmed")
    # A link to what is retracted or an aggregate says nothing, and comes back with the report.
    await rules.take(event_of("b", said_by("two", at=30), 2, retracted="no"))
    await rules.settle()
    assert (await rules.now("a")).links == ()
    await rules.take(event_of("b", said_by("two", at=30), 3))
    await rules.settle()
    assert links_of(await rules.now("a")) == {"b": 0.0}


async def test_the_last_decision_on_a_link_counts_from_whichever_end(rules: EmbeddedLinkingRules) -> None:
    await rules.take(event_of("a", said_by("one")), event_of("b", said_by("two")))
    await rules.decide("a", "b", "cut")
    await rules.decide("b", "a", "confirmed")
    await rules.settle()
    assert [links_of(await rules.now(id)) for id in ("a", "b")] == [{"b": 1.0}, {"a": 1.0}]
    await rules.decide("b", "a", None)
    await rules.settle()
    assert [(await rules.now(id)).links for id in ("a", "b")] == [(), ()]


async def test_a_decision_that_was_not_kept_changes_no_link(rules: EmbeddedLinkingRules) -> None:
    """Its process ended after it had linked the incident, and before it judged it."""
    await rules.take(event_of("a", said_by("one")), event_of("b", said_by("two")))
    case = (await rules.parts.judged.reports(["a"]))["a"].case.case
    cut = OperatorDecision("d1", "a", 1, OPERATOR, "2030-03-02T00:00:00Z", "no", link=DecidedLink("b", "cut"))
    judge, cause = rules.current.judge, Cause("decision", OPERATOR, "no", ("decisions/d1",))
    await rules.parts.judging.linking.link(judge, [replace(case, decisions=(cut,))], cause)
    await recheck_left_over(rules.parts)
    await rules.settle()
    assert [links_of(await rules.now(id)) for id in ("a", "b")] == [{"b": 1.0}, {"a": 1.0}]
    assert await rules.parts.rechecks.origins(10) == []


async def test_a_thread_that_was_sent_never_changes(rules: EmbeddedLinkingRules) -> None:
    await rules.take(event_of("a", said_by("one")))
    await rules.take(event_of("b", said_by("two", at=60)))
    await rules.take(event_of("b", said_by("two"), 2))
    await rules.settle()
    threads: dict[str, set[str]] = {}
    for alert in await rules.told():
        threads.setdefault(alert.incident_id, set()).add(alert.thread)
    assert {id: len(of) for id, of in threads.items()} == {"a": 1, "b": 1}
    assert threads["a"] != threads["b"]


async def test_links_follow_the_registry(rules: EmbeddedLinkingRules) -> None:
    """The names of two reports are those of two parties, until one becomes a member of the other."""
    await rules.take(event_of("a", said_by("one", perpetrators=("red",))))
    await rules.take(event_of("b", said_by("two", perpetrators=("green",))))
    assert (await rules.now("a")).links == ()
    members = [*(one for one in PARTIES if one.id != "green"), party("green", member_of=refs("red"))]
    await rules.current.adopt(registry(truce(), parties=members, version=2))
    judged = await rules.parts.judged.reports(["b"])
    await judge_and_keep([judged["b"].case], Cause("registry", registry_version=2), rules.parts.judging)
    await rules.settle()
    assert [links_of(await rules.now(id)) for id in ("a", "b")] == [{"b": 1.0}, {"a": 1.0}]


async def test_a_flood_in_one_cell_costs_no_more_than_its_share(
    rules: EmbeddedLinkingRules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linking_sql, "CROWD", 5)
    for first in range(0, 30, 10):
        await rules.take(*(event_of(f"i{n:02}", said_by(f"s{n}")) for n in range(first, first + 10)))
    await rules.settle()
    linked = [len((await rules.now(f"i{n:02}")).links) for n in range(30)]
    assert linked == [4] * 5 + [0] * 25
