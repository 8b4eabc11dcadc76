"""POST /v1/incidents and what can be read back."""

import asyncio
import base64
import json
from typing import Any

import msgspec
import pytest

from schemas import codec
from schemas.topics import INCIDENTS, REGISTRY
from tests.unit.ingest.desk import REPORT, Desk, judged, report


async def test_a_report_is_accepted_published_and_read_back(desk: Desk) -> None:
    answer = await desk.partner.post("/v1/incidents", json=REPORT)
    assert answer.status_code == 202
    incident_id = answer.json()["incident_id"]
    assert answer.json() == {"incident_id": incident_id, "revision": 1, "status": "accepted"}
    assert answer.headers["location"] == f"/v1/incidents/{incident_id}"
    (fact,) = await desk.published()
    assert (fact.incident_id, fact.revision, fact.partner, fact.retracted) == (incident_id, 1, "partner-a", None)
    found = (await desk.partner.get(answer.headers["location"])).json()
    assert found["report"] == REPORT | {"casualties": {"killed": 1, "injured": 0}}
    assert found["state"] == "accepted"
    assert found["assessment"] is None
    assert found["occurred"] == {"from": "2016-05-07T21:00:00Z", "to": "2016-05-08T09:00:00Z"}
    assert [one["revision"] for one in found["revisions"]] == [1]


async def test_the_same_content_is_the_same_revision_and_changed_content_the_next(desk: Desk) -> None:
    for expected, changes in (
        (202, {}),
        (200, {}),
        (202, {"act": "rocket"}),
        (200, {"act": "rocket"}),
        (202, {"act": "mortar"}),
    ):
        answer = await desk.partner.post("/v1/incidents", json=report(**changes))
        assert answer.status_code == expected
    assert answer.json()["revision"] == 3
    assert [fact.revision for fact in await desk.published()] == [1, 2, 3]
    found = (await desk.partner.get(f"/v1/incidents/{answer.json()['incident_id']}")).json()
    assert [(one["revision"], one["report"]["act"]) for one in found["revisions"]] == [
        (3, "mortar"),
        (2, "rocket"),
        (1, "shelling"),
    ]


@pytest.mark.parametrize(
    "same",
    [
        {"occurred": {"from": "2016-05-07T21:00:00Z", "to": "2016-05-08T09:00:00.000Z"}},
        {"casualties": {"injured": 0.0, "killed": 1.0}},
        {"location": {"radius_km": 1, "lon": 37.1660, "lat": 3.6214e1, "place": "Midan, Aleppo", "area": None}},
        {"claims": [], "aggregate": False, "description": "", "language": None},
    ],
)
async def test_content_is_its_meaning_not_its_spelling(desk: Desk, same: dict[str, Any]) -> None:
    await desk.partner.post("/v1/incidents", json=REPORT)
    shuffled = dict(reversed(report(**same).items()))
    answer = await desk.partner.post("/v1/incidents", content=msgspec.json.format(msgspec.json.encode(shuffled)))
    assert (answer.status_code, answer.json()["revision"]) == (200, 1)


async def test_a_default_written_out_and_an_instant_written_as_an_interval_change_nothing(desk: Desk) -> None:
    moment = "2016-05-08T10:00:00+03:00"
    bare = report(occurred=moment, location={"lat": 0.0, "lon": 37.0})
    full = report(occurred={"from": moment, "to": moment}, location={"lat": -0.0, "lon": 37, "radius_km": 0.1})
    assert (await desk.partner.post("/v1/incidents", json=bare)).status_code == 202
    assert (await desk.partner.post("/v1/incidents", json=full)).status_code == 200


async def test_the_id_survives_a_new_key_of_the_same_name_and_differs_between_names(desk: Desk) -> None:
    first = (await desk.partner.post("/v1/incidents", json=REPORT)).json()
    again = await desk.client("rotated").post("/v1/incidents", json=REPORT)
    other = await desk.other.post("/v1/incidents", json=REPORT)
    assert (again.status_code, again.json()) == (200, first)
    assert other.status_code == 202
    assert other.json()["incident_id"] != first["incident_id"]
    assert "." not in first["incident_id"]


