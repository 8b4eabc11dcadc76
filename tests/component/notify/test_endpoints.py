"""Endpoints that fail, go, come back: the breaker, five days of failure, recovery, rotation, proof."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.component.notify.running import RunningNotify, hook, revised, running_notify, types
from tests.parts.mail import Mailbox
from tests.parts.receiver import Answer, Receiver, signature_holds
from tests.unit.notify.samples import ALERT


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as found:
        yield found


async def status(notify: RunningNotify, id: str) -> str:
    return str((await notify.get(f"/v1/subscriptions/{id}"))["status"])


async def test_410_turns_an_endpoint_off_at_once_and_recovery_brings_what_was_held(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path) as notify:
        id = (await notify.subscribe(**hook(receiver)))["id"]
        receiver.answer("/hook", Answer(status=410))
        await notify.push(ALERT)
        assert await status(notify, id) == "gone"
        await notify.push(revised(ALERT, 2), revised(ALERT, 1, id="b", status="raised"))
        await notify.at(3600)
        assert len(receiver.received()) == 1
        assert notify.service.status()["disabled_endpoints"] == 1
        receiver.answer("/hook", Answer())
        answer = await notify.call("POST", f"/v1/subscriptions/{id}/recover", {"since": "2016-05-08T12:00:00Z"})
        assert answer.json() == {"recovered": 3}
        await notify.settle()
        await notify.at(1)
        await notify.at(1)
        assert await status(notify, id) == "active"
        got = receiver.received()[1:]
        assert sorted((d.message["data"]["id"], d.message["data"]["revision"]) for d in got) == [
            (ALERT.id, 1), (ALERT.id, 2), ("b", 1),
        ]  # fmt: skip
        assert got[0].id == receiver.received()[0].id or got[1].id == receiver.received()[0].id


async def test_five_days_of_failure_disable_it_and_its_owner_is_told(
    tmp_path: Path, receiver: Receiver, mailbox: Mailbox
) -> None:
    async with running_notify(tmp_path, smtp_url=mailbox.url) as notify:
        id = (await notify.subscribe(**hook(receiver, contact="owner@example.org")))["id"]
        await notify.confirm(mailbox, "owner@example.org")
        mailbox.forget()
        receiver.answer("/hook", Answer(status=503))
        await notify.push(ALERT)
        assert await status(notify, id) == "failing"
        for hour in range(5 * 24 + 1):
            if hour % 12 == 0:
                await notify.push(revised(ALERT, 1, id=f"a{hour}", status="raised"))
            await notify.at(3600)
        assert await status(notify, id) == "disabled"
        before = len(receiver.received())
        await notify.push(revised(ALERT, 1, id="held", status="raised"))
        await notify.at(24 * 3600)
        assert len(receiver.received()) == before
        (notice,) = mailbox.letters("owner@example.org")
        assert "Desk" in str(notice.message["Subject"])
        receiver.answer("/hook", Answer())
        verified = await notify.call("POST", f"/v1/subscriptions/{id}/verify")
        assert verified.status_code == 202
        await notify.settle()
        assert await status(notify, id) == "active"
        await notify.call("POST", f"/v1/subscriptions/{id}/recover", {"since": "2016-05-08T00:00:00Z"})
        await notify.settle()
        assert "held" in {d.message["data"]["id"] for d in receiver.received()}


async def test_the_last_attempt_fails_for_good_and_recover_starts_over(tmp_path: Path, receiver: Receiver) -> None:
    async with running_notify(tmp_path) as notify:
        id = (await notify.subscribe(**hook(receiver)))["id"]
        receiver.answer("/hook", Answer(status=500))
        await notify.push(ALERT)
        for delay in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400):
            await notify.at(delay * 1.2 + 1)
        assert len(receiver.received()) == 10
        items = (await notify.get(f"/v1/subscriptions/{id}/deliveries"))["items"]
        (delivery,) = [item for item in items if item["type"] == "alert.raised"]
        assert (delivery["status"], delivery["next_attempt_at"], len(delivery["attempts"])) == ("failed", None, 10)
        receiver.answer("/hook", Answer())
        await notify.call("POST", f"/v1/subscriptions/{id}/recover", {"since": "2016-05-08T00:00:00Z"})
        await notify.settle()
        assert len({d.id for d in receiver.received()}) == 1
        assert (await notify.get(f"/v1/subscriptions/{id}/deliveries/{delivery['id']}"))["status"] == "delivered"


async def test_retry_after_is_heeded(tmp_path: Path, receiver: Receiver) -> None:
    async with running_notify(tmp_path) as notify:
        await notify.subscribe(**hook(receiver))
        receiver.answer("/hook", Answer(status=429, headers={"retry-after": "120"}), Answer())
        await notify.push(ALERT)
        await notify.at(119)
        assert len(receiver.received()) == 1
        await notify.at(26)
        assert len(receiver.received()) == 2


async def test_both_secrets_sign_until_the_overlap_ends(tmp_path: Path, receiver: Receiver) -> None:
    async with running_notify(tmp_path) as notify:
        made = await notify.subscribe(**hook(receiver))
        answer = await notify.call("POST", f"/v1/subscriptions/{made['id']}/rotate-secret", {"overlap": "PT1H"})
        fresh = answer.json()["secret"]
        await notify.push(ALERT)
        await notify.at(3600)
        await notify.push(revised(ALERT, 2))
        during, after = receiver.received()
        assert [signature_holds(s, during.headers, during.body) for s in (made["secret"], fresh)] == [True, True]
        assert [signature_holds(s, after.headers, after.body) for s in (made["secret"], fresh)] == [False, True]


async def test_a_challenge_is_tried_again_for_a_day_and_proves_only_by_its_echo(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path) as notify:
        receiver.answer("/hook", Answer(body=b"no echo", echo_challenge=False))
        id = (await notify.subscribe(**hook(receiver)))["id"]
        assert await status(notify, id) == "pending"
        receiver.answer("/hook", Answer(status=500), Answer())
        await notify.at(6.1)
        assert await status(notify, id) == "pending"
        await notify.at(361)
        assert await status(notify, id) == "active"


async def test_another_address_is_proved_anew_and_gets_nothing_before(tmp_path: Path, receiver: Receiver) -> None:
    async with running_notify(tmp_path) as notify:
        id = (await notify.subscribe(**hook(receiver)))["id"]
        receiver.answer("/new", Answer(echo_challenge=False))
        change = {"channel": {"url": receiver.url("/new")}}
        changed = await notify.call("PATCH", f"/v1/subscriptions/{id}", change)
        assert (changed.status_code, changed.json()["status"]) == (200, "pending")
        await notify.settle()
        await notify.push(ALERT)
        assert receiver.received() == []


async def test_an_old_address_cannot_prove_the_new_one(tmp_path: Path, receiver: Receiver) -> None:
    async with running_notify(tmp_path) as notify:
        receiver.answer("/hook", Answer(status=500))
        receiver.answer("/new", Answer(echo_challenge=False))
        id = (await notify.subscribe(**hook(receiver)))["id"]
        await notify.call("PATCH", f"/v1/subscriptions/{id}", {"channel": {"url": receiver.url("/new")}})
        receiver.answer("/hook", Answer())
        await notify.at(6.1)
        await notify.at(400)
        assert await status(notify, id) == "pending"
        # The first challenge is void, also where it would be answered.
        assert len(receiver.received("/hook", challenges=True)) == 1
        await notify.at(25 * 3600)
        tried = len(receiver.received("/new", challenges=True))
        await notify.at(48 * 3600)
        assert len(receiver.received("/new", challenges=True)) == tried


async def test_resending_uses_the_same_id_and_a_test_message_arrives(tmp_path: Path, receiver: Receiver) -> None:
    async with running_notify(tmp_path) as notify:
        id = (await notify.subscribe(**hook(receiver)))["id"]
        await notify.push(ALERT)
        (first,) = receiver.received()
        assert (await notify.call("POST", f"/v1/subscriptions/{id}/deliveries/{first.id}/resend")).status_code == 202
        await notify.settle()
        assert [d.id for d in receiver.received()] == [first.id] * 2
        await notify.call("POST", f"/v1/subscriptions/{id}/test")
        await notify.settle()
        assert types(receiver.received()) == ["alert.raised", "alert.raised", "test"]


async def test_a_breaker_opens_after_failures_in_a_row_and_lets_one_message_probe(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path) as notify:
        await notify.subscribe(**hook(receiver))
        receiver.answer("/hook", Answer(status=500))
        await notify.push(*(revised(ALERT, 1, id=f"a{n}", status="raised") for n in range(100)))
        tried = len(receiver.received())
        assert tried <= 10
        await notify.at(29)
        assert len(receiver.received()) == tried
        await notify.at(2)
        assert len(receiver.received()) == tried + 1
        receiver.answer("/hook", Answer())
        await notify.at(61)
        await notify.at(600)
        assert len({d.id for d in receiver.received() if d.status == 200}) == 100
