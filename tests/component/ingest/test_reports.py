"""POST /v1/incidents and what can be read back."""

import asyncio
import base64
import csv
import io
import json
from typing import Any

import msgspec
import pytest

from schemas import codec
from schemas.assessments import Interval, ResolvedPlace
from schemas.topics import INCIDENTS, REGISTRY
from tests.component.ingest.running import RunningIngest, judged, report
from tests.unit.ingest.samples import REPORT


async def test_a_report_is_accepted_published_and_read_back(ingest: RunningIngest) -> None:
    answer = await ingest.partner.post("/v1/incidents", json=REPORT)
    assert answer.status_code == 202
    incident_id = answer.json()["incident_id"]
    assert answer.json() == {"incident_id": incident_id, "revision": 1, "status": "accepted"}
    assert answer.headers["location"] == f"/v1/incidents/{incident_id}"
    (fact,) = await ingest.published()
    assert (fact.incident_id, fact.revision, fact.partner, fact.retracted) == (incident_id, 1, "partner-a", None)
    found = (await ingest.partner.get(answer.headers["location"])).json()
    assert found["report"] == REPORT | {"casualties": {"killed": 1, "injured": 0}}
    assert found["state"] == "accepted"
    assert found["assessment"] is None
    assert found["occurred"] == {"from": "2016-05-07T21:00:00Z", "to": "2016-05-08T09:00:00Z"}
    assert [one["revision"] for one in found["revisions"]] == [1]


async def test_the_same_content_is_the_same_revision_and_changed_content_the_next(ingest: RunningIngest) -> None:
    for expected, changes in (
        (202, {}),
        (200, {}),
        (202, {"act": "rocket"}),
        (200, {"act": "rocket"}),
        (202, {"act": "mortar"}),
    ):
        answer = await ingest.partner.post("/v1/incidents", json=report(**changes))
        assert answer.status_code == expected
    assert answer.json()["revision"] == 3
    assert [fact.revision for fact in await ingest.published()] == [1, 2, 3]
    found = (await ingest.partner.get(f"/v1/incidents/{answer.json()['incident_id']}")).json()
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
async def test_content_is_its_meaning_not_its_spelling(ingest: RunningIngest, same: dict[str, Any]) -> None:
    await ingest.partner.post("/v1/incidents", json=REPORT)
    shuffled = dict(reversed(report(**same).items()))
    answer = await ingest.partner.post("/v1/incidents", content=msgspec.json.format(msgspec.json.encode(shuffled)))
    assert (answer.status_code, answer.json()["revision"]) == (200, 1)


async def test_a_default_written_out_and_an_instant_written_as_an_interval_change_nothing(
    ingest: RunningIngest,
) -> None:
    moment = "2016-05-08T10:00:00+03:00"
    bare = report(occurred=moment, location={"lat": 0.0, "lon": 37.0})
    full = report(occurred={"from": moment, "to": moment}, location={"lat": -0.0, "lon": 37, "radius_km": 0.1})
    assert (await ingest.partner.post("/v1/incidents", json=bare)).status_code == 202
    assert (await ingest.partner.post("/v1/incidents", json=full)).status_code == 200


async def test_the_id_survives_a_new_key_of_the_same_name_and_differs_between_names(ingest: RunningIngest) -> None:
    first = (await ingest.partner.post("/v1/incidents", json=REPORT)).json()
    again = await ingest.client("rotated").post("/v1/incidents", json=REPORT)
    other = await ingest.other.post("/v1/incidents", json=REPORT)
    assert (again.status_code, again.json()) == (200, first)
    assert other.status_code == 202
    assert other.json()["incident_id"] != first["incident_id"]
    assert "." not in first["incident_id"]


async def test_posts_of_one_incident_at_once_get_each_its_own_revision(ingest: RunningIngest) -> None:
    answers = await asyncio.gather(
        *(ingest.partner.post("/v1/incidents", json=report(description=f"version {n}")) for n in range(20))
    )
    assert sorted(answer.json()["revision"] for answer in answers) == list(range(1, 21))
    found = (await ingest.partner.get(answers[0].headers["location"])).json()
    assert found["revision"] == 20
    assert [one["revision"] for one in found["revisions"]] == list(range(20, 0, -1))


