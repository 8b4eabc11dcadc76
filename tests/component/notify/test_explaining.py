"""Facts that a monitor can find out for itself: trace, backtest, feeds, the stream, CAP, every name of everything."""

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import feedparser
import pytest

from services.notify.http.stream import Tail, follow
from services.notify.sql.heartbeat_counts import SqlJudgedReports
from tests.component.notify.running import RunningNotify, hook, revised, running_notify
from tests.parts.mail import Mailbox
from tests.parts.receiver import Answer, Receiver
from tests.unit.notify.samples import ALERT


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as found:
        yield found


async def trace(notify: RunningNotify, alert: str, subscription: str) -> Any:
    return await notify.get(f"/v1/alerts/{alert}/trace?subscription={subscription}")


async def test_trace_tells_every_step_and_the_first_that_failed(tmp_path: Path, receiver: Receiver) -> None:
    async with running_notify(tmp_path) as notify:
        await notify.push(revised(ALERT, 1, id="early", status="raised"))
        await notify.at(1)
        made = await notify.subscribe(**hook(receiver, filter={"min_severity": "Severe"}))
        await notify.push(ALERT, revised(ALERT, 1, id="mild", status="raised", severity="Minor"))
        got = await trace(notify, ALERT.id, made["id"])
        assert got["delivered"] is True
        assert [(s["step"], s["passed"]) for s in got["steps"]] == [
            (step, True) for step in ("match", "silence", "quiet_hours", "group", "dedup", "send", "record")
        ]
        assert got["deliveries"][0]["attempts"][0]["status"] == 200
        mild = await trace(notify, "mild", made["id"])
        assert mild["delivered"] is False
        assert mild["steps"] == [
            {"step": "match", "passed": False, "reason": "the severity is Minor, less than Severe"}
        ]
        assert "after the alert" in (await trace(notify, "early", made["id"]))["steps"][0]["reason"]
        receiver.answer("/hook", Answer(status=500))
        await notify.push(revised(ALERT, 1, id="late", status="raised"))
        late = await trace(notify, "late", made["id"])
        assert (late["delivered"], late["steps"][-1]["passed"]) == (False, False)
        assert "answered 500; the next attempt is due at 2016-05-08T12:00:0" in late["steps"][-1]["reason"]
        assert (
            await notify.call("GET", f"/v1/alerts/{ALERT.id}/trace?subscription={made['id']}", key="tw_other")
        ).status_code == 404


async def test_trace_tells_of_any_revision(tmp_path: Path, receiver: Receiver) -> None:
    async with running_notify(tmp_path) as notify:
        made = await notify.subscribe(**hook(receiver, filter={"min_severity": "Severe"}))
        await notify.push(revised(ALERT, 1, status="raised", severity="Minor"))
        await notify.push(revised(ALERT, 2, severity="Severe"))
        await notify.push(revised(ALERT, 3, severity="Minor"))

        async def steps(revision: int) -> Any:
            return await trace(notify, ALERT.id, f"{made['id']}&revision={revision}")

        first, second, third = [await steps(revision) for revision in (1, 2, 3)]
        assert (first["delivered"], first["steps"][0]["passed"]) == (False, False)
        assert "less than Severe" in first["steps"][0]["reason"]
        assert (second["delivered"], len(second["deliveries"])) == (True, 1)
        assert third["delivered"] is True
        assert "told of this alert before" in third["steps"][0]["reason"]
        for query, status in (("revision=4", 404), ("revision=x", 400)):
            path = f"/v1/alerts/{ALERT.id}/trace?subscription={made['id']}&{query}"
            assert (await notify.call("GET", path)).status_code == status


async def test_trace_by_the_id_of_an_incident(tmp_path: Path, receiver: Receiver) -> None:
    async with running_notify(tmp_path) as notify:
        made = await notify.subscribe(**hook(receiver))
        await notify.push(ALERT)
        await notify.settle()
        assert (await trace(notify, ALERT.incident_id, made["id"]))["delivered"] is True
        await SqlJudgedReports(notify.runtime.database).add(["inc_quiet"], notify.clock.now())
        quiet = await trace(notify, "inc_quiet", made["id"])
        assert (quiet["delivered"], [step["passed"] for step in quiet["steps"]]) == (False, [False])
        assert "raised no alert" in quiet["steps"][0]["reason"]
        assert (await notify.call("GET", f"/v1/alerts/nobody/trace?subscription={made['id']}")).status_code == 404


