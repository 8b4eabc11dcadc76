"""Adapters from end to end: hooks, lists, edits and deletions there, what is refused, what is never stored."""

import asyncio
import base64
import dataclasses
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from schemas.instants import SECOND
from services.ingest.adapters.polls import LEASE, Fetch, PolledAnswer, Polls
from services.platform.http.reply import JSON_TYPE
from tests.component.ingest.running import RunningIngest, running_ingest
from tests.parts.form_server import KOBO, ODK, USHAHIDI, FormServer
from tests.unit.connectors.form_samples import (
    CHOICES,
    KOBO_FIELDS,
    KOBO_REPORT,
    ODK_CREATED,
    ODK_FIELDS,
    ODK_REJECTED,
    ODK_REPORT,
    PERSONAL,
    USHAHIDI_BODY,
    USHAHIDI_FIELDS,
    USHAHIDI_REPORT,
    USHAHIDI_SECRET,
    USHAHIDI_SIGNATURE,
    USHAHIDI_URL,
    kobo_edited,
    kobo_submission,
    odk_entry,
)

SECRET: Final = "a secret of the form"
HEADERS: Final = {"x-trucewatch-secret": SECRET}
FIELDS: Final = {"kobo": KOBO_FIELDS, "odk": ODK_FIELDS, "ushahidi": USHAHIDI_FIELDS}


@pytest.fixture
def source() -> Iterator[FormServer]:
    with FormServer() as server:
        yield server


def adapter(kind: str = "kobo", **changes: Any) -> dict[str, Any]:
    return {
        "kind": kind, "partner": "Field desk", "fields": FIELDS.get(kind, {}), "choices": CHOICES, "secret": SECRET,
        **changes,
    }  # fmt: skip