async def test_posts_of_one_incident_at_once_get_each_its_own_revision(desk: Desk) -> None:
    answers = await asyncio.gather(
        *(desk.partner.post("/v1/incidents", json=report(description=f"version {n}")) for n in range(20))
    )
    assert sorted(answer.json()["revision"] for answer in answers) == list(range(1, 21))
    found = (await desk.partner.get(answers[0].headers["location"])).json()
    assert found["revision"] == 20
    assert [one["revision"] for one in found["revisions"]] == list(range(20, 0, -1))


async def test_a_partner_sees_its_own_a_monitor_and_an_operator_all(desk: Desk) -> None:
    location = (await desk.partner.post("/v1/incidents", json=REPORT)).headers["location"]
    statuses = [
        (await client.get(location)).status_code for client in (desk.partner, desk.monitor, desk.operator, desk.other)
    ]
    assert statuses == [200, 200, 200, 404]
    counts = [
        len((await client.get("/v1/incidents")).json()["items"])
        for client in (desk.partner, desk.monitor, desk.operator, desk.other)
    ]
    assert counts == [1, 1, 1, 0]


async def test_a_monitor_posts_nothing_and_without_a_key_nobody_does(desk: Desk) -> None:
    refused = await desk.monitor.post("/v1/incidents", json=REPORT)
    unknown = await desk.client(None).post("/v1/incidents", json=REPORT)
    assert (refused.status_code, unknown.status_code) == (403, 401)
    assert unknown.headers["www-authenticate"] == "Bearer"
    assert refused.headers["content-type"] == "application/problem+json"
    assert await desk.published() == []


async def test_an_assessment_is_projected_and_the_newest_stays(desk: Desk) -> None:
    accepted = (await desk.partner.post("/v1/incidents", json=REPORT)).json()
    incident_id = accepted["incident_id"]
    await desk.publish([judged(incident_id, 1, 2), judged(incident_id, 1, 1, "undetermined")])
    await desk.publish([judged(incident_id, 1, 1, "undetermined")])
    found = (await desk.partner.get(f"/v1/incidents/{incident_id}")).json()
    assert (found["state"], found["verdict"]) == ("assessed", "violation")
    assert found["assessment"]["verdict"] == "violation"
    await desk.partner.post("/v1/incidents", json=report(act="rocket"))
    found = (await desk.partner.get(f"/v1/incidents/{incident_id}")).json()
    assert (found["state"], found["revision"], found["assessment"]["revision"]) == ("accepted", 2, 1)


async def test_what_rules_gave_up_on_is_dead_lettered_until_it_is_judged(desk: Desk) -> None:
    incident_id = (await desk.partner.post("/v1/incidents", json=REPORT)).json()["incident_id"]
    consumer = await desk.runtime.bus.consumer(INCIDENTS, "rules")
    (received,) = await consumer.fetch(10, 0)
    await desk.runtime.graveyard.bury("rules", received.event, "no sense in it")
    await desk.run_loops()
    assert (await desk.partner.get(f"/v1/incidents/{incident_id}")).json()["state"] == "dead_lettered"
    (letter,) = (await desk.operator.get("/v1/dead-letters")).json()["items"]
    assert letter["reason"] == "no sense in it"
    assert (await desk.partner.post(f"/v1/dead-letters/{letter['id']}/retry")).status_code == 403
    assert (await desk.operator.post(f"/v1/dead-letters/{letter['id']}/retry")).status_code == 202
    assert (await desk.operator.post("/v1/dead-letters/none/retry")).status_code == 404
    assert [fact.incident_id for fact in await desk.published()] == [incident_id, incident_id]
    assert (await desk.operator.get("/v1/dead-letters")).json()["items"] == []
    await desk.publish([judged(incident_id, 1, 1)])
    assert (await desk.partner.get(f"/v1/incidents/{incident_id}")).json()["state"] == "assessed"
    (entry,) = (await desk.operator.get("/v1/audit")).json()["items"]
    assert (entry["actor"]["name"], entry["action"]) == ("duty", "dead_letter.retried")


