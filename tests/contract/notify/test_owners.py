"""Subscriptions of a key that was revoked or has expired are held until an operator gives them away or ends them."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.events import KeyChanged
from schemas.instants import format_instant
from schemas.topics import AUDIT
from services.notify.decisions.attempts import hold
from services.notify.sql.deliveries import SqlDeliveries
from services.platform.security.keys import hash_secret
from tests.component.notify.running import RunningNotify, hook, revised, running_notify
from tests.parts.mail import Mailbox
from tests.parts.receiver import Answer, Receiver
from tests.unit.notify.samples import ALERT

MADE = "2016-01-01T00:00:00Z"
KEY = KeyChanged("m1", "desk-a", "monitor", hash_secret("tw_monitor"), MADE)


def revoke(*desks: RunningNotify) -> None:
    for notify in desks:
        notify.runtime.keys.apply(msgspec.structs.replace(KEY, revoked_at=format_instant(notify.clock.now())))


async def look(notify: RunningNotify, id: str) -> tuple[str, str]:
    found = await notify.get(f"/v1/subscriptions/{id}", key="tw_operator")
    return found["status"], found["owner"]


async def give(notify: RunningNotify, id: str, key: str) -> int:
    answer = await notify.call("POST", f"/v1/subscriptions/{id}/owner", {"key": key}, key="tw_operator")
    await notify.settle()
    await notify.at(1)
    return answer.status_code


def told(receiver: Receiver, path: str = "/hook") -> list[str]:
    return [d.message["data"]["id"] for d in receiver.received(path)]


async def test_a_revoked_keys_subscriptions_are_held_and_sent_what_waited_once_given_to_another_key(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path, url=database_url) as notify:
        mine = (await notify.subscribe(**hook(receiver)))["id"]
        other = (await notify.subscribe("tw_other", **hook(receiver, "/other")))["id"]
        await notify.push(ALERT)
        revoke(notify)
        await notify.at(1)
        await notify.push(revised(ALERT, 1, id="while held", status="raised"))
        await notify.at(3600)
        assert told(receiver) == [ALERT.id]
        assert told(receiver, "/other") == [ALERT.id, "while held"]
        assert await look(notify, mine) == ("held", "desk-a")
        assert await look(notify, other) == ("active", "desk-b")
        assert [one["id"] for one in notify.service.status()["subscriptions"]["failing"]] == [mine]
        assert await give(notify, mine, "m2") == 200
        assert told(receiver) == [ALERT.id, "while held"]
        assert await look(notify, mine) == ("active", "desk-b")
        assert notify.service.status()["subscriptions"]["failing"] == []


async def test_retries_of_a_revoked_keys_messages_stop_also_in_the_process_that_did_not_see_it_first(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with (
        running_notify(tmp_path, url=database_url) as notify,
        running_notify(tmp_path, clock=notify.clock, url=database_url) as other,
    ):
        id = (await notify.subscribe(**hook(receiver)))["id"]
        await other.settle()
        receiver.answer("/hook", Answer(status=503))
        await other.push(ALERT)
        revoke(notify)
        await notify.settle()
        await other.at(3600)
        assert len(receiver.received("/hook")) == 1
        receiver.answer("/hook", Answer())
        assert await give(notify, id, "m2") == 200
        assert told(receiver) == [ALERT.id, ALERT.id]


async def test_the_owner_is_a_name_so_a_key_that_was_rotated_first_holds_nothing(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path, url=database_url) as notify:
        id = (await notify.subscribe(**hook(receiver)))["id"]
        notify.runtime.keys.apply(KeyChanged("m9", "desk-a", "monitor", hash_secret("tw_new"), MADE))
        revoke(notify)
        await notify.at(60)
        assert await look(notify, id) == ("active", "desk-a")


async def test_an_expired_keys_subscriptions_are_held(database_url: str, tmp_path: Path, receiver: Receiver) -> None:
    async with running_notify(tmp_path, url=database_url) as notify:
        id = (await notify.subscribe(**hook(receiver)))["id"]
        until = format_instant(notify.clock.now() + 10_000_000)
        notify.runtime.keys.apply(msgspec.structs.replace(KEY, expires_at=until))
        await notify.at(9)
        assert await look(notify, id) == ("active", "desk-a")
        await notify.at(1)
        assert await look(notify, id) == ("held", "desk-a")


async def test_an_owner_whose_key_is_not_known_here_yet_is_given_ten_seconds(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    """The log brings keys to each process in its own time."""
    async with running_notify(tmp_path, url=database_url) as notify:
        notify.runtime.keys.apply(KeyChanged("m7", "desk-z", "monitor", hash_secret("tw_z"), MADE))
        id = (await notify.subscribe("tw_z", **hook(receiver)))["id"]
        async with running_notify(tmp_path, clock=notify.clock, url=database_url) as other:
            await other.settle()
            await other.at(9)
            assert await look(other, id) == ("active", "desk-z")
            await other.at(1)
            assert await look(other, id) == ("held", "desk-z")


async def test_an_unproved_one_is_proved_anew_once_it_is_given_and_asked_for_nothing_before(
    database_url: str, tmp_path: Path, smtp: Mailbox
) -> None:
    async with running_notify(tmp_path, url=database_url, smtp_url=smtp.url) as notify:
        draft: dict[str, Any] = {"name": "Desk", "channel": {"type": "email", "to": "held@example.org"}}
        id = (await notify.subscribe(**draft))["id"]
        revoke(notify)
        await notify.at(1)
        verify = await notify.call("POST", f"/v1/subscriptions/{id}/verify", key="tw_operator")
        assert verify.status_code == 409
        await notify.at(3600)
        assert await look(notify, id) == ("held", "desk-a")
        assert len(smtp.letters("held@example.org")) == 1
        assert await give(notify, id, "m2") == 200
        assert await look(notify, id) == ("pending", "desk-b")
        assert len(smtp.letters("held@example.org")) == 2


async def test_what_is_held_can_be_ended_and_is_sent_nothing_by_hand(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path, url=database_url) as notify:
        id = (await notify.subscribe(**hook(receiver)))["id"]
        await notify.push(ALERT)
        revoke(notify)
        await notify.at(1)
        (delivery,) = [d for d in (await notify.get(f"/v1/subscriptions/{id}/deliveries", key="tw_operator"))["items"]
                       if d["type"] == "alert.raised"]  # fmt: skip
        for path in ("test", "recover", f"deliveries/{delivery['id']}/resend"):
            body = {"since": MADE} if path == "recover" else None
            answer = await notify.call("POST", f"/v1/subscriptions/{id}/{path}", body, key="tw_operator")
            assert answer.status_code == 409, path
        assert (await notify.call("DELETE", f"/v1/subscriptions/{id}", key="tw_operator")).status_code == 204
        await notify.at(3600)
        assert told(receiver) == [ALERT.id]


@pytest.mark.parametrize(
    ("key", "body", "status"),
    [
        ("tw_other", {"key": "m2"}, 403),
        ("tw_operator", {"key": "p1"}, 422),
        ("tw_operator", {"key": "nobody"}, 422),
        ("tw_operator", {"key": "m1"}, 422),
        ("tw_operator", {}, 422),
    ],
)
async def test_only_an_operator_gives_and_only_to_a_valid_key_of_a_reader(
    tmp_path: Path, receiver: Receiver, key: str, body: Any, status: int
) -> None:
    async with running_notify(tmp_path) as notify:
        id = (await notify.subscribe(**hook(receiver)))["id"]
        revoke(notify)
        await notify.at(1)
        answer = await notify.call("POST", f"/v1/subscriptions/{id}/owner", body, key=key)
        assert answer.status_code == status, answer.text
        assert await look(notify, id) == ("held", "desk-a")


async def test_a_message_that_another_process_held_back_too_late_is_sent_all_the_same(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    """It had not yet heard that the subscription was given away: once, nobody released that message any more."""
    async with running_notify(tmp_path, url=database_url) as notify:
        id = (await notify.subscribe(**hook(receiver)))["id"]
        late = SqlDeliveries(notify.runtime.database, "late")
        test = (await notify.call("POST", f"/v1/subscriptions/{id}/test")).json()["id"]
        (job,) = await late.claim({id: 10}, notify.clock.now())
        assert job.id == test
        await late.record([hold(job, notify.clock.now(), "held")])
        await notify.settle()
        assert [d.id for d in receiver.received("/hook")] == [test]


async def test_the_holding_and_the_giving_are_in_the_audit(tmp_path: Path, receiver: Receiver) -> None:
    async with running_notify(tmp_path) as notify:
        id = (await notify.subscribe(**hook(receiver)))["id"]
        revoke(notify)
        await notify.at(1)
        await give(notify, id, "m2")
        consumer = await notify.runtime.bus.consumer(AUDIT, "a test")
        acts = [msgspec.json.decode(received.event.data) for received in await consumer.fetch(100, 0)]
        assert [a["action"] for a in acts if a["resource"] == f"subscriptions/{id}"] == [
            "subscription.held", "subscription.given",
        ]  # fmt: skip
        assert acts[-1]["detail"] == {"owner": "desk-b", "key": "m2"}