async def test_a_partner_sees_its_own_a_monitor_and_an_operator_all(ingest: RunningIngest) -> None:
    location = (await ingest.partner.post("/v1/incidents", json=REPORT)).headers["location"]
    statuses = [
        (await client.get(location)).status_code
        for client in (ingest.partner, ingest.monitor, ingest.operator, ingest.other)
    ]
    assert statuses == [200, 200, 200, 404]
    counts = [
        len((await client.get("/v1/incidents")).json()["items"])
        for client in (ingest.partner, ingest.monitor, ingest.operator, ingest.other)
    ]
    assert counts == [1, 1, 1, 0]


async def test_a_monitor_posts_nothing_and_without_a_key_nobody_does(ingest: RunningIngest) -> None:
    refused = await ingest.monitor.post("/v1/incidents", json=REPORT)
    unknown = await ingest.client(None).post("/v1/incidents", json=REPORT)
    assert (refused.status_code, unknown.status_code) == (403, 401)
    assert unknown.headers["www-authenticate"] == "Bearer"
    assert refused.headers["content-type"] == "application/problem+json"
    assert await ingest.published() == []


async def test_an_assessment_is_projected_and_the_newest_stays(ingest: RunningIngest) -> None:
    accepted = (await ingest.partner.post("/v1/incidents", json=REPORT)).json()
    incident_id = accepted["incident_id"]
    await ingest.publish([judged(incident_id, 1, 2), judged(incident_id, 1, 1, "undetermined")])
    await ingest.publish([judged(incident_id, 1, 1, "undetermined")])
    found = (await ingest.partner.get(f"/v1/incidents/{incident_id}")).json()
    assert (found["state"], found["verdict"]) == ("assessed", "violation")
    assert found["assessment"]["verdict"] == "violation"
    await ingest.partner.post("/v1/incidents", json=report(act="rocket"))
    found = (await ingest.partner.get(f"/v1/incidents/{incident_id}")).json()
    assert (found["state"], found["revision"], found["assessment"]["revision"]) == ("accepted", 2, 1)


async def test_what_rules_gave_up_on_is_dead_lettered_until_it_is_judged(ingest: RunningIngest) -> None:
    incident_id = (await ingest.partner.post("/v1/incidents", json=REPORT)).json()["incident_id"]
    consumer = await ingest.runtime.bus.consumer(INCIDENTS, "rules")
    (received,) = await consumer.fetch(10, 0)
    await ingest.runtime.dead_letters.add("rules", received.event, "no sense in it")
    await ingest.run_loops()
    assert (await ingest.partner.get(f"/v1/incidents/{incident_id}")).json()["state"] == "dead_lettered"
    (letter,) = (await ingest.operator.get("/v1/dead-letters")).json()["items"]
    assert letter["reason"] == "no sense in it"
    assert (await ingest.partner.post(f"/v1/dead-letters/{letter['id']}/retry")).status_code == 403
    assert (await ingest.operator.post(f"/v1/dead-letters/{letter['id']}/retry")).status_code == 202
    assert (await ingest.operator.post("/v1/dead-letters/none/retry")).status_code == 404
    assert [fact.incident_id for fact in await ingest.published()] == [incident_id, incident_id]
    assert (await ingest.operator.get("/v1/dead-letters")).json()["items"] == []
    await ingest.publish([judged(incident_id, 1, 1)])
    assert (await ingest.partner.get(f"/v1/incidents/{incident_id}")).json()["state"] == "assessed"
    (entry,) = (await ingest.operator.get("/v1/audit")).json()["items"]
    assert (entry["actor"]["name"], entry["action"]) == ("duty", "dead_letter.retried")


