"""``GET /v1/incidents/{id}/explain`` on the worked example: the whole way to each verdict. Source: the contract."""

from pathlib import Path
from typing import Any

import pytest

from schemas.instants import parse_instant
from tests.component.assembled import Assembled, assembled
from tests.fakes import DrivenClock
from tests.scenario import bearer, expected, reports

TRUCES = ("cessation-of-hostilities", "eastern-ghouta-calm", "latakia-calm", "aleppo-calm")


async def explained(system: Assembled, external_id: str, **changes: Any) -> Any:
    report = next(one for one in reports() if one["external_id"] == external_id)
    partner = await system.make_key("partner-a", "partner")
    posted = await system.call("POST", "/v1/incidents", report | changes, key=partner)
    await system.settle()
    return await system.call("GET", f"/v1/incidents/{posted['incident_id']}/explain", key=partner)


async def test_every_report_is_explained_as_it_is_judged(tmp_path: Path) -> None:
    async with assembled(tmp_path, clock=DrivenClock(parse_instant("2016-05-20T00:00:00Z"))) as system:
        partner = await system.make_key("partner-a", "partner")
        ids = {
            report["external_id"]: (await system.call("POST", "/v1/incidents", report, key=partner))["incident_id"]
            for report in reports()
        }
        await system.settle()
        for row in expected():
            told = await system.call("GET", f"/v1/incidents/{ids[row['external_id']]}/explain", key=partner)
            assert told["verdict"] == row["verdict"]
            outcomes = {one["truce"]: one["outcome"] for one in told["truces"] if one["outcome"] is not None}
            assert outcomes == {truce: row[truce] for truce in TRUCES if row[truce]}
            for one in told["truces"]:
                _holds_together(one)


def _holds_together(truce: Any) -> None:
    """The check that decided fits the outcome, and what comes after one that failed was not made."""
    if truce["outcome"] is None:
        assert (truce["checks"], truce["decided_by"]) == ([], None)
        return
    results = [check["result"] for check in truce["checks"]]
    deciding = next(check for check in truce["checks"] if check["check"] == truce["decided_by"])
    if truce["outcome"] == "violation":
        assert set(results) == {"passed"}
    elif truce["outcome"] == "undetermined":
        assert deciding["result"] == "undecided"
    else:
        assert deciding["result"] == "failed"
        assert set(results[results.index("failed") + 1 :]) <= {"not_reached"}
        assert deciding["reasons"]


async def test_a_violation_shows_windows_words_areas_parties_and_duties(tmp_path: Path) -> None:
    async with assembled(tmp_path) as system:
        told = await explained(system, "midan-20160508")
    calm = next(one for one in told["truces"] if one["truce"] == "aleppo-calm")
    assert (calm["name"], calm["decided_by"]) == ("Aleppo regime of calm", "duties")
    assert calm["areas"][0] == {"area": "aleppo-city", "name": "Aleppo city", "share": 1.0}
    assert [window["announcements"] for window in calm["windows"]] == [
        ["army-20160504", "russia-20160504", "us-20160504"], ["russia-20160506"], ["army-20160509"],
    ]  # fmt: skip
    words = {said["id"]: (said["issuer_name"], said["text"]) for said in calm["announcements"]}
    assert words["russia-20160506"] == ("Russian forces", "Prolonged in the city by 72 hours from 00:01 on 7 May.")
    (actor,) = calm["perpetrators"]
    assert (actor["reported"], actor["party"], actor["excluded"]) == ("opposition fighters", "opposition", False)
    (duty,) = calm["duties"]
    assert (duty["bound"], duty["forbids"], duty["binds"]) == (None, True, ["opposition fighters"])
    nationwide = next(one for one in told["truces"] if one["truce"] == "cessation-of-hostilities")
    assert [duty["binds"] for duty in nationwide["duties"]] == [[], ["opposition fighters"], []]
    certainty = next(check for check in calm["checks"] if check["check"] == "certainty")
    assert [reason["code"] for reason in certainty["reasons"]] == ["excluded_group_present"]


async def test_an_aggregate_and_a_retraction_are_explained(tmp_path: Path) -> None:
    async with assembled(tmp_path) as system:
        toll = await explained(system, "aleppo-toll-20160502")
        (nationwide,) = (one for one in toll["truces"] if one["truce"] == "cessation-of-hostilities")
        assert nationwide["decided_by"] == "aggregate"
        await system.call("POST", f"/v1/incidents/{toll['incident_id']}/retraction", {"reason": "twice"})
        await system.settle()
        told = await system.call("GET", f"/v1/incidents/{toll['incident_id']}/explain")
        assert (told["verdict"], told["truces"]) == ("not_covered", [])
        assert [reason["code"] for reason in told["reasons"]] == ["retracted"]


@pytest.mark.parametrize("language", ["en", "ar", "ru"])
async def test_reasons_and_checks_speak_the_readers_language(tmp_path: Path, language: str) -> None:
    async with assembled(tmp_path) as system:
        told = await explained(system, "midan-20160508")
        path = f"/v1/incidents/{told['incident_id']}/explain"
        answer = await system.api.get(path, headers=bearer() | {"accept-language": language})
        assert answer.headers["content-language"] == language
        titles = [check["title"] for check in answer.json()["truces"][0]["checks"]]
        assert len(set(titles)) == 8
        if language != "en":
            assert all(title.isascii() is False for title in titles)


async def test_nobody_explains_what_is_not_theirs_or_not_there(tmp_path: Path) -> None:
    async with assembled(tmp_path) as system:
        told = await explained(system, "midan-20160508")
        other = await system.make_key("partner-b", "partner")
        for path, key in (
            (f"/v1/incidents/{told['incident_id']}/explain", other),
            ("/v1/incidents/inc_0/explain", other),
        ):
            assert (await system.api.get(path, headers=bearer(key))).status_code == 404