async def test_a_retraction_is_a_revision_and_only_changed_content_takes_it_back(desk: Desk) -> None:
    accepted = await desk.partner.post("/v1/incidents", json=REPORT)
    path = accepted.headers["location"]
    first = await desk.partner.post(f"{path}/retraction", json={"reason": "withdrawn"})
    again = await desk.partner.post(f"{path}/retraction", json={"reason": "withdrawn"})
    assert [(a.status_code, a.json()["revision"]) for a in (first, again)] == [(202, 2), (200, 2)]
    assert first.headers["location"] == path
    same = await desk.partner.post("/v1/incidents", json=REPORT)
    assert (same.status_code, same.json()["revision"]) == (200, 2)
    assert (await desk.partner.get(path)).json()["state"] == "retracted"
    changed = await desk.partner.post("/v1/incidents", json=report(act="rocket"))
    assert (changed.status_code, changed.json()["revision"]) == (202, 3)
    found = (await desk.partner.get(path)).json()
    assert found["state"] == "accepted"
    assert [one["retracted"] for one in found["revisions"]] == [None, "withdrawn", None]
    assert [fact.retracted for fact in await desk.published()] == [None, "withdrawn", None]


async def test_only_its_owner_and_operators_retract_an_incident(desk: Desk) -> None:
    path = (await desk.partner.post("/v1/incidents", json=REPORT)).headers["location"]
    body = {"reason": "wrong"}
    assert (await desk.other.post(f"{path}/retraction", json=body)).status_code == 404
    assert (await desk.monitor.post(f"{path}/retraction", json=body)).status_code == 403
    assert (await desk.partner.post("/v1/incidents/none/retraction", json=body)).status_code == 404
    assert (await desk.partner.post(f"{path}/retraction", json={"reason": ""})).status_code == 422
    assert (await desk.operator.post(f"{path}/retraction", json=body)).status_code == 202
    await desk.run_loops()
    (entry,) = (await desk.operator.get("/v1/audit")).json()["items"]
    assert (entry["action"], entry["resource"]) == ("incident.retracted", path.removeprefix("/v1/"))


async def test_an_idempotency_key_gets_its_first_answer_again_and_never_other_content(desk: Desk) -> None:
    headers = {"idempotency-key": "k-1"}
    first = await desk.partner.post("/v1/incidents", json=REPORT, headers=headers)
    await desk.partner.post("/v1/incidents", json=report(act="rocket"))
    replayed = await desk.partner.post("/v1/incidents", json=REPORT, headers=headers)
    assert (replayed.status_code, replayed.json()) == (202, first.json())
    reused = await desk.partner.post("/v1/incidents", json=report(act="mortar"), headers=headers)
    assert reused.status_code == 422
    assert (await desk.other.post("/v1/incidents", json=REPORT, headers=headers)).status_code == 202
    assert [fact.report.act for fact in await desk.published()] == ["shelling", "rocket", "shelling"]


async def test_an_idempotency_key_of_a_retraction(desk: Desk) -> None:
    path = (await desk.partner.post("/v1/incidents", json=REPORT)).headers["location"]
    headers = {"idempotency-key": "k-1"}
    first = await desk.partner.post(f"{path}/retraction", json={"reason": "a"}, headers=headers)
    await desk.partner.post("/v1/incidents", json=report(act="rocket"))
    again = await desk.partner.post(f"{path}/retraction", json={"reason": "a"}, headers=headers)
    other = await desk.partner.post(f"{path}/retraction", json={"reason": "b"}, headers=headers)
    assert (first.status_code, again.status_code, other.status_code) == (202, 202, 422)
    assert (await desk.partner.get(path)).json()["state"] == "accepted"