async def test_incidents_are_listed_by_state_and_in_each_order(ingest: RunningIngest) -> None:
    ids = {}
    for number, name in enumerate(("waiting", "judged", "dead", "taken-back", "corrected")):
        occurred = {"from": f"2016-05-0{8 - number}T00:00:00Z", "to": f"2016-05-0{8 - number}T01:00:00Z"}
        answer = await ingest.partner.post("/v1/incidents", json=report(external_id=name, occurred=occurred))
        ids[name] = answer.json()["incident_id"]
        await ingest.clock.advance(1)
    received = await (await ingest.runtime.bus.consumer(INCIDENTS, "rules")).fetch(10, 0)
    dead = next(one.event for one in received if one.event.key == ids["dead"])
    await ingest.runtime.dead_letters.add("rules", dead, "no sense in it")
    await ingest.partner.post(f"/v1/incidents/{ids['taken-back']}/retraction", json={"reason": "withdrawn"})
    days = {"judged": 7, "taken-back": 5, "corrected": 4}
    times = {name: Interval(f"2016-05-0{day}T00:00:00Z", f"2016-05-0{day}T01:00:00Z") for name, day in days.items()}
    await ingest.publish([judged(ids[name], 1, 1, occurred=its) for name, its in times.items()])
    await ingest.partner.post(
        "/v1/incidents", json=report(external_id="corrected", act="rocket", occurred={"date": "2016-05-04"})
    )

    async def names(query: str) -> list[str]:
        answer = await ingest.partner.get(f"/v1/incidents?{query}")
        assert answer.status_code == 200, answer.text
        assert all(one["state"] in query for one in answer.json()["items"] if "state" in query)
        return [one["external_id"] for one in answer.json()["items"]]

    assert await names("state=assessed") == ["judged"]
    assert await names("state=dead_lettered") == ["dead"]
    assert await names("state=retracted&state=accepted") == ["waiting", "taken-back", "corrected"]
    assert await names("order=occurred&verdict=violation&verdict=excluded") == ["corrected", "taken-back", "judged"]
    assert await names("order=received&state=accepted") == ["waiting", "corrected"]
    assert await names("order=-received&limit=2") == ["corrected", "taken-back"]
    assert (await ingest.partner.get("/v1/incidents?state=lost")).status_code == 400


async def test_a_retraction_is_a_revision_and_only_changed_content_takes_it_back(ingest: RunningIngest) -> None:
    accepted = await ingest.partner.post("/v1/incidents", json=REPORT)
    path = accepted.headers["location"]
    first = await ingest.partner.post(f"{path}/retraction", json={"reason": "withdrawn"})
    again = await ingest.partner.post(f"{path}/retraction", json={"reason": "withdrawn"})
    assert [(a.status_code, a.json()["revision"]) for a in (first, again)] == [(202, 2), (200, 2)]
    assert first.headers["location"] == path
    same = await ingest.partner.post("/v1/incidents", json=REPORT)
    assert (same.status_code, same.json()["revision"]) == (200, 2)
    assert (await ingest.partner.get(path)).json()["state"] == "retracted"
    changed = await ingest.partner.post("/v1/incidents", json=report(act="rocket"))
    assert (changed.status_code, changed.json()["revision"]) == (202, 3)
    found = (await ingest.partner.get(path)).json()
    assert found["state"] == "accepted"
    assert [one["retracted"] for one in found["revisions"]] == [None, "withdrawn", None]
    assert [fact.retracted for fact in await ingest.published()] == [None, "withdrawn", None]


async def test_only_its_owner_and_operators_retract_an_incident(ingest: RunningIngest) -> None:
    path = (await ingest.partner.post("/v1/incidents", json=REPORT)).headers["location"]
    body = {"reason": "wrong"}
    assert (await ingest.other.post(f"{path}/retraction", json=body)).status_code == 404
    assert (await ingest.monitor.post(f"{path}/retraction", json=body)).status_code == 403
    assert (await ingest.partner.post("/v1/incidents/none/retraction", json=body)).status_code == 404
    assert (await ingest.partner.post(f"{path}/retraction", json={"reason": ""})).status_code == 422
    assert (await ingest.operator.post(f"{path}/retraction", json=body)).status_code == 202
    await ingest.run_loops()
    (entry,) = (await ingest.operator.get("/v1/audit")).json()["items"]
    assert (entry["action"], entry["resource"]) == ("incident.retracted", path.removeprefix("/v1/"))


async def test_an_idempotency_key_gets_its_first_answer_again_and_never_other_content(ingest: RunningIngest) -> None:
    headers = {"idempotency-key": "k-1"}
    first = await ingest.partner.post("/v1/incidents", json=REPORT, headers=headers)
    await ingest.partner.post("/v1/incidents", json=report(act="rocket"))
    replayed = await ingest.partner.post("/v1/incidents", json=REPORT, headers=headers)
    assert (replayed.status_code, replayed.json()) == (202, first.json())
    reused = await ingest.partner.post("/v1/incidents", json=report(act="mortar"), headers=headers)
    assert reused.status_code == 422
    assert (await ingest.other.post("/v1/incidents", json=REPORT, headers=headers)).status_code == 202
    assert [fact.report.act for fact in await ingest.published()] == ["shelling", "rocket", "shelling"]