async def test_trace_names_the_silence_that_held_an_alert_back(tmp_path: Path, receiver: Receiver) -> None:
    async with running_notify(tmp_path) as notify:
        made = await notify.subscribe(**hook(receiver))
        wanted = {
            "matchers": [{"name": "act", "value": "shelling"}],
            "ends_at": "2016-05-09T00:00:00Z",
            "reason": "drill",
        }
        silence = (await notify.call("POST", "/v1/silences", wanted)).json()["id"]
        await notify.push(ALERT)
        steps = (await trace(notify, ALERT.id, made["id"]))["steps"]
        assert steps[-1] == {
            "step": "silence", "passed": False, "reason": f"held by silence {silence} until 2016-05-09T00:00:00Z: drill"
        }  # fmt: skip


async def test_a_backtest_gives_the_messages_that_would_have_gone_out_and_sends_none(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path) as notify:
        await notify.push(ALERT)
        await notify.at(600)
        await notify.push(revised(ALERT, 2), revised(ALERT, 1, id="b", status="raised", severity="Minor"))
        await notify.at(7200)
        await notify.push(revised(ALERT, 3, status="cancelled"))
        alone = await notify.subscribe(**hook(receiver, filter={"min_severity": "Severe"}))
        hourly = await notify.subscribe(**hook(receiver, "/hourly", mode={"digest": "PT1H"}))
        span = {"from": "2016-05-08T12:00:00Z", "to": "2016-05-08T21:00:00Z"}
        got = (await notify.call("POST", f"/v1/subscriptions/{alone['id']}/backtest", span)).json()
        assert got["count"] == 1
        assert [a["revision"] for a in got["alerts"]] == [3]
        assert [(m["at"], m["type"]) for m in got["messages"]] == [
            ("2016-05-08T21:00:00Z", "alert.raised"),
            ("2016-05-08T21:10:00Z", "alert.updated"),
            ("2016-05-08T23:10:00Z", "alert.cancelled"),
        ]
        got = (await notify.call("POST", f"/v1/subscriptions/{hourly['id']}/backtest", span)).json()
        assert [(m["at"], m["type"], m["alert_ids"]) for m in got["messages"]] == [
            ("2016-05-08T22:00:00Z", "digest", [ALERT.id, "b"]),
            ("2016-05-09T00:00:00Z", "digest", [ALERT.id]),
        ]
        assert receiver.received() == []


async def test_the_feed_needs_a_token_and_pleases_a_feed_reader(tmp_path: Path) -> None:
    async with running_notify(tmp_path) as notify:
        await notify.push(ALERT, revised(ALERT, 2), revised(ALERT, 1, id="b", status="raised"))
        assert (await notify.call("GET", "/v1/alerts/feed.atom", key=None)).status_code == 401
        made = (await notify.call("POST", "/v1/feed-tokens")).json()
        feed = await notify.call("GET", f"/v1/alerts/feed.atom?token={made['token']}", key=None)
        parsed = feedparser.parse(feed.content)
        assert (parsed.bozo, len(parsed.entries)) == (False, 3)
        assert parsed.entries[0].id == "urn:trucewatch:alert:b:1"
        assert (await notify.call("DELETE", f"/v1/feed-tokens/{made['id']}", key="tw_other")).status_code == 404
        assert (await notify.call("DELETE", f"/v1/feed-tokens/{made['id']}")).status_code == 204
        assert (await notify.call("GET", f"/v1/alerts/feed.atom?token={made['token']}", key=None)).status_code == 401


async def test_cap_is_given_to_who_accepts_it_and_refers_to_what_it_replaces(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path) as notify:
        await notify.subscribe(**hook(receiver, format="cap"))
        await notify.push(ALERT, revised(ALERT, 2))
        headers = {"authorization": "Bearer tw_monitor", "accept": "application/cap+xml"}
        answer = await notify.api.get(f"/v1/alerts/{ALERT.id}", headers=headers)
        assert answer.headers["content-type"] == "application/cap+xml"
        assert b"<msgType>Update</msgType>" in answer.content
        assert f"alerts.example.org,trucewatch-{ALERT.id}-1,2016-05-08T09:00:00-00:00".encode() in answer.content
        assert (await notify.get(f"/v1/alerts/{ALERT.id}"))["revision"] == 2


