"""Held messages are never dropped: groups, digests, daily messages, quiet hours, silences, told as timelines."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.instants import parse_instant
from tests.component.notify.running import hook, revised, running_notify, types
from tests.fakes import DrivenClock
from tests.parts.mail import Mailbox
from tests.parts.receiver import Receiver
from tests.unit.notify.samples import ALERT


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


def starting(text: str) -> DrivenClock:
    return DrivenClock(parse_instant(text))


async def test_a_group_waits_then_goes_out_as_one_message_and_not_again_within_its_interval(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path) as notify:
        await notify.subscribe(**hook(receiver, group_by=["thread"], group_wait="PT30S", group_interval="PT5M"))
        await notify.push(ALERT)
        await notify.at(20)
        await notify.push(revised(ALERT, 1, id="b", status="raised"))
        await notify.push(revised(ALERT, 1, id="other", status="raised", thread="thr_2"))
        await notify.at(9)
        assert receiver.received() == []
        await notify.at(1)
        (first,) = receiver.received()
        assert first.type == "digest"
        assert first.message["data"]["group"] == {"thread": ALERT.thread}
        assert [(a["id"], a["status"]) for a in first.message["data"]["alerts"]] == [
            (ALERT.id, "raised"),
            ("b", "raised"),
        ]
        assert first.message["data"]["omitted"] == 0
        await notify.push(revised(ALERT, 2))
        await notify.at(60)
        assert len(receiver.received()) == 2  # the other thread's
        await notify.at(240)
        third = receiver.received()[-1]
        assert [(a["id"], a["revision"], a["status"]) for a in third.message["data"]["alerts"]] == [
            (ALERT.id, 2, "updated")
        ]


async def test_a_digest_shows_the_net_state_at_the_end_of_its_period(tmp_path: Path, receiver: Receiver) -> None:
    async with running_notify(tmp_path, clock=starting("2016-05-08T12:10:00Z")) as notify:
        await notify.subscribe(**hook(receiver, mode={"digest": "PT1H"}))
        await notify.push(ALERT, revised(ALERT, 1, id="b", status="raised"))
        await notify.push(revised(ALERT, 2, severity="Extreme"))
        await notify.push(revised(ALERT, 2, id="b", status="cancelled"))
        await notify.at(49 * 60)
        assert receiver.received() == []
        await notify.at(60)
        (digest,) = receiver.received()
        data = digest.message["data"]
        assert (data["from"], data["to"]) == ("2016-05-08T12:00:00Z", "2016-05-08T13:00:00Z")
        assert [(a["id"], a["revision"], a["status"]) for a in data["alerts"]] == [
            (ALERT.id, 2, "raised"), ("b", 2, "cancelled"),
        ]  # fmt: skip
        await notify.at(3600)
        assert len(receiver.received()) == 1  # nothing happened, nothing is said
        await notify.push(revised(ALERT, 3, status="cancelled"))
        await notify.at(3600)
        assert [a["status"] for a in receiver.received()[1].message["data"]["alerts"]] == ["cancelled"]


async def test_daily_comes_at_the_local_hour_on_both_sides_of_the_change_of_clocks(
    tmp_path: Path, receiver: Receiver
) -> None:
    # Damascus went from UTC+2 to UTC+3 on 25 March 2016.
    async with running_notify(tmp_path, clock=starting("2016-03-24T04:00:00Z")) as notify:
        await notify.subscribe(**hook(receiver, mode={"daily": "07:00", "timezone": "Asia/Damascus"}))
        await notify.push(ALERT)
        await notify.at(59 * 60)
        assert receiver.received() == []
        await notify.at(60)
        assert receiver.received()[0].message["data"]["to"] == "2016-03-24T05:00:00Z"
        await notify.push(revised(ALERT, 1, id="b", status="raised"))
        await notify.at(23 * 3600 - 1)
        assert len(receiver.received()) == 1
        await notify.at(1)
        data = receiver.received()[1].message["data"]
        assert (data["from"], data["to"]) == ("2016-03-24T05:00:00Z", "2016-03-25T04:00:00Z")


async def test_quiet_hours_hold_until_their_end_and_the_gravest_breaks_through(
    tmp_path: Path, receiver: Receiver
) -> None:
    quiet = {"from": "22:00", "to": "06:00", "timezone": "Asia/Damascus", "except_min_severity": "Extreme"}
    async with running_notify(tmp_path, clock=starting("2016-05-08T20:00:00Z")) as notify:  # 23:00 in Damascus
        await notify.subscribe(**hook(receiver, quiet_hours=quiet))
        await notify.push(ALERT, revised(ALERT, 2))
        await notify.push(revised(ALERT, 1, id="grave", status="raised", severity="Extreme"))
        assert [d.message["data"]["id"] for d in receiver.received()] == ["grave"]
        await notify.at(7 * 3600 - 1)
        assert len(receiver.received()) == 1
        await notify.at(1)
        await notify.at(1)
        assert types(receiver.received()[1:]) == ["alert.raised", "alert.updated"]


async def test_whole_quiet_days_hold_alerts_until_the_last_of_them_is_over(tmp_path: Path, receiver: Receiver) -> None:
    quiet = {"from": "00:00", "to": "24:00", "timezone": "Asia/Damascus", "days": ["fri", "sat"]}
    async with running_notify(tmp_path, clock=starting("2016-05-06T09:00:00Z")) as notify:  # Friday noon in Damascus
        await notify.subscribe(**hook(receiver, quiet_hours=quiet))
        await notify.push(ALERT)
        await notify.at(36 * 3600 - 1)
        assert receiver.received() == []
        await notify.at(1)
        assert types(receiver.received()) == ["alert.raised"]


async def test_what_breaks_through_takes_with_it_what_was_held_of_the_same_alert(
    tmp_path: Path, receiver: Receiver
) -> None:
    quiet = {"from": "22:00", "to": "06:00", "timezone": "Asia/Damascus", "except_min_severity": "Extreme"}
    async with running_notify(tmp_path, clock=starting("2016-05-08T20:00:00Z")) as notify:
        await notify.subscribe(**hook(receiver, quiet_hours=quiet))
        await notify.push(ALERT)
        assert receiver.received() == []
        await notify.push(revised(ALERT, 2, severity="Extreme"))
        await notify.at(1)
        await notify.at(1)
        assert [(d.type, d.message["data"]["revision"]) for d in receiver.received()] == [
            ("alert.raised", 1), ("alert.updated", 2),
        ]  # fmt: skip


async def test_a_digest_that_falls_due_in_quiet_hours_waits_for_their_end(tmp_path: Path, receiver: Receiver) -> None:
    quiet = {"from": "22:00", "to": "06:00", "timezone": "UTC"}
    async with running_notify(tmp_path, clock=starting("2016-05-08T21:30:00Z")) as notify:
        await notify.subscribe(**hook(receiver, mode={"digest": "PT1H"}, quiet_hours=quiet))
        await notify.push(ALERT)
        await notify.at(8 * 3600)
        assert receiver.received() == []
        await notify.at(1800)
        assert types(receiver.received()) == ["digest"]


async def test_a_silence_holds_back_until_it_ends_and_what_still_stands_is_then_raised(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path) as notify:
        await notify.subscribe(**hook(receiver))
        await notify.subscribe("tw_other", **hook(receiver, "/other"))
        made = await notify.call("POST", "/v1/silences", {
            "matchers": [{"name": "party", "value": "opp.*", "is_regex": True}],
            "ends_at": "2016-05-08T13:00:00Z", "reason": "exercise",
        })  # fmt: skip
        assert made.status_code == 201
        assert made.json()["state"] == "active"
        await notify.push(ALERT, revised(ALERT, 1, id="b", status="raised"))
        assert receiver.received("/hook") == []
        assert len(receiver.received("/other")) == 2  # a monitor silences only itself
        await notify.push(revised(ALERT, 2), revised(ALERT, 2, id="b", status="cancelled"))
        await notify.at(3599)
        assert receiver.received("/hook") == []
        await notify.at(1)
        assert [
            (d.type, d.message["data"]["id"], d.message["data"]["revision"]) for d in receiver.received("/hook")
        ] == [("alert.raised", ALERT.id, 2)]
        assert (await notify.get(f"/v1/silences/{made.json()['id']}"))["state"] == "expired"
        await notify.push(revised(ALERT, 3, status="cancelled"))
        assert types(receiver.received("/hook")) == ["alert.raised", "alert.cancelled"]


async def test_a_silence_that_expires_says_so_to_its_maker(tmp_path: Path, receiver: Receiver) -> None:
    with Mailbox() as mailbox:
        async with running_notify(tmp_path, smtp_url=mailbox.url) as notify:
            await notify.subscribe(**hook(receiver, contact="desk@example.org"))
            await notify.subscribe("tw_other", **hook(receiver, "/other", contact="other@example.org"))
            for address in ("desk@example.org", "other@example.org"):
                await notify.confirm(mailbox, address)
            mailbox.forget()
            wanted = {
                "matchers": [{"name": "act", "value": "shelling"}],
                "ends_at": "2016-05-08T13:00:00Z",
                "reason": "exercise",
            }
            await notify.call("POST", "/v1/silences", wanted)
            await notify.at(3600)
            for _ in range(2):
                await notify.service.state["keep_alive"](notify.clock.now())
                await notify.settle()
            (letter,) = mailbox.letters()
            assert letter.recipients == ("desk@example.org",)


async def test_a_silence_ended_by_hand_announces_no_expiry_after_a_restart(tmp_path: Path, receiver: Receiver) -> None:
    clock = starting("2016-05-08T12:00:00Z")
    wanted = {
        "matchers": [{"name": "act", "value": "shelling"}],
        "ends_at": "2016-05-08T13:00:00Z",
        "reason": "exercise",
    }
    with Mailbox() as mailbox:
        async with running_notify(tmp_path, smtp_url=mailbox.url, clock=clock) as notify:
            await notify.subscribe(**hook(receiver, contact="desk@example.org"))
            await notify.confirm(mailbox, "desk@example.org")
            mailbox.forget()
            made = await notify.call("POST", "/v1/silences", wanted)
            assert (await notify.call("DELETE", f"/v1/silences/{made.json()['id']}")).status_code == 204
            await notify.service.state["keep_alive"](clock.now())
        async with running_notify(tmp_path, smtp_url=mailbox.url, clock=clock) as notify:
            await notify.service.state["keep_alive"](clock.now())
            await notify.settle()
            assert mailbox.letters() == []


async def test_a_silence_that_is_deleted_lets_go_at_once_and_an_operators_holds_back_everybody(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path) as notify:
        await notify.subscribe(**hook(receiver))
        await notify.push(ALERT)
        wanted = {
            "matchers": [{"name": "severity", "value": "Severe"}],
            "ends_at": "2016-05-09T00:00:00Z",
            "reason": "exercise",
        }
        made = (await notify.call("POST", "/v1/silences", wanted, key="tw_operator")).json()
        await notify.push(revised(ALERT, 2), revised(ALERT, 1, id="b", status="raised"))
        assert types(receiver.received()) == [
            "alert.raised",
            "alert.updated",
        ]  # told before: the silence comes too late
        assert (await notify.call("DELETE", f"/v1/silences/{made['id']}")).status_code == 404
        assert (await notify.call("DELETE", f"/v1/silences/{made['id']}", key="tw_operator")).status_code == 204
        await notify.settle()
        assert receiver.received()[-1].message["data"]["id"] == "b"


async def test_heartbeats_count_without_gaps_over_a_restart_and_say_what_happened(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path) as notify:
        await notify.subscribe(**hook(receiver, heartbeat="PT1H"))
        await notify.at(1800)
        await notify.push(ALERT)
        await notify.at(1800)
        clock = notify.clock
    async with running_notify(tmp_path, clock=clock) as notify:
        await notify.at(3600)
        await notify.at(4 * 3600)
        beats = [d.message["data"] for d in receiver.received() if d.type == "heartbeat"]
        assert [b["sequence"] for b in beats] == [1, 2, 3]
        assert (beats[0]["violations"], beats[0]["delivered"], beats[1]["violations"]) == (1, 1, 0)
        assert beats[0]["last_alert"] == "2016-05-08T12:30:00Z"
        assert [b["from"] for b in beats[1:]] == [b["to"] for b in beats[:-1]]
        assert notify.service.status()["last_heartbeat"] == "2016-05-08T18:00:00Z"


async def test_every_kind_of_message_is_signed(tmp_path: Path, receiver: Receiver) -> None:
    async with running_notify(tmp_path) as notify:
        made = await notify.subscribe(**hook(receiver, heartbeat="PT1H"))
        receiver.trust("/hook", made["secret"])
        await notify.call("POST", f"/v1/subscriptions/{made['id']}/verify")
        await notify.settle()
        await notify.push(ALERT, revised(ALERT, 2), revised(ALERT, 3, status="cancelled"))
        await notify.call("POST", f"/v1/subscriptions/{made['id']}/test")
        await notify.call("PATCH", f"/v1/subscriptions/{made['id']}", {"mode": {"digest": "PT1H"}})
        await notify.push(revised(ALERT, 1, id="b", status="raised"))
        await notify.at(3600)
        signed = {d.type: d.signed for d in receiver.received(challenges=True)[1:]}
        kinds = ("challenge", "alert.raised", "alert.updated", "alert.cancelled", "test", "digest", "heartbeat")
        assert signed == dict.fromkeys(kinds, True)