async def test_an_idempotency_key_of_a_retraction(ingest: RunningIngest) -> None:
    path = (await ingest.partner.post("/v1/incidents", json=REPORT)).headers["location"]
    headers = {"idempotency-key": "k-1"}
    first = await ingest.partner.post(f"{path}/retraction", json={"reason": "a"}, headers=headers)
    await ingest.partner.post("/v1/incidents", json=report(act="rocket"))
    again = await ingest.partner.post(f"{path}/retraction", json={"reason": "a"}, headers=headers)
    other = await ingest.partner.post(f"{path}/retraction", json={"reason": "b"}, headers=headers)
    assert (first.status_code, again.status_code, other.status_code) == (202, 202, 422)
    assert (await ingest.partner.get(path)).json()["state"] == "accepted"


@pytest.mark.parametrize("key", ["", "x" * 256, "\x7f"])
async def test_an_idempotency_key_that_is_none(ingest: RunningIngest, key: str) -> None:
    answer = await ingest.partner.post("/v1/incidents", json=REPORT, headers={"idempotency-key": key})
    assert answer.status_code == 422


async def test_a_list_is_by_time_and_pages_without_gaps(ingest: RunningIngest) -> None:
    for day in range(1, 8):
        await ingest.partner.post(
            "/v1/incidents", json=report(external_id=f"e{day}", occurred={"date": f"2016-05-0{day}"})
        )
    seen: list[str] = []
    params: dict[str, Any] = {"limit": 3}
    while True:
        page = (await ingest.monitor.get("/v1/incidents", params=params)).json()
        seen += [item["external_id"] for item in page["items"]]
        if not page["has_more"]:
            assert page["next"] is None
            break
        params["after"] = page["next"]
    assert seen == [f"e{day}" for day in range(7, 0, -1)]


async def test_a_list_is_filtered_by_time_verdict_and_external_id(ingest: RunningIngest) -> None:
    ids = {}
    for day in (1, 2, 3):
        body = report(external_id=f"e{day}", occurred={"date": f"2016-05-0{day}"})
        ids[day] = (await ingest.partner.post("/v1/incidents", json=body)).json()["incident_id"]
    await ingest.publish([judged(ids[1], 1, 1, "violation"), judged(ids[2], 1, 1, "excluded")])

    async def listed(**params: str) -> list[str]:
        page = (await ingest.partner.get("/v1/incidents", params=params)).json()
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
        ({"verdict": "guilty", "from": "yesterday"}, ["/verdict", "/from"]),
    ],
)
async def test_a_bad_parameter_is_named(ingest: RunningIngest, params: dict[str, str], pointers: list[str]) -> None:
    answer = await ingest.partner.get("/v1/incidents", params=params)
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == pointers


async def test_a_date_is_a_day_of_the_registry(ingest: RunningIngest) -> None:
    await ingest.set_time_zone("Asia/Damascus")
    path = (await ingest.partner.post("/v1/incidents", json=report(occurred={"date": "2016-05-08"}))).headers[
        "location"
    ]
    occurred = (await ingest.partner.get(path)).json()["occurred"]
    assert occurred == {"from": "2016-05-07T21:00:00Z", "to": "2016-05-08T21:00:00Z"}


async def test_unknown_paths_and_methods_are_problems(ingest: RunningIngest) -> None:
    for method, path, status in (
        ("GET", "/v1/nothing", 404),
        ("PUT", "/v1/incidents", 405),
        ("GET", "/v1/incidents/none", 404),
    ):
        answer = await ingest.partner.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


@pytest.mark.parametrize(
    "path", ["/v1/incidents/%00", "/v1/incidents/a%00b/retraction", "/v1/incidents?external_id=%00"]
)
async def test_a_nul_in_the_address_is_refused(ingest: RunningIngest, path: str) -> None:
    for method in ("GET", "POST", "HEAD"):
        assert (await ingest.partner.request(method, path)).status_code in (400, 422)


@pytest.mark.parametrize("key", [(2**63, 1, "a"), (1, 1, "\0"), (1, 1), (True, 1, "a"), (1, 1.5, "a"), "abc", {}])
async def test_a_cursor_that_we_did_not_make_is_refused(ingest: RunningIngest, key: Any) -> None:
    after = base64.urlsafe_b64encode(json.dumps(key).encode()).decode()
    assert (await ingest.partner.get("/v1/incidents", params={"after": after})).status_code == 400