async def put(ingest: RunningIngest, id: str = "forms", body: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = await ingest.operator.put(f"/v1/adapters/{id}", json=adapter() if body is None else body)
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def hook(
    ingest: RunningIngest, body: Any, id: str = "forms", headers: dict[str, str] = HEADERS
) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await ingest.client(None).post(f"/v1/inbound/{id}", content=content, headers=headers)


async def poll(ingest: RunningIngest, *, after_s: float = 0) -> None:
    """Pass so many seconds, and read the lists that are due then."""
    await ingest.clock.advance(after_s)
    polls: Polls = ingest.service.state["polls"]
    await polls.step()
    await polls.settled()


async def stored(ingest: RunningIngest, external_id: str) -> dict[str, Any]:
    found = (await ingest.operator.get("/v1/incidents", params={"external_id": external_id})).json()["items"]
    return dict((await ingest.operator.get(f"/v1/incidents/{found[0]['incident_id']}")).json()) if found else {}


async def shown(ingest: RunningIngest, id: str = "forms") -> dict[str, Any]:
    return dict((await ingest.operator.get(f"/v1/adapters/{id}")).json())


def kobo_poll(source: FormServer, **changes: Any) -> dict[str, Any]:
    return adapter(poll={"url": source.url(KOBO), "every": "PT10S", "full_every": "PT1M", **changes})


async def test_a_hook_of_kobo_is_one_report_however_often_it_comes(ingest: RunningIngest) -> None:
    await put(ingest)
    first, again = await hook(ingest, kobo_submission()), await hook(ingest, kobo_submission())
    assert (first.status_code, again.status_code) == (202, 200)
    [result] = again.json()["results"]
    assert (result["status"], result["revision"]) == (200, 1)
    found = await stored(ingest, KOBO_REPORT["external_id"])
    assert (found["partner"], found["report"]["casualties"]) == ("Field desk", {"killed": 2})
    state = await shown(ingest)
    assert (state["read"], state["refused"], state["last_delivery_at"]) == (2, 0, "2016-05-08T12:00:00Z")


async def test_an_edit_that_no_hook_announced_is_found_and_a_late_retry_does_not_undo_it(
    ingest: RunningIngest, source: FormServer
) -> None:
    await put(ingest, body=kobo_poll(source))
    assert (await hook(ingest, kobo_submission())).status_code == 202
    source.has(KOBO, kobo_edited())
    await poll(ingest)
    found = await stored(ingest, KOBO_REPORT["external_id"])
    assert (found["revision"], found["report"]["casualties"], found["report"]["source"]["grade"]) == (
        2, {"killed": 3}, "B2",
    )  # fmt: skip
    late = await hook(ingest, kobo_submission())
    assert (late.status_code, late.json()["results"][0]["revision"]) == (200, 2)
    assert (await stored(ingest, KOBO_REPORT["external_id"]))["revision"] == 2


async def test_a_hook_and_the_list_give_one_revision(ingest: RunningIngest, source: FormServer) -> None:
    await put(ingest, body=kobo_poll(source))
    source.has(KOBO, kobo_submission())
    await poll(ingest)
    assert (await hook(ingest, kobo_submission())).status_code == 200
    await poll(ingest, after_s=70)
    assert (await stored(ingest, KOBO_REPORT["external_id"]))["revision"] == 1


async def test_an_edit_back_to_an_older_content_is_a_new_revision(ingest: RunningIngest, source: FormServer) -> None:
    await put(ingest, body=kobo_poll(source))
    for number, killed in enumerate(("2", "3", "2"), 1):
        source.has(KOBO, kobo_submission(**{"incident/killed": killed, "meta/deprecatedID": f"uuid:{number}"}))
        await poll(ingest, after_s=70)
    found = await stored(ingest, KOBO_REPORT["external_id"])
    assert (found["revision"], found["report"]["casualties"]) == (3, {"killed": 2})


async def test_a_lost_hook_is_found_by_the_list_and_counted(ingest: RunningIngest, source: FormServer) -> None:
    await put(ingest, body=kobo_poll(source))
    source.has(KOBO, *(kobo_submission(_id=number) for number in range(1, 6)))
    assert (await hook(ingest, kobo_submission(_id=1))).status_code == 202
    await poll(ingest)
    state = await shown(ingest)
    assert (state["found_again"], state["read"]) == (4, 6)
    # Three pages, each asked for at the server's own address, whatever it thinks of itself.
    assert [target.partition("?")[0] for target in source.asked] == [KOBO] * 3


async def test_what_is_deleted_or_not_approved_there_is_retracted_here_and_may_come_back(
    ingest: RunningIngest, source: FormServer
) -> None:
    await put(ingest, body=kobo_poll(source))
    source.has(KOBO, kobo_submission(), kobo_submission(_id=2))
    await poll(ingest)
    source.has(KOBO, kobo_submission())
    await poll(ingest, after_s=70)
    found = await stored(ingest, "kobo-aTruceForm0000000001-2")
    assert (found["state"], found["revisions"][0]["retracted"]) == ("retracted", "deleted at the source")
    rejected = {"uid": "validation_status_not_approved", "timestamp": 1456700000}
    source.has(KOBO, kobo_submission(_validation_status=rejected), kobo_submission(_id=2))
    await poll(ingest, after_s=70)
    assert (await stored(ingest, KOBO_REPORT["external_id"]))["state"] == "retracted"
    back = await stored(ingest, "kobo-aTruceForm0000000001-2")
    assert (back["state"], back["revision"]) == ("accepted", 3)
    assert (await shown(ingest))["withdrawn"] == 2


async def test_what_a_person_retracted_stays_retracted_when_the_list_has_it_still(
    ingest: RunningIngest, source: FormServer
) -> None:
    await put(ingest, body=kobo_poll(source))
    source.has(KOBO, kobo_submission())
    await poll(ingest)
    incident = (await stored(ingest, KOBO_REPORT["external_id"]))["incident_id"]
    await ingest.operator.post(f"/v1/incidents/{incident}/retraction", json={"reason": "a mistake"})
    await poll(ingest, after_s=70)
    assert (await stored(ingest, KOBO_REPORT["external_id"]))["state"] == "retracted"


async def test_a_list_that_lacks_most_of_what_is_known_is_not_believed(
    ingest: RunningIngest, source: FormServer
) -> None:
    await put(ingest, body=kobo_poll(source))
    source.has(KOBO, *(kobo_submission(_id=number) for number in range(1, 13)))
    await poll(ingest)
    source.has(KOBO)
    await poll(ingest, after_s=70)
    state = await shown(ingest)
    assert (state["withdrawn"], state["failing"]["reason"]) == (
        0, "12 of 12 known submissions are not in the list; none was withdrawn",
    )  # fmt: skip


async def test_a_list_is_asked_for_what_is_new_and_goes_on_after_a_restart(tmp_path: Path, source: FormServer) -> None:
    source.has(KOBO, kobo_submission())
    async with running_ingest(tmp_path) as ingest:
        await put(ingest, body=kobo_poll(source, full_every="P1D"))
        await poll(ingest)
    source.has(KOBO, kobo_submission(), kobo_submission(_id=2, _submission_time="2016-02-28T13:00:00"))
    async with running_ingest(tmp_path) as ingest:
        await poll(ingest, after_s=11)
        assert 'query={"_submission_time":{"$gt":"2016-02-28T12:26:02"}}' in httpx.URL(source.asked[-1]).query.decode(
        ).replace("%7B", "{").replace("%7D", "}").replace("%22", '"')  # fmt: skip
        assert (await stored(ingest, "kobo-aTruceForm0000000001-2"))["revision"] == 1


async def test_two_processes_that_poll_take_each_record_once(ingest: RunningIngest, source: FormServer) -> None:
    source.has(KOBO, *(kobo_submission(_id=number) for number in range(1, 6)))
    await put(ingest, body=kobo_poll(source))
    polls: Polls = ingest.service.state["polls"]
    other = dataclasses.replace(polls, holder="another", _running={})
    for _ in range(3):
        for one in (polls, other):
            await one.step()
        await asyncio.gather(polls.settled(), other.settled())
        await ingest.clock.advance(70)
    # Three pages in three passes: a list is read by one process at a time.
    assert len(source.asked) == 9
    assert await revisions(ingest, 5) == [1] * 5
    assert (await shown(ingest))["read"] == 15


async def test_a_process_that_stood_still_over_the_end_of_its_lease_repeats_nothing(
    ingest: RunningIngest, source: FormServer
) -> None:
    await put(ingest, body=kobo_poll(source))
    polls: Polls = ingest.service.state["polls"]
    source.has(KOBO, *(kobo_submission(_id=number) for number in range(1, 6)))
    still = StandsStill(polls.fetch)
    slow = dataclasses.replace(polls, holder="slow", fetch=still, _running={})
    await slow.step()
    await still.reached.wait()
    await ingest.clock.advance(LEASE / SECOND + 1)
    await poll(ingest)
    source.has(KOBO, *(kobo_submission(_id=number) for number in range(1, 5)))
    await poll(ingest, after_s=70)
    still.let_on.set()
    await slow.settled()
    assert await revisions(ingest, 5) == [1, 1, 1, 1, 2]
    assert (await stored(ingest, "kobo-aTruceForm0000000001-5"))["state"] == "retracted"


class StandsStill:
    """A process that was stopped with the answer to its first request in hand."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch, self.reached, self.let_on = fetch, asyncio.Event(), asyncio.Event()

    async def get(self, url: str, headers: Mapping[str, str]) -> PolledAnswer:
        answer = await self._fetch.get(url, headers)
        if not self.let_on.is_set():
            self.reached.set()
            await self.let_on.wait()
        return answer

    async def post(self, url: str, form: Mapping[str, str]) -> PolledAnswer:
        return await self._fetch.post(url, form)


async def revisions(ingest: RunningIngest, count: int) -> list[int]:
    found = [await stored(ingest, f"kobo-aTruceForm0000000001-{number}") for number in range(1, count + 1)]
    return [one["revision"] for one in found]


async def test_a_list_is_not_read_before_it_is_due(ingest: RunningIngest, source: FormServer) -> None:
    await put(ingest, body=kobo_poll(source))
    await poll(ingest)
    await poll(ingest, after_s=9)
    assert len(source.asked) == 1
    await poll(ingest, after_s=2)
    assert len(source.asked) == 2


async def test_a_source_that_fails_shows_on_the_status_and_is_asked_again(
    ingest: RunningIngest, source: FormServer
) -> None:
    source.failing = 503
    await put(ingest, body=kobo_poll(source))
    await poll(ingest)
    await ingest.service.state["board"].refresh()
    assert ingest.service.status()["adapters"] == {
        "active": 1,
        "failing": [{"id": "forms", "since": "2016-05-08T12:00:00Z", "reason": "the source answered 503"}],
    }
    source.failing = None
    await poll(ingest, after_s=11)
    await ingest.service.state["board"].refresh()
    assert ingest.service.status()["adapters"] == {"active": 1, "failing": []}


@pytest.mark.parametrize(
    ("kind", "path", "token", "shown_as"),
    [
        ("kobo", KOBO, "a key of kobo", "Token a key of kobo"),
        ("odk", ODK, "a key of odk", "Bearer a key of odk"),
        ("odk", ODK, "user:password", "Basic " + base64.b64encode(b"user:password").decode()),
        ("ushahidi", USHAHIDI, "a key of ushahidi", "Bearer a key of ushahidi"),
    ],
)
async def test_a_list_is_asked_for_with_the_key_that_its_server_wants(
    ingest: RunningIngest, source: FormServer, kind: str, path: str, token: str, shown_as: str
) -> None:
    source.token = shown_as
    wanted = adapter(kind, poll={"url": source.url(path), "every": "PT10S", "token": token})
    body = await put(ingest, body=wanted)
    assert body["poll"]["has_token"] is True
    assert token not in json.dumps(body)
    await poll(ingest)
    assert (await shown(ingest))["failing"] is None
    source.token = "another"
    await poll(ingest, after_s=11)
    assert "does not take the token" in (await shown(ingest))["failing"]["reason"]


async def test_a_submission_of_odk_is_created_rejected_and_found_again(
    ingest: RunningIngest, source: FormServer
) -> None:
    await put(ingest, body=adapter("odk", poll={"url": source.url(ODK), "every": "PT10S"}))
    assert (await hook(ingest, ODK_CREATED, headers={"x-api-key": SECRET})).status_code == 202
    source.has(ODK, odk_entry(1))
    await poll(ingest)
    assert (await stored(ingest, ODK_REPORT["external_id"]))["revision"] == 1
    await ingest.clock.advance(1)
    assert (await hook(ingest, ODK_REJECTED, headers={"x-api-key": SECRET})).status_code == 202
    assert (await stored(ingest, ODK_REPORT["external_id"]))["state"] == "retracted"
    source.has(ODK, odk_entry(1, reviewState="approved", updatedAt="2016-03-06T07:00:00.000Z"))
    approved = {**ODK_REJECTED, "data": {"reviewState": "approved"}}
    assert (await hook(ingest, approved, headers={"x-api-key": SECRET})).status_code == 200
    await poll(ingest, after_s=1)
    found = await stored(ingest, ODK_REPORT["external_id"])
    assert (found["state"], found["report"]["source"]["grade"]) == ("accepted", "B2")


async def test_a_rejection_that_comes_before_its_submission_is_remembered(ingest: RunningIngest) -> None:
    await put(ingest, body=adapter("odk"))
    early = await hook(ingest, ODK_REJECTED)
    assert (early.status_code, early.json()["results"][0]["ignored"]) == (200, "there is nothing to withdraw")


async def test_a_post_of_ushahidi_is_taken_by_its_signature_alone(ingest: RunningIngest) -> None:
    body = adapter("ushahidi", form="demo.example", secret=USHAHIDI_SECRET)
    await put(ingest, "ushahidi", body)
    digest = hmac.new(USHAHIDI_SECRET.encode(), USHAHIDI_URL.encode() + USHAHIDI_BODY, hashlib.sha256).digest()
    assert base64.b64encode(digest).decode() == USHAHIDI_SIGNATURE
    path = "/v1/inbound/ushahidi/1"
    signed = hmac.new(USHAHIDI_SECRET.encode(), f"http://ingest{path}".encode() + USHAHIDI_BODY, hashlib.sha256)
    for signature, status in (
        (USHAHIDI_SIGNATURE, 401),
        (USHAHIDI_SECRET, 401),
        (base64.b64encode(signed.digest()).decode(), 200),
    ):
        headers = {"x-ushahidi-signature": signature, "content-type": JSON_TYPE}
        answer = await ingest.client(None).post(path, content=USHAHIDI_BODY, headers=headers)
        assert answer.status_code == status
    assert answer.json()["status"] == 200
    assert (await stored(ingest, USHAHIDI_REPORT["external_id"]))["report"]["source"]["grade"] == "F6"


async def test_a_post_follows_its_mark_and_a_draft_stores_nothing(ingest: RunningIngest, source: FormServer) -> None:
    wanted = adapter("ushahidi", form="demo.example", poll={"url": source.url(USHAHIDI), "every": "PT10S"})
    await put(ingest, body=wanted)
    post = json.loads(USHAHIDI_BODY)
    source.has(USHAHIDI, {**post, "status": "draft"})
    await poll(ingest)
    assert await stored(ingest, USHAHIDI_REPORT["external_id"]) == {}
    source.has(USHAHIDI, {**post, "title": "later", "updated": 1457000700})
    await poll(ingest, after_s=11)
    source.has(USHAHIDI, {**post, "title": "later", "status": "archived", "updated": 1457000800})
    await poll(ingest, after_s=11)
    found = await stored(ingest, USHAHIDI_REPORT["external_id"])
    assert (found["revision"], found["state"]) == (2, "retracted")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"x-trucewatch-secret": "another one"}, 401),
        ({"x-trucewatch-secret": ""}, 401),
        ({"authorization": f"Bearer {SECRET}"}, 401),
        ({"authorization": "Basic !"}, 401),
        ({"x-ushahidi-signature": SECRET}, 401),
        ({"x-api-key": SECRET}, 202),
        ({"authorization": "Basic " + base64.b64encode(f"any:{SECRET}".encode()).decode()}, 202),
    ],
)
async def test_a_hook_shows_the_secret_or_nothing_is_stored(
    ingest: RunningIngest, headers: dict[str, str], status: int
) -> None:
    await put(ingest)
    answer = await hook(ingest, kobo_submission(), headers=headers)
    assert answer.status_code == status
    assert bool(await stored(ingest, KOBO_REPORT["external_id"])) == (status == 202)
    assert (await shown(ingest))["read"] == (1 if status == 202 else 0)


async def test_without_a_secret_no_hook_is_taken_and_an_unknown_adapter_is_not_found(ingest: RunningIngest) -> None:
    await put(ingest, body=adapter(secret=None))
    assert (await hook(ingest, kobo_submission())).status_code == 401
    # As with a wrong secret: strangers do not learn which adapters there are.
    assert (await hook(ingest, kobo_submission(), "other")).status_code == 401


async def test_what_cannot_be_read_is_a_dead_letter_that_names_the_field_and_is_read_again(
    ingest: RunningIngest,
) -> None:
    await put(ingest)
    bad = kobo_submission(**{"incident/what": "shell"})
    for _ in range(2):
        answer = await hook(ingest, bad)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/incident/what"
    [letter] = (await ingest.operator.get("/v1/dead-letters")).json()["items"]
    assert "incident/what" in letter["reason"]
    assert not [value for value in PERSONAL if value in json.dumps(letter)]
    await put(ingest, body=adapter(choices={**CHOICES, "act": {"shell": "shelling"}}))
    assert (await ingest.operator.post(f"/v1/dead-letters/{letter['id']}/retry")).is_success
    await ingest.run_loops()
    assert (await stored(ingest, KOBO_REPORT["external_id"]))["report"]["act"] == "shelling"
    assert (await ingest.operator.get("/v1/dead-letters")).json()["items"] == []


async def test_a_report_that_its_own_rules_refuse_is_told_by_the_sources_question(ingest: RunningIngest) -> None:
    await put(ingest)
    answer = await hook(ingest, kobo_submission(**{"incident/when": "2036-02-28T13:40:00+02:00"}))
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert (error["pointer"], error["detail"].partition(":")[0]) == ("/occurred", "column incident/when")


async def test_a_body_that_is_not_json_is_refused_and_its_text_is_not_kept(ingest: RunningIngest) -> None:
    await put(ingest)
    assert (await hook(ingest, b"collector_7 says no")).status_code == 422
    [letter] = (await ingest.operator.get("/v1/dead-letters")).json()["items"]
    assert "collector_7" not in letter["data"]


async def test_a_preview_shows_the_fate_of_each_record_and_stores_nothing(ingest: RunningIngest) -> None:
    await put(ingest)
    page = {"results": [kobo_submission(), kobo_submission(_id=2, **{"incident/what": "shell"})]}
    answer = await ingest.operator.post("/v1/adapters/forms/preview", json=page)
    good, bad = answer.json()["results"]
    assert (good["status"], good["report"]["act"], bad["status"]) == (202, "mortar", 422)
    assert answer.json()["unknown"] == [{"field": "act", "value": "shell", "count": 1}]
    assert await stored(ingest, KOBO_REPORT["external_id"]) == {}
    assert (await shown(ingest))["read"] == 0


async def test_secrets_are_kept_over_a_change_that_leaves_them_out_and_are_never_shown(ingest: RunningIngest) -> None:
    first = await put(ingest)
    changed = await put(ingest, body={key: value for key, value in adapter(form="x").items() if key != "secret"})
    assert (first["has_secret"], changed["has_secret"], changed["version"]) == (True, True, 2)
    assert (await hook(ingest, kobo_submission())).status_code == 202
    listed = (await ingest.operator.get("/v1/adapters")).json()
    assert SECRET not in json.dumps([first, changed, listed])
    assert [one["id"] for one in listed["items"]] == ["forms"]


async def test_only_operators_reach_adapters_and_each_change_is_audited(ingest: RunningIngest) -> None:
    for client in (ingest.partner, ingest.monitor):
        assert (await client.put("/v1/adapters/forms", json=adapter())).status_code == 403
        assert (await client.get("/v1/adapters")).status_code == 403
    await put(ingest)
    await put(ingest, body=adapter(form="another"))
    assert (await ingest.operator.delete("/v1/adapters/forms")).status_code == 204
    assert (await ingest.operator.get("/v1/adapters/forms")).status_code == 404
    await ingest.run_loops()
    acts = (await ingest.operator.get("/v1/audit", params={"order": "at"})).json()["items"]
    assert {act["action"] for act in acts} >= {"adapter.created", "adapter.changed", "adapter.deleted"}


async def test_a_change_of_an_older_version_is_refused(ingest: RunningIngest) -> None:
    tag = (await ingest.operator.put("/v1/adapters/forms", json=adapter())).headers["etag"]
    for form, status in (("a", 200), ("b", 412)):
        answer = await ingest.operator.put("/v1/adapters/forms", json=adapter(form=form), headers={"if-match": tag})
        assert answer.status_code == status


async def test_the_embedded_form_says_why_it_reads_no_topic(ingest: RunningIngest) -> None:
    body = {"kind": "kafka", "partner": "Partner with a log", "topic": "reports"}
    answer = await ingest.operator.put("/v1/adapters/topic", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {
            "pointer": "/kind",
            "detail": "kafka needs the services apart on Kafka; this log is embedded and has no topics of partners",
        }
    ]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"fields": {"when": "incident/when"}}, "/fields/when"),
        ({"fields": {"description": "_submitted_by"}}, "/fields/description"),
        ({"fields": {"description": "meta/deviceid"}}, "/fields/description"),
        ({"choices": {"acts": {}}}, "/choices/acts"),
        ({"poll": {"url": "http://10.0.0.1/list"}}, "/poll/url"),
        ({"poll": {"url": "https://example.org/x", "every": "PT9S"}}, "/poll/every"),
        ({"poll": {"url": "https://example.org/x", "every": "soon"}}, "/poll/every"),
        ({"kind": "kafka", "topic": "reports", "fields": {}}, "/kind"),
        ({"kind": "kafka", "topic": "incidents", "fields": {}}, "/topic"),
        ({"kind": "kafka", "topic": "theirs.dead", "fields": {}}, "/topic"),
        ({"kind": "kafka", "topic": None, "fields": {}}, "/topic"),
        ({"kind": "kafka", "topic": "reports", "secret": "a long secret"}, "/secret"),
        ({"topic": "reports"}, "/topic"),
        ({"secret": "short"}, "/secret"),
        ({"kind": "excel"}, "/kind"),
    ],
)
async def test_an_adapter_that_cannot_work_is_refused_by_field(
    ingest: RunningIngest, changes: dict[str, Any], pointer: str
) -> None:
    answer = await ingest.operator.put("/v1/adapters/forms", json=adapter(**changes))
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


async def test_a_list_at_a_private_address_is_not_reached_when_its_name_comes_to_lead_there(
    ingest: RunningIngest, source: FormServer
) -> None:
    await put(ingest, body=kobo_poll(source, url="http://[::1]:9/list".replace("[::1]", "localhost")))
    await poll(ingest)
    assert (await shown(ingest))["failing"] is not None


async def test_no_personal_value_is_in_the_database_or_its_log(tmp_path: Path, source: FormServer) -> None:
    def everything() -> bytes:
        return b"".join(file.read_bytes() for file in tmp_path.iterdir())

    async with running_ingest(tmp_path) as ingest:
        await put(ingest, body=kobo_poll(source))
        source.has(KOBO, kobo_edited(), kobo_submission(_id=2, **{"incident/what": "shell"}))
        await poll(ingest)
        await hook(ingest, kobo_submission(_id=3))
        await put(ingest, "odk", adapter("odk"))
        await hook(ingest, ODK_CREATED, "odk")
        await put(ingest, "posts", adapter("ushahidi", secret=USHAHIDI_SECRET))
        signed = hmac.new(
            USHAHIDI_SECRET.encode(), b"http://ingest/v1/inbound/posts" + USHAHIDI_BODY, hashlib.sha256
        ).digest()
        headers = {"x-ushahidi-signature": base64.b64encode(signed).decode()}
        assert (await hook(ingest, USHAHIDI_BODY, "posts", headers)).status_code == 200
        await ingest.run_loops()
        files = everything()
    assert b"kobo-aTruceForm0000000001-990001" in files
    assert b"shell" in files
    assert [value for value in (*PERSONAL, SECRET, USHAHIDI_SECRET) if value.encode() in files] == []
