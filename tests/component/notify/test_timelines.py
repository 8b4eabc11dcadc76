"""Notify from an alert to its webhook or mail, told as timelines: "at 0 s push …; by 6 s expect …"."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.component.notify.running import revised, running_notify, types
from tests.parts.mail import Mailbox
from tests.parts.receiver import Answer, Receiver, signature_holds
from tests.unit.notify.samples import ALERT, UPDATE_CHANGES


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as found:
        yield found


def hook(receiver: Receiver, path: str = "/hook", **more: Any) -> dict[str, Any]:
    return {"name": "Aleppo desk", "channel": {"type": "webhook", "url": receiver.url(path)}} | more


async def test_an_alert_arrives_signed_once_the_challenge_is_echoed(tmp_path: Path, receiver: Receiver) -> None:
    async with running_notify(tmp_path) as notify:
        made = await notify.call("POST", "/v1/subscriptions", hook(receiver))
        assert made.status_code == 201
        assert set(made.json()) == {"id", "status", "secret"}
        assert made.json()["status"] == "pending"
        id, secret = made.json()["id"], made.json()["secret"]

        await notify.push(ALERT)
        assert receiver.received() == []  # not proved yet
        await notify.settle()
        challenge = receiver.received(challenges=True)[0]
        assert challenge.message["data"]["subscription_id"] == id
        assert signature_holds(secret, challenge.headers, challenge.body)
        assert (await notify.get(f"/v1/subscriptions/{id}"))["status"] == "active"

        await notify.push(revised(ALERT, 2), revised(ALERT, 1, id="alr_2", status="raised"))
        first, second = receiver.received()
        assert (first.type, first.message["data"]["status"], first.message["data"]["revision"]) == (
            "alert.raised", "raised", 2,
        )  # fmt: skip
        assert second.message["data"]["id"] == "alr_2"
        assert "." not in first.id
        assert signature_holds(secret, first.headers, first.body)
        assert first.message["data"]["links"]["self"].endswith(f"/v1/alerts/{ALERT.id}")

        attempts = (await notify.get(f"/v1/subscriptions/{id}/deliveries"))["items"]
        assert [(d["type"], d["status"], len(d["attempts"])) for d in attempts if d["type"] != "challenge"] == [
            ("alert.raised", "delivered", 1)
        ] * 2


async def test_whoever_got_it_gets_the_update_and_the_cancellation_whatever_the_filter_says(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path) as notify:
        await notify.subscribe(**hook(receiver, filter={"min_severity": "Severe"}))
        await notify.subscribe("tw_other", **hook(receiver, "/mild", filter={"acts": ["sniping"]}))
        await notify.push(ALERT)
        await notify.push(revised(ALERT, 2, severity="Minor", changes=UPDATE_CHANGES))
        await notify.push(revised(ALERT, 3, status="cancelled", verdict="not_covered", certainty=None))
        await notify.push(revised(ALERT, 3, status="cancelled", verdict="not_covered", certainty=None))
        got = receiver.received("/hook")
        assert types(got) == ["alert.raised", "alert.updated", "alert.cancelled"]
        assert [d.message["data"]["revision"] for d in got] == [1, 2, 3]
        assert len({d.id for d in got}) == 3
        assert receiver.received("/mild") == []
        # One whose filter lets in what it became hears of it for the first time: raised.
        await notify.push(revised(ALERT, 1, id="b", act="mortar", status="raised"))
        await notify.push(revised(ALERT, 2, id="b", act="sniping"))
        assert types(receiver.received("/mild")) == ["alert.raised"]
        assert receiver.received("/mild")[0].message["data"]["status"] == "raised"


async def test_retries_keep_the_schedule_and_the_id_and_survive_a_restart(tmp_path: Path, receiver: Receiver) -> None:
    async with running_notify(tmp_path) as notify:
        made = await notify.subscribe(**hook(receiver))
        receiver.answer("/hook", Answer(status=500, body=b"broken"))
        await notify.push(ALERT)
        assert len(receiver.received()) == 1
        await notify.at(4.9)
        assert len(receiver.received()) == 1
        await notify.at(1.2)  # 5 s and a fifth for jitter
        assert len(receiver.received()) == 2
        await notify.at(299)
        assert len(receiver.received()) == 2
        clock = notify.clock
    receiver.answer("/hook", Answer())
    async with running_notify(tmp_path, clock=clock) as notify:
        await notify.settle()
        assert len(receiver.received()) == 2
        await notify.at(62)
        got = receiver.received()
        assert [d.status for d in got] == [500, 500, 200]
        assert len({d.id for d in got}) == 1
        assert len({d.body for d in got}) == 1
        assert len({d.headers["webhook-timestamp"] for d in got}) == 3
        delivery = await notify.get(f"/v1/subscriptions/{made['id']}/deliveries/{got[0].id}")
        assert delivery["status"] == "delivered"
        assert [(a["number"], a["status"], a["answer"]) for a in delivery["attempts"]] == [
            (1, 500, "broken"), (2, 500, "broken"), (3, 200, ""),
        ]  # fmt: skip


async def test_a_later_revision_waits_for_the_fate_of_the_earlier(tmp_path: Path, receiver: Receiver) -> None:
    async with running_notify(tmp_path) as notify:
        await notify.subscribe(**hook(receiver))
        receiver.answer("/hook", Answer(status=500), Answer())
        await notify.push(ALERT)
        await notify.push(revised(ALERT, 2, changes=UPDATE_CHANGES), revised(ALERT, 3, status="cancelled"))
        await notify.settle()
        assert [(d.type, d.status) for d in receiver.received()] == [("alert.raised", 500)]
        await notify.at(6.1)
        await notify.at(1.1)
        await notify.at(1.1)
        assert types(receiver.received()) == ["alert.raised", "alert.raised", "alert.updated", "alert.cancelled"]


async def test_what_was_claimed_by_a_process_that_died_is_sent_by_the_next(tmp_path: Path, receiver: Receiver) -> None:
    async with running_notify(tmp_path) as notify:
        await notify.subscribe(**hook(receiver))
        await notify.dispatcher.stop()  # takes nothing more, as a process that is being killed
        await notify.runtime.bus.publish([])
        notify.dispatcher.full = lambda lanes: frozenset()  # type: ignore[method-assign]
        from tests.component.notify.running import event_of

        await notify.runtime.bus.publish([event_of(ALERT)])
        await notify.service.loops[0].step(0)
        clock = notify.clock
    assert receiver.received() == []
    async with running_notify(tmp_path, clock=clock) as notify:
        await notify.settle()
        assert types(receiver.received()) == ["alert.raised"]


async def test_mail_is_sent_only_after_the_link_was_confirmed_by_its_button(tmp_path: Path, mailbox: Mailbox) -> None:
    async with running_notify(tmp_path, smtp_url=mailbox.url) as notify:
        made = await notify.subscribe(name="Mail desk", channel={"type": "email", "to": "desk@example.org"})
        assert made["secret"] is None
        (asked,) = await mailbox.arrived(1, 5, "desk@example.org")
        text = asked.message.get_body(("plain",))
        assert text is not None
        link = next(w for w in text.get_content().split() if "/v1/confirm?token=" in w)
        path = link.removeprefix("https://alerts.example.org")
        assert "<button" in (await notify.call("GET", path, key=None)).text
        await notify.push(ALERT)
        assert len(mailbox.letters()) == 1
        assert (await notify.call("POST", path, key=None)).status_code == 200
        assert (await notify.call("POST", path, key=None)).status_code == 404
        await notify.push(revised(ALERT, 1, id="b", status="raised"))
        letters = await mailbox.arrived(2, 5)
        alert = letters[1].message
        assert alert["Auto-Submitted"] == "auto-generated"
        one_click = alert["List-Unsubscribe"].strip("<>").removeprefix("https://alerts.example.org")
        assert (await notify.call("GET", one_click, key=None)).status_code == 200
        assert (await notify.get(f"/v1/subscriptions/{made['id']}"))["status"] == "active"
        assert (await notify.call("POST", one_click, key=None)).status_code == 200
        assert (await notify.call("GET", f"/v1/subscriptions/{made['id']}")).status_code == 404
        await notify.push(revised(ALERT, 2, id="b"))
        assert len(mailbox.letters()) == 2


async def test_the_list_of_alerts_has_every_revision_and_always_a_cursor(tmp_path: Path) -> None:
    async with running_notify(tmp_path) as notify:
        empty = await notify.get("/v1/alerts")
        assert (empty["items"], empty["has_more"]) == ([], False)
        assert empty["next"]
        await notify.push(ALERT, revised(ALERT, 2), revised(ALERT, 1, id="b", status="raised"))
        page = await notify.get(f"/v1/alerts?limit=2&after={empty['next']}")
        assert [(a["id"], a["revision"], a["status"]) for a in page["items"]] == [
            (ALERT.id, 1, "raised"), (ALERT.id, 2, "updated"),
        ]  # fmt: skip
        assert page["has_more"]
        rest = await notify.get(f"/v1/alerts?after={page['next']}")
        assert [a["id"] for a in rest["items"]] == ["b"]
        again = await notify.get(f"/v1/alerts?after={rest['next']}")
        assert (again["items"], again["next"]) == ([], rest["next"])
        assert (await notify.get(f"/v1/alerts/{ALERT.id}"))["revision"] == 2
        assert (await notify.call("GET", "/v1/alerts", key="tw_partner")).status_code == 403


async def test_what_is_raised_and_no_longer_holds_in_one_batch_is_told_to_its_end(
    tmp_path: Path, receiver: Receiver
) -> None:
    """The cancellation would not pass the filter: its verdict is none that was asked for."""
    async with running_notify(tmp_path) as notify:
        await notify.subscribe(**hook(receiver))
        await notify.push(ALERT, revised(ALERT, 2, status="cancelled", verdict="not_covered", certainty=None))
        await notify.settle()
        await notify.at(2)
        assert types(receiver.received()) == ["alert.raised", "alert.cancelled"]