async def test_every_name_leads_to_all_the_others(tmp_path: Path, receiver: Receiver, mailbox: Mailbox) -> None:
    async with running_notify(tmp_path, smtp_url=mailbox.url) as notify:
        await notify.subscribe(**hook(receiver))
        mail = {"name": "m", "channel": {"type": "email", "to": "desk@example.org"}, "verified": True}
        await notify.subscribe("tw_operator", **mail)
        await notify.push(ALERT)
        (hooked,) = receiver.received()
        message_id = mailbox.letters()[0].message["Message-ID"]
        names = [
            ALERT.incident_id, ALERT.id, ALERT.thread, hooked.id, message_id, f"{ALERT.id}-1", f"{ALERT.incident_id}-1",
            f"trucewatch-{ALERT.id}-1", f"urn:trucewatch:alert:{ALERT.id}:1",
        ]  # fmt: skip
        for name in names:
            answer = await notify.api.get(
                "/v1/lookup", params={"id": name}, headers={"authorization": "Bearer tw_operator"}
            )
            assert answer.status_code == 200, name
            found = answer.json()
            assert found["incident_id"] == ALERT.incident_id
            assert {d["webhook_id"] for d in found["alerts"][0]["deliveries"]} >= {hooked.id}
            assert message_id in {d["message_id"] for d in found["alerts"][0]["deliveries"]}
            assert found["alerts"][0]["revisions"][0]["event_id"] == f"{ALERT.id}-1"
        own = await notify.get(f"/v1/lookup?id={ALERT.id}")
        assert [d["webhook_id"] for d in own["alerts"][0]["deliveries"]] == [hooked.id]
        assert (await notify.call("GET", "/v1/lookup?id=nobody")).status_code == 404


async def test_a_bounce_turns_an_address_off(tmp_path: Path, mailbox: Mailbox) -> None:
    async with running_notify(tmp_path, smtp_url=mailbox.url) as notify:
        mail = {"name": "m", "channel": {"type": "email", "to": "desk@example.org"}, "verified": True}
        made = await notify.subscribe("tw_operator", **mail)
        report = {"type": "bounce", "address": "desk@example.org", "detail": "550 5.1.1"}
        assert (await notify.call("POST", "/v1/bounces", report)).status_code == 403
        nul = await notify.call("POST", "/v1/bounces", {**report, "address": "\0", "detail": "\0"}, key="tw_operator")
        assert [error["pointer"] for error in nul.json()["errors"]] == ["/address", "/detail"]
        answer = await notify.call("POST", "/v1/bounces", report, key="tw_operator")
        assert answer.json() == {"subscriptions": [made["id"]]}
        await notify.push(ALERT)
        assert mailbox.letters() == []
        held = (await notify.get(f"/v1/subscriptions/{made['id']}/deliveries", key="tw_operator"))["items"]
        assert [d["status"] for d in held] == ["held"]


async def test_a_reader_of_the_stream_resumes_where_it_stopped(tmp_path: Path) -> None:
    async with running_notify(tmp_path) as notify:
        await notify.push(ALERT, revised(ALERT, 2))
        shelf = notify.service.state["reader"]
        tail: Tail = notify.service.state["tail"]
        events: asyncio.Queue[bytes] = asyncio.Queue()

        async def read() -> None:
            view = partial(shelf.view, language="en")
            async for part in follow(tail, shelf.log, 1, view, shelf.positions.encode, always):
                events.put_nowait(part)

        reading = asyncio.create_task(read())
        async with asyncio.timeout(60):
            assert (await events.get()).startswith(b"retry: ")
            assert b'"revision":2' in await events.get()
            await notify.push(revised(ALERT, 1, id="b", status="raised"))
            third = await events.get()
            tail.close()
            await reading
        assert b"event: alert.raised" in third
        after = (await notify.get("/v1/alerts?limit=3"))["next"]
        assert f"id: {after}\n".encode() in third


async def always() -> bool:
    return True


async def test_alerts_speak_the_language_of_the_reader(tmp_path: Path) -> None:
    async with running_notify(tmp_path) as notify:
        await notify.push(ALERT)
        headers = {"authorization": "Bearer tw_monitor", "accept-language": "fr, ru;q=0.5"}
        for path in (f"/v1/alerts/{ALERT.id}", "/v1/alerts"):
            answer = await notify.api.get(path, headers=headers)
            assert answer.headers["content-language"] == "ru"
            assert "accept-language" in answer.headers["vary"]
            told = answer.json() if path.endswith(ALERT.id) else answer.json()["items"][0]
            assert told["headline"].startswith("Нарушение: артиллерийский обстрел")
            assert told["reasons"][0]["text"] == "Режим тишины действовал."
        arabic = await notify.get(f"/v1/alerts/{ALERT.id}?language=ar")
        assert arabic["headline"].startswith("انتهاك: قصف مدفعي")
        assert (await notify.get(f"/v1/alerts/{ALERT.id}"))["headline"].startswith("Violation: shelling")
        assert (await notify.call("GET", "/v1/alerts?language=tr")).status_code == 400