@pytest.mark.parametrize("key", ["", "x" * 256, "\x7f"])
async def test_an_idempotency_key_that_is_none(desk: Desk, key: str) -> None:
    answer = await desk.partner.post("/v1/incidents", json=REPORT, headers={"idempotency-key": key})
    assert answer.status_code == 422


async def test_a_list_is_by_time_and_pages_without_gaps(desk: Desk) -> None:
    for day in range(1, 8):
        await desk.partner.post(
            "/v1/incidents", json=report(external_id=f"e{day}", occurred={"date": f"2016-05-0{day}"})
        )
    seen: list[str] = []
    params: dict[str, Any] = {"limit": 3}
    while True:
        page = (await desk.monitor.get("/v1/incidents", params=params)).json()
        seen += [item["external_id"] for item in page["items"]]
        if not page["has_more"]:
            assert page["next"] is None
            break
        params["after"] = page["next"]
    assert seen == [f"e{day}" for day in range(7, 0, -1)]


async def test_a_list_is_filtered_by_time_verdict_and_external_id(desk: Desk) -> None:
    ids = {}
    for day in (1, 2, 3):
        body = report(external_id=f"e{day}", occurred={"date": f"2016-05-0{day}"})
        ids[day] = (await desk.partner.post("/v1/incidents", json=body)).json()["incident_id"]
    await desk.publish([judged(ids[1], 1, 1, "violation"), judged(ids[2], 1, 1, "excluded")])

    async def listed(**params: str) -> list[str]:
        page = (await desk.partner.get("/v1/incidents", params=params)).json()
        return [item["external_id"] for item in page["items"]]

    assert await listed(**{"from": "2016-05-02T00:00:00Z"}) == ["e3", "e2"]
    assert await listed(**{"from": "2016-05-01T23:59:59Z", "to": "2016-05-02T00:00:00Z"}) == ["e1"]
    assert await listed(to="2016-05-02T00:00:01Z") == ["e2", "e1"]
    assert await listed(verdict="violation") == ["e1"]
    assert await listed(external_id="e2") == ["e2"]
    assert await listed(external_id="e2", verdict="violation") == []


@pytest.mark.parametrize(
    ("params", "pointers"),
    [
        ({"limit": "0"}, ["/limit"]),
        ({"limit": "1001"}, ["/limit"]),
        ({"limit": "ten"}, ["/limit"]),
        ({"after": "x"}, ["/after"]),
        ({"after": "eyJ9"}, ["/after"]),
        ({"verdict": "guilty", "from": "yesterday"}, ["/from", "/verdict"]),
    ],
)
async def test_a_bad_parameter_is_named(desk: Desk, params: dict[str, str], pointers: list[str]) -> None:
    answer = await desk.partner.get("/v1/incidents", params=params)
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == pointers


async def test_a_date_is_a_day_of_the_registry(desk: Desk) -> None:
    await desk.set_time_zone("Asia/Damascus")
    path = (await desk.partner.post("/v1/incidents", json=report(occurred={"date": "2016-05-08"}))).headers["location"]
    occurred = (await desk.partner.get(path)).json()["occurred"]
    assert occurred == {"from": "2016-05-07T21:00:00Z", "to": "2016-05-08T21:00:00Z"}


async def test_unknown_paths_and_methods_are_problems(desk: Desk) -> None:
    for method, path, status in (
        ("GET", "/v1/nothing", 404),
        ("PUT", "/v1/incidents", 405),
        ("GET", "/v1/incidents/none", 404),
    ):
        answer = await desk.partner.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


@pytest.mark.parametrize(
    "path", ["/v1/incidents/%00", "/v1/incidents/a%00b/retraction", "/v1/incidents?external_id=%00"]
)
async def test_a_nul_in_the_address_is_refused(desk: Desk, path: str) -> None:
    for method in ("GET", "POST", "HEAD"):
        assert (await desk.partner.request(method, path)).status_code in (400, 422)