async def test_the_status_tells_the_age_of_the_oldest_report_without_a_judgement(ingest: RunningIngest) -> None:
    look = ingest.service.tasks[1]
    following = asyncio.ensure_future(look.run())
    incident_id = (await ingest.partner.post("/v1/incidents", json=REPORT)).json()["incident_id"]
    await _until(ingest, lambda status: status["oldest_unassessed_s"] is not None)
    await ingest.publish([judged(incident_id, 1, 1)])
    await _until(ingest, lambda status: status["oldest_unassessed_s"] is None)
    following.cancel()


async def _until(ingest: RunningIngest, holds: Any) -> None:
    for _ in range(100):
        await ingest.clock.advance(5)
        if holds(ingest.service.status()):
            return
        await ingest.partner.get("/v1/incidents")
    raise AssertionError(ingest.service.status())


async def test_a_time_zone_that_the_log_repeats_does_not_come_back(ingest: RunningIngest) -> None:
    await ingest.set_time_zone("Asia/Tehran", version=1)
    await ingest.set_time_zone("Asia/Damascus", version=2)
    await ingest.say_time_zone("Asia/Tehran", version=1)
    await ingest.set_time_zone("Asia/Baghdad", version=3)
    await ingest.say_time_zone("Asia/Damascus", version=2)
    # Events arrive in order: once a poison behind it is a dead letter, the repetition was heard.
    await ingest.runtime.bus.publish([codec.encode_raw(REGISTRY, b"{", key="settings/registry", id="4", time="")])
    while not await ingest.runtime.dead_letters.count():
        await ingest.runtime.bus.healthy()
    assert ingest.runtime.local_time.zone.key == "Asia/Baghdad"


@pytest.mark.parametrize("written", ["2015-06-30T23:59:60Z", "2015-07-01T02:59:60+03:00"])
async def test_a_leap_second_is_the_last_moment_before_midnight(ingest: RunningIngest, written: str) -> None:
    last = "2015-06-30T23:59:59.999999Z"
    answer = await ingest.partner.post("/v1/incidents", json=report(occurred=written))
    assert answer.status_code == 202
    found = (await ingest.partner.get(answer.headers["location"])).json()
    assert found["occurred"] == {"from": last, "to": last}
    span = {"from": "2015-06-30T23:59:59Z", "to": written}
    (result,) = (await ingest.partner.post("/v1/incidents/batch", json=[report(occurred=span)])).json()["results"]
    assert result["status"] == 202


@pytest.mark.parametrize("written", ["2015-06-29T23:59:60Z", "9999-12-31T23:59:60Z"])
async def test_no_other_second_is_a_60th(ingest: RunningIngest, written: str) -> None:
    answer = await ingest.partner.post("/v1/incidents", json=report(occurred=written))
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/occurred"]


@pytest.mark.parametrize("day", ["0001-01-02", "9999-12-29", "9999-12-31"])
async def test_a_day_that_is_none_in_some_zone_is_refused(ingest: RunningIngest, day: str) -> None:
    answer = await ingest.partner.post("/v1/incidents", json=report(occurred={"date": day}))
    assert answer.status_code == 422


@pytest.mark.parametrize("name", ["-", " ", "…", "\u200b", "\u0640"])
async def test_a_place_whose_name_says_nothing_is_refused(ingest: RunningIngest, name: str) -> None:
    for location in ({"place": name}, {"place": name, "lat": 1.0, "lon": 1.0}):
        answer = await ingest.partner.post("/v1/incidents", json=report(location=location))
        assert answer.status_code == 422
        assert answer.json()["errors"] == [{"pointer": "/location/place", "detail": "must hold a letter or a digit"}]
    named = await ingest.partner.post("/v1/incidents", json=report(perpetrators=[name]))
    assert named.status_code == 202


