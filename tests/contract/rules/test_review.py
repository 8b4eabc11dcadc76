"""The review queue and decisions over HTTP, in every database. Source: the contract, "Assessments (rules)"."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from schemas.causes import Actor
from schemas.decisions import RulesVerdict
from services.platform.db.engine import Database
from services.rules.assessing.sql_review import count_in_review
from services.rules.registry.domain.resources import delete
from tests.component.rules.reviewing import ReviewApi, reviewing
from tests.scenario import reports

MIDAN: Final = next(r for r in reports() if r["external_id"] == "midan-20160508")
UNNAMED: Final = {**MIDAN, "perpetrators": ["The Tuesday Brigade"]}
NOWHERE: Final = {**MIDAN, "location": {"place": "As-Safirra"}}
MIRRORED: Final = {**MIDAN, "location": {"lat": 37.166, "lon": 36.214}}
APART: Final = {**MIDAN, "location": {"lat": 36.214, "lon": 37.166, "area": "daraa"}}
STRADDLING: Final = {
    **MIDAN,
    "location": {"lat": 36.214, "lon": 37.166},
    "occurred": {"from": "2016-02-26T21:00:00Z", "to": "2016-02-26T23:00:00Z"},
}


@pytest.fixture
async def api(database: Database) -> AsyncIterator[ReviewApi]:
    async with reviewing(database) as started:
        yield started


async def test_the_queue_has_what_needs_a_person_oldest_first_in_pages(api: ReviewApi) -> None:
    await api.take("settled", MIDAN)
    for id, report in (("c", UNNAMED), ("a", NOWHERE), ("b", MIRRORED), ("d", STRADDLING)):
        await api.take(id, report)
    assert [(one["incident_id"], one["why"]) for one in await api.queue()] == [
        ("c", ["unresolved_party"]),
        ("a", ["undetermined", "place_unresolved"]),
        ("b", ["point_mirrored"]),
        ("d", ["undetermined"]),
    ]
    first = (await api.ask("GET", "?limit=3")).json()
    rest = (await api.ask("GET", f"?limit=3&after={first['next']}")).json()
    assert [one["incident_id"] for one in (*first["items"], *rest["items"])] == ["c", "a", "b", "d"]
    assert [one["incident_id"] for one in await api.queue("?order=-opened&limit=1")] == ["d"]
    assert [one["incident_id"] for one in await api.queue("?why=point_mirrored&why=unresolved_party")] == ["c", "b"]
    assert await api.database.read(count_in_review) == 4


async def test_an_item_keeps_its_place_while_it_waits_and_leaves_when_the_condition_is_gone(api: ReviewApi) -> None:
    await api.take("a", UNNAMED)
    await api.take("b", UNNAMED)
    await api.take("a", NOWHERE, 2)
    assert [(one["incident_id"], one["why"][0]) for one in await api.queue()] == [
        ("a", "undetermined"), ("b", "unresolved_party"),
    ]  # fmt: skip
    await api.take("a", MIDAN, 3)
    await api.take("b", UNNAMED, 2, retracted="entered in error")
    assert await api.queue() == []


async def test_an_item_has_its_reasons_in_the_readers_language_and_what_to_choose_from(api: ReviewApi) -> None:
    for id, report in (("name", {**MIDAN, "perpetrators": ["Jabhat al Nusrah"]}), ("place", NOWHERE),
                       ("exchanged", MIRRORED), ("apart", APART)):  # fmt: skip
        await api.take(id, report)
    found = {one["incident_id"]: one for one in await api.queue("?language=ru")}
    assert found["name"]["reasons"][0]["text"].startswith("Имя исполнителя")
    (best, *_) = found["name"]["candidates"]["parties"]["Jabhat al Nusrah"]
    assert (best["id"], best["score"] > 0.8) == ("nusra", True)
    named = found["place"]["candidates"]["places"][0]
    assert (named["basis"], named["score"] > 0.8) == ("named", True)
    exchanged = found["exchanged"]["candidates"]["places"][0]
    assert (exchanged["basis"], exchanged["place"]) == ("exchanged", {"lat": 36.214, "lon": 37.166})
    bases = [one["basis"] for one in found["apart"]["candidates"]["places"]]
    assert bases[:2] == ["reported", "reported"]
    assert "near" in bases
    for id in ("place", "exchanged", "apart"):
        await api.decide(id, place=found[id]["candidates"]["places"][0]["place"])
    await api.decide("name", parties={"Jabhat al Nusrah": best["id"]})
    assert await api.queue() == []


async def test_reviewing_is_for_operators(api: ReviewApi) -> None:
    await api.take("a", UNNAMED)
    for key in ("theirs", "desk"):
        for method, path in (("GET", ""), ("GET", "/a"), ("POST", "/a/decision"), ("DELETE", "/a/decision")):
            assert (await api.ask(method, path, key=key)).status_code == 403


async def test_a_decided_verdict_makes_an_assessment_and_an_alert_that_name_their_cause(api: ReviewApi) -> None:
    await api.take("a", STRADDLING)
    answer = await api.ask("POST", "/a/decision", {"verdict": "not_covered", "reason": "before midnight, two say"})
    assert answer.status_code == 201
    id = answer.json()["id"]
    newest, first = await api.history("a")
    assert (newest.revision, first.revision) == (1, 1)
    assert (newest.verdict, newest.certainty, newest.rules) == (
        "not_covered", None, RulesVerdict("undetermined", "Unknown"),
    )  # fmt: skip
    assert (newest.findings, newest.severity) == (first.findings, first.severity)
    cause = newest.cause
    assert (cause.kind, cause.by, cause.reason) == ("decision", Actor("boss", "boss"), "before midnight, two say")
    assert cause.resources == (f"decisions/{id}",)
    raised, cancelled = await api.alerts()
    assert (raised.status, cancelled.status, cancelled.cause) == ("raised", "cancelled", cause)
    assert await api.queue() == []
    (act,) = [act for act in await api.audited() if act.resource == "incidents/a"]
    assert (act.action, act.actor) == ("decision.made", cause.by)
    assert (act.detail["decisions"], act.detail["reason"]) == ([id], cause.reason)


async def test_a_decision_survives_revisions_and_the_registry_until_it_is_taken_back(api: ReviewApi) -> None:
    await api.take("a", UNNAMED)
    id = await api.decide("a", parties={"tuesday brigade": "nusra"})
    assert (await api.history("a"))[0].verdict == "excluded"
    await api.take("a", {**UNNAMED, "casualties": {"killed": 12}}, 2)
    await api.change_registry(lambda held: delete(held, "presence", next(i for k, i in held if k == "presence")))
    await api.judge_again("a")
    newest = (await api.history("a"))[0]
    assert (newest.revision, newest.verdict, newest.perpetrators[0].reported) == (2, "excluded", "The Tuesday Brigade")
    answer = await api.ask("DELETE", f"/a/decision/{id}?reason=it+was+another")
    assert (answer.status_code, answer.json()["taken_back"]) == (200, [id])
    newest = (await api.history("a"))[0]
    assert (newest.verdict, newest.decisions, newest.cause.reason) == ("violation", (), "it was another")
    assert [alert.status for alert in await api.alerts()] == ["raised", "cancelled", "raised"]
    assert [act.action for act in await api.audited()][-1] == "decision.taken_back"
    assert (await api.queue())[0]["why"] == ["unresolved_party"]


async def test_all_decisions_are_taken_back_at_once(api: ReviewApi) -> None:
    await api.take("a", UNNAMED)
    ids = [
        await api.decide("a", parties={"The Tuesday Brigade": "opposition"}),
        await api.decide("a", verdict="excluded"),
    ]
    kinds = [one.kind for one in (await api.history("a"))[0].decisions]
    assert kinds == ["parties", "verdict"]
    assert (await api.ask("DELETE", "/a/decision")).json()["taken_back"] == ids
    assert len(await api.history("a")) == 4
    decisions = (await api.ask("GET", "/a")).json()["decisions"]
    assert [one["decision"]["id"] for one in decisions if one["taken_back"]] == ids
    for path in ("/a/decision", f"/a/decision/{ids[0]}", "/a/decision/dec_nobody"):
        assert (await api.ask("DELETE", path)).status_code == 404


async def test_the_decision_that_stands_already_is_not_made_again(api: ReviewApi) -> None:
    await api.take("a", UNNAMED)
    body = {"verdict": "violation", "certainty": "Observed", "reason": "seen"}
    first, second = [await api.ask("POST", "/a/decision", body) for _ in range(2)]
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    assert len(await api.history("a")) == 2


async def test_what_cannot_be_decided_is_refused_with_the_field_and_the_nearest(api: ReviewApi) -> None:
    await api.take("a", UNNAMED)
    name = "The Tuesday Brigade"
    refused: list[tuple[dict[str, Any], str, str]] = [
        ({}, "", "needs one of"),
        ({"reason": None, "verdict": "violation"}, "/reason", "is required"),
        ({"reason": " ", "verdict": "violation"}, "/reason", "must not be empty"),
        ({"verdict": "guilty"}, "/verdict", "must be one of"),
        ({"verdict": "excluded", "certainty": "Likely"}, "/certainty", "only the verdict violation"),
        ({"verdict": "violation", "parties": {name: "nusra"}}, "/verdict", "cannot be combined"),
        ({"parties": {name: "nusraa"}}, f"/parties/{name}", "the nearest is 'nusra'"),
        ({"parties": {"Some other~/name": "nusra"}}, "/parties/Some other~0~1name", "it names 'The Tuesday Brigade'"),
        ({"parties": {}}, "/parties", "at least 1"),
        ({"verdict": "violation", "alias": {}}, "/alias", "needs parties"),
        ({"place": {"lat": 36.2}}, "/place/lon", "is required with lat"),
        ({"place": {}}, "/place", "needs lat and lon"),
        ({"place": {"area": "alepo-city"}}, "/place/area", "the nearest is 'aleppo-city'"),
        ({"place": {"place": "Alepo city"}}, "/place/place", "the nearest is "),
        ({"place": {"lat": 0.001, "lon": 0.0}}, "/place/lat", "counts as not given"),
        ({"place": {"lat": 36.2, "lon": 37.1, "area": "daraa"}}, "/place/area", "lies apart from the point"),
        ({"link": {"incident_id": "a", "state": "cut"}}, "/link/incident_id", "is this incident"),
        ({"link": {"incident_id": "none", "state": "cut"}}, "/link/incident_id", "no incident"),
        ({"link": {"incident_id": "none", "state": "maybe"}}, "/link/state", "must be one of"),
        ({"verdikt": "violation"}, "/verdikt", "not a known field"),
    ]
    for decision, pointer, detail in refused:
        errors = await api.errors("a", **decision)
        assert detail in errors[pointer], (decision, errors)
    assert len(await api.history("a")) == 1
    answer = await api.ask("POST", "/nobody-knows/decision", {"verdict": "violation", "reason": "x"})
    assert answer.status_code == 404


async def test_a_mapped_name_becomes_an_alias_and_goes_with_its_decision(api: ReviewApi) -> None:
    await api.take("a", UNNAMED)
    await api.take("b", UNNAMED)
    errors = await api.errors("a", parties={"The Tuesday Brigade": "nusra"}, alias={"from": "some day"})
    assert list(errors) == ["/alias/from"]
    period = {"from": "2016-03-01", "to": "2016-06-01"}
    id = await api.decide("a", parties={"The Tuesday Brigade": "nusra"}, alias=period)
    await api.judge_again("b")
    assert [(await api.history(one))[0].verdict for one in ("a", "b")] == ["excluded", "excluded"]
    assert await api.queue() == []
    (change,) = [act for act in await api.audited() if act.action == "parties.aliased"]
    assert change.resource == "parties/nusra"
    await api.ask("DELETE", f"/a/decision/{id}")
    await api.judge_again("b")
    assert [one["incident_id"] for one in await api.queue()] == ["a", "b"]


async def test_of_operators_who_decide_at_once_in_two_processes_all_are_heard(
    database: Database, api: ReviewApi
) -> None:
    await api.take("a", UNNAMED)
    other = ReviewApi(database)
    party = {"The Tuesday Brigade": "nusra"}
    ids = await asyncio.gather(
        api.decide("a", verdict="violation"), other.decide("a", parties=party), api.decide("a", place={"area": "daraa"})
    )
    await other.client.aclose()
    newest, *_ = history = await api.history("a")
    assert {one.id for one in newest.decisions} == set(ids)
    assert (len(history), newest.verdict, newest.perpetrators[0].party) == (4, "violation", "nusra")
