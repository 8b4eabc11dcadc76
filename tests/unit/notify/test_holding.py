"""What is held is held, never dropped: groups, digests, daily messages, quiet hours, silences, told as timelines."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.instants import parse_instant
from tests.fakes import DrivenClock
from tests.parts.mail import Mailbox
from tests.parts.receiver import Receiver
from tests.unit.notify.desk import hook, revised, running, types
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
    async with running(tmp_path) as desk:
        await desk.subscribe(**hook(receiver, group_by=["thread"], group_wait="PT30S", group_interval="PT5M"))
        await desk.push(ALERT)
        await desk.at(20)
        await desk.push(revised(ALERT, 1, id="b", status="raised"))
        await desk.push(revised(ALERT, 1, id="other", status="raised", thread="thr_2"))
        await desk.at(9)
        assert receiver.received() == []
        await desk.at(1)
        (first,) = receiver.received()
        assert first.type == "digest"
        assert first.message["data"]["group"] == {"thread": ALERT.thread}
        assert [(a["id"], a["status"]) for a in first.message["data"]["alerts"]] == [
            (ALERT.id, "raised"),
            ("b", "raised"),
        ]
        assert first.message["data"]["omitted"] == 0
        await desk.push(revised(ALERT, 2))
        await desk.at(60)
        assert len(receiver.received()) == 2  # the other thread's
        await desk.at(240)
        third = receiver.received()[-1]
        assert [(a["id"], a["revision"], a["status"]) for a in third.message["data"]["alerts"]] == [
            (ALERT.id, 2, "updated")
        ]


async def test_a_digest_shows_the_net_state_at_the_end_of_its_period(tmp_path: Path, receiver: Receiver) -> None:
    async with running(tmp_path, clock=starting("2016-05-08T12:10:00Z")) as desk:
        await desk.subscribe(**hook(receiver, mode={"digest": "PT1H"}))
        await desk.push(ALERT, revised(ALERT, 1, id="b", status="raised"))
        await desk.push(revised(ALERT, 2, severity="Extreme"))
        await desk.push(revised(ALERT, 2, id="b", status="cancelled"))
        await desk.at(49 * 60)
        assert receiver.received() == []
        await desk.at(60)
        (digest,) = receiver.received()
        data = digest.message["data"]
        assert (data["from"], data["to"]) == ("2016-05-08T12:00:00Z", "2016-05-08T13:00:00Z")
        assert [(a["id"], a["revision"], a["status"]) for a in data["alerts"]] == [
            (ALERT.id, 2, "raised"), ("b", 2, "cancelled"),
        ]  # fmt: skip
        await desk.at(3600)
        assert len(receiver.received()) == 1  # nothing happened, nothing is said
        await desk.push(revised(ALERT, 3, status="cancelled"))
        await desk.at(3600)
        assert [a["status"] for a in receiver.received()[1].message["data"]["alerts"]] == ["cancelled"]


async def test_daily_comes_at_the_local_hour_on_both_sides_of_the_change_of_clocks(
    tmp_path: Path, receiver: Receiver
) -> None:
    # Damascus went from UTC+2 to UTC+3 on 25 March 2016.
    async with running(tmp_path, clock=starting("2016-03-24T04:00:00Z")) as desk:
        await desk.subscribe(**hook(receiver, mode={"daily": "07:00", "timezone": "Asia/Damascus"}))
        await desk.push(ALERT)
        await desk.at(59 * 60)
        assert receiver.received() == []
        await desk.at(60)
        assert receiver.received()[0].message["data"]["to"] == "2016-03-24T05:00:00Z"
        await desk.push(revised(ALERT, 1, id="b", status="raised"))
        await desk.at(23 * 3600 - 1)
        assert len(receiver.received()) == 1
        await desk.at(1)
        data = receiver.received()[1].message["data"]
        assert (data["from"], data["to"]) == ("2016-03-24T05:00:00Z", "2016-03-25T04:00:00Z")


async def test_quiet_hours_hold_until_their_end_and_the_gravest_breaks_through(
    tmp_path: Path, receiver: Receiver
) -> None:
    quiet = {"from": "22:00", "to": "06:00", "timezone": "Asia/Damascus", "except_min_severity": "Extreme"}
    async with running(tmp_path, clock=starting("2016-05-08T20:00:00Z")) as desk:  # 23:00 in Damascus
        await desk.subscribe(**hook(receiver, quiet_hours=quiet))
        await desk.push(ALERT, revised(ALERT, 2))
        await desk.push(revised(ALERT, 1, id="grave", status="raised", severity="Extreme"))
        assert [d.message["data"]["id"] for d in receiver.received()] == ["grave"]
        await desk.at(7 * 3600 - 1)
        assert len(receiver.received()) == 1
        await desk.at(1)
        await desk.at(1)
        assert types(receiver.received()[1:]) == ["alert.raised", "alert.updated"]


async def test_whole_quiet_days_hold_alerts_until_the_last_of_them_is_over(tmp_path: Path, receiver: Receiver) -> None:
    quiet = {"from": "00:00", "to": "24:00", "timezone": "Asia/Damascus", "days": ["fri", "sat"]}
    async with running(tmp_path, clock=starting("2016-05-06T09:00:00Z")) as desk:  # Friday noon in Damascus
        await desk.subscribe(**hook(receiver, quiet_hours=quiet))
        await desk.push(ALERT)
        await desk.at(36 * 3600 - 1)
        assert receiver.received() == []
        await desk.at(1)
        assert types(receiver.received()) == ["alert.raised"]


async def test_what_breaks_through_takes_with_it_what_was_held_of_the_same_alert(
    tmp_path: Path, receiver: Receiver
) -> None:
    quiet = {"from": "22:00", "to": "06:00", "timezone": "Asia/Damascus", "except_min_severity": "Extreme"}
    async with running(tmp_path, clock=starting("2016-05-08T20:00:00Z")) as desk:
        await desk.subscribe(**hook(receiver, quiet_hours=quiet))
        await desk.push(ALERT)
        assert receiver.received() == []
        await desk.push(revised(ALERT, 2, severity="Extreme"))
        await desk.at(1)
        await desk.at(1)
        assert [(d.type, d.message["data"]["revision"]) for d in receiver.received()] == [
            ("alert.raised", 1), ("alert.updated", 2),
        ]  # fmt: skip


async def test_a_digest_that_falls_due_in_quiet_hours_waits_for_their_end(tmp_path: Path, receiver: Receiver) -> None:
    quiet = {"from": "22:00", "to": "06:00", "timezone": "UTC"}
    async with running(tmp_path, clock=starting("2016-05-08T21:30:00Z")) as desk:
        await desk.subscribe(**hook(receiver, mode={"digest": "PT1H"}, quiet_hours=quiet))
        await desk.push(ALERT)
        await desk.at(8 * 3600)
        assert receiver.received() == []
        await desk.at(1800)
        assert types(receiver.received()) == ["digest"]


async def test_a_silence_holds_back_until_it_ends_and_what_still_stands_is_then_raised(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with running(tmp_path) as desk:
        await desk.subscribe(**hook(receiver))
        await desk.subscribe("tw_other", **hook(receiver, "/other"))
        made = await desk.call("POST", "/v1/silences", {
            "matchers": [{"name": "party", "value": "opp.*", "is_regex": True}],
            "ends_at": "2016-05-08T13:00:00Z", "reason": "exercise",
        })  # fmt: skip
        assert made.status_code == 201
        assert made.json()["state"] == "active"
        await desk.push(ALERT, revised(ALERT, 1, id="b", status="raised"))
        assert receiver.received("/hook") == []
        assert len(receiver.received("/other")) == 2  # a monitor silences only itself
        await desk.push(revised(ALERT, 2), revised(ALERT, 2, id="b", status="cancelled"))
        await desk.at(3599)
        assert receiver.received("/hook") == []
        await desk.at(1)
        assert [
            (d.type, d.message["data"]["id"], d.message["data"]["revision"]) for d in receiver.received("/hook")
        ] == [("alert.raised", ALERT.id, 2)]
        assert (await desk.get(f"/v1/silences/{made.json()['id']}"))["state"] == "expired"
        await desk.push(revised(ALERT, 3, status="cancelled"))
        assert types(receiver.received("/hook")) == ["alert.raised", "alert.cancelled"]


async def test_a_silence_that_expires_says_so_to_its_maker(tmp_path: Path, receiver: Receiver) -> None:
    with Mailbox() as mailbox:
        async with running(tmp_path, smtp_url=mailbox.url) as desk:
            await desk.subscribe(**hook(receiver, contact="desk@example.org"))
            await desk.subscribe("tw_other", **hook(receiver, "/other", contact="other@example.org"))
            for address in ("desk@example.org", "other@example.org"):
                await desk.confirm(mailbox, address)
            mailbox.forget()
            wanted = {
                "matchers": [{"name": "act", "value": "shelling"}],
                "ends_at": "2016-05-08T13:00:00Z",
                "reason": "exercise",
            }
            await desk.call("POST", "/v1/silences", wanted)
            await desk.at(3600)
            for _ in range(2):
                await desk.service.state["keep_alive"](desk.clock.now())
                await desk.settle()
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
        async with running(tmp_path, smtp_url=mailbox.url, clock=clock) as desk:
            await desk.subscribe(**hook(receiver, contact="desk@example.org"))
            await desk.confirm(mailbox, "desk@example.org")
            mailbox.forget()
            made = await desk.call("POST", "/v1/silences", wanted)
            assert (await desk.call("DELETE", f"/v1/silences/{made.json()['id']}")).status_code == 204
            await desk.service.state["keep_alive"](clock.now())
        async with running(tmp_path, smtp_url=mailbox.url, clock=clock) as desk:
            await desk.service.state["keep_alive"](clock.now())
            await desk.settle()
            assert mailbox.letters() == []


async def test_a_silence_that_is_deleted_lets_go_at_once_and_an_operators_holds_back_everybody(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with running(tmp_path) as desk:
        await desk.subscribe(**hook(receiver))
        await desk.push(ALERT)
        wanted = {
            "matchers": [{"name": "severity", "value": "Severe"}],
            "ends_at": "2016-05-09T00:00:00Z",
            "reason": "exercise",
        }
        made = (await desk.call("POST", "/v1/silences", wanted, key="tw_operator")).json()
        await desk.push(revised(ALERT, 2), revised(ALERT, 1, id="b", status="raised"))
        assert types(receiver.received()) == [
            "alert.raised",
            "alert.updated",
        ]  # told before: the silence comes too late
        assert (await desk.call("DELETE", f"/v1/silences/{made['id']}")).status_code == 404
        assert (await desk.call("DELETE", f"/v1/silences/{made['id']}", key="tw_operator")).status_code == 204
        await desk.settle()
        assert receiver.received()[-1].message["data"]["id"] == "b"


async def test_heartbeats_count_without_gaps_over_a_restart_and_say_what_happened(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with running(tmp_path) as desk:
        await desk.subscribe(**hook(receiver, heartbeat="PT1H"))
        await desk.at(1800)
        await desk.push(ALERT)
        await desk.at(1800)
        clock = desk.clock
    async with running(tmp_path, clock=clock) as desk:
        await desk.at(3600)
        await desk.at(4 * 3600)
        beats = [d.message["data"] for d in receiver.received() if d.type == "heartbeat"]
        assert [b["sequence"] for b in beats] == [1, 2, 3]
        assert (beats[0]["violations"], beats[0]["delivered"], beats[1]["violations"]) == (1, 1, 0)
        assert beats[0]["last_alert"] == "2016-05-08T12:30:00Z"
        assert [b["from"] for b in beats[1:]] == [b["to"] for b in beats[:-1]]
        assert desk.service.status()["last_heartbeat"] == "2016-05-08T18:00:00Z"


async def test_every_kind_of_message_is_signed(tmp_path: Path, receiver: Receiver) -> None:
    async with running(tmp_path) as desk:
        made = await desk.subscribe(**hook(receiver, heartbeat="PT1H"))
        receiver.trust("/hook", made["secret"])
        await desk.call("POST", f"/v1/subscriptions/{made['id']}/verify")
        await desk.settle()
        await desk.push(ALERT, revised(ALERT, 2), revised(ALERT, 3, status="cancelled"))
        await desk.call("POST", f"/v1/subscriptions/{made['id']}/test")
        await desk.call("PATCH", f"/v1/subscriptions/{made['id']}", {"mode": {"digest": "PT1H"}})
        await desk.push(revised(ALERT, 1, id="b", status="raised"))
        await desk.at(3600)
        signed = {d.type: d.signed for d in receiver.received(challenges=True)[1:]}
        kinds = ("challenge", "alert.raised", "alert.updated", "alert.cancelled", "test", "digest", "heartbeat")
        assert signed == dict.fromkeys(kinds, True)