async def test_a_list_as_csv_holds_every_incident_and_no_formula(ingest: RunningIngest) -> None:
    told = report(
        external_id="=1+1", description="-2 people, said the mayor", location={"place": "حلب", "lat": -3.5, "lon": 1}
    )
    posted = [await ingest.partner.post("/v1/incidents", json=one) for one in (told, report(external_id="second"))]
    await ingest.publish([judged(posted[0].json()["incident_id"], 1, 1)])
    answer = await ingest.monitor.get("/v1/incidents?order=received", headers={"accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["vary"] == "accept"
    names, tags, first, second = csv.reader(io.StringIO(answer.text))
    assert len(names) == len(tags) == len(first) == len(second)
    row = dict(zip(names, first, strict=True))
    assert (row["external_id"], row["description"]) == ("'=1+1", "'-2 people, said the mayor")
    assert (row["verdict"], row["severity"], row["place"], row["lat"]) == ("violation", "Severe", "حلب", "-3.5")
    assert dict(zip(names, second, strict=True))["state"] == "accepted"
    assert dict(zip(names, tags, strict=True))["external_id"] == "#event+id"


def _somewhere(lat: float, lon: float, radius_km: float = 1.0) -> dict[str, Any]:
    return {"place": ResolvedPlace(lat=lat, lon=lon, radius_km=radius_km)}


async def test_a_list_as_geojson_is_a_compact_map_of_what_was_judged(ingest: RunningIngest) -> None:
    ids = [
        (await ingest.partner.post("/v1/incidents", json=report(external_id=f"r{n}"))).json()["incident_id"]
        for n in range(4)
    ]
    await ingest.publish(
        [
            judged(ids[0], 1, 1, certainty="Likely", **_somewhere(36.21437, 37.166, 2.5)),
            judged(ids[1], 1, 1, "not_covered", **_somewhere(-10.0, 179.999, 300.0)),
            judged(ids[2], 1, 1),  # nowhere
        ]
    )
    wanted = {"accept": "application/geo+json"}
    answer = await ingest.monitor.get("/v1/incidents", headers=wanted)
    assert (answer.headers["content-type"], answer.headers["vary"]) == ("application/geo+json", "accept")
    drawn = answer.json()
    assert (drawn["type"], drawn["has_more"]) == ("FeatureCollection", False)
    assert drawn["features"][0] == {
        "type": "Feature",
        "id": ids[0][:10],
        "geometry": {"type": "Point", "coordinates": [37.166, 36.214]},
        "properties": {
            "verdict": "violation", "severity": "Severe", "certainty": "Likely", "act": "shelling", "radius": 2.5,
            "time": "2016-05-07T21:00:00Z",
        },
    }  # fmt: skip
    assert drawn["features"][1]["geometry"]["coordinates"] == [179.999, -10.0]
    assert "certainty" not in drawn["features"][1]["properties"]
    for id in ids[:2]:
        assert (await ingest.monitor.get(f"/v1/incidents/{id[:10]}")).json()["incident_id"] == id
    assert (await ingest.other.get(f"/v1/incidents/{ids[0][:10]}")).status_code == 404

    filtered = await ingest.monitor.get("/v1/incidents?verdict=not_covered", headers=wanted)
    assert [one["id"] for one in filtered.json()["features"]] == [ids[1][:10]]
    limited = await ingest.monitor.get("/v1/incidents?limit=1", headers=wanted)
    assert (len(limited.json()["features"]), limited.json()["has_more"]) == (1, True)
    assert (await ingest.other.get("/v1/incidents", headers=wanted)).json()["features"] == []


async def test_a_list_as_geojson_in_full_has_every_incident_with_its_report(ingest: RunningIngest) -> None:
    posted = [await ingest.partner.post("/v1/incidents", json=report(external_id=f"r{n}")) for n in range(2)]
    wanted = {"accept": "application/geo+json"}
    answer = await ingest.monitor.get("/v1/incidents?detail=full&order=received", headers=wanted)
    features = answer.json()["features"]
    assert [one["id"] for one in features] == sorted(one.json()["incident_id"] for one in posted)
    listed = (await ingest.monitor.get("/v1/incidents?order=received")).json()["items"]
    assert [one["properties"] for one in features] == listed
    assert (await ingest.monitor.get("/v1/incidents?detail=some", headers=wanted)).status_code == 400


async def test_json_is_what_a_list_is_unless_csv_is_asked_for(ingest: RunningIngest) -> None:
    for accept in ("*/*", "application/json, text/csv;q=0.5", "text/csv;q=0"):
        answer = await ingest.monitor.get("/v1/incidents", headers={"accept": accept})
        assert answer.json() == {"items": [], "next": None, "has_more": False}