@pytest.mark.parametrize("key", [(2**63, 1, "a"), (1, 1, "\0"), (1, 1), (True, 1, "a"), (1, 1.5, "a"), "abc", {}])
async def test_a_cursor_that_we_did_not_make_is_refused(desk: Desk, key: Any) -> None:
    after = base64.urlsafe_b64encode(json.dumps(key).encode()).decode()
    assert (await desk.partner.get("/v1/incidents", params={"after": after})).status_code == 400


async def test_the_status_tells_the_age_of_the_oldest_report_without_a_judgement(desk: Desk) -> None:
    look = desk.service.tasks[1]
    following = asyncio.ensure_future(look.run())
    incident_id = (await desk.partner.post("/v1/incidents", json=REPORT)).json()["incident_id"]
    await _until(desk, lambda status: status["oldest_unassessed_s"] is not None)
    await desk.publish([judged(incident_id, 1, 1)])
    await _until(desk, lambda status: status["oldest_unassessed_s"] is None)
    following.cancel()


async def _until(desk: Desk, holds: Any) -> None:
    for _ in range(100):
        await desk.clock.advance(5)
        if holds(desk.service.status()):
            return
        await desk.partner.get("/v1/incidents")
    raise AssertionError(desk.service.status())


async def test_a_time_zone_that_the_log_repeats_does_not_come_back(desk: Desk) -> None:
    await desk.set_time_zone("Asia/Tehran", version=1)
    await desk.set_time_zone("Asia/Damascus", version=2)
    await desk.say_time_zone("Asia/Tehran", version=1)
    await desk.set_time_zone("Asia/Baghdad", version=3)
    await desk.say_time_zone("Asia/Damascus", version=2)
    # What is said in order is heard in order: once a poison behind it is buried, the repetition was heard.
    await desk.runtime.bus.publish([codec.encode_raw(REGISTRY, b"{", key="settings/registry", id="4", time="")])
    while not await desk.runtime.graveyard.count():
        await desk.runtime.bus.healthy()
    assert desk.service.state["local_time"].zone.key == "Asia/Baghdad"


@pytest.mark.parametrize("written", ["2015-06-30T23:59:60Z", "2015-07-01T02:59:60+03:00"])
async def test_a_leap_second_is_the_last_moment_before_midnight(desk: Desk, written: str) -> None:
    last = "2015-06-30T23:59:59.999999Z"
    answer = await desk.partner.post("/v1/incidents", json=report(occurred=written))
    assert answer.status_code == 202
    found = (await desk.partner.get(answer.headers["location"])).json()
    assert found["occurred"] == {"from": last, "to": last}
    span = {"from": "2015-06-30T23:59:59Z", "to": written}
    (result,) = (await desk.partner.post("/v1/incidents/batch", json=[report(occurred=span)])).json()["results"]
    assert result["status"] == 202


@pytest.mark.parametrize("written", ["2015-06-29T23:59:60Z", "9999-12-31T23:59:60Z"])
async def test_no_other_second_is_a_60th(desk: Desk, written: str) -> None:
    answer = await desk.partner.post("/v1/incidents", json=report(occurred=written))
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/occurred"]


@pytest.mark.parametrize("day", ["0001-01-02", "9999-12-29", "9999-12-31"])
async def test_a_day_that_is_none_in_some_zone_is_refused(desk: Desk, day: str) -> None:
    answer = await desk.partner.post("/v1/incidents", json=report(occurred={"date": day}))
    assert answer.status_code == 422


@pytest.mark.parametrize("name", ["-", " ", "…", "\u200b", "\u0640"])
async def test_a_place_whose_name_says_nothing_is_refused(desk: Desk, name: str) -> None:
    for location in ({"place": name}, {"place": name, "lat": 1.0, "lon": 1.0}):
        answer = await desk.partner.post("/v1/incidents", json=report(location=location))
        assert answer.status_code == 422
        assert answer.json()["errors"] == [{"pointer": "/location/place", "detail": "must hold a letter or a digit"}]
    named = await desk.partner.post("/v1/incidents", json=report(perpetrators=[name]))
    assert named.status_code == 202
