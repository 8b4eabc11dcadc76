"""Every change by an operator is in the audit, with the key and its name."""

from pathlib import Path
from typing import Any

from schemas import codec
from schemas.events import Actor
from schemas.topics import AUDIT
from tests.component.notify.running import RunningNotify, running_notify
from tests.parts.receiver import Receiver

END = "2016-06-01T00:00:00Z"
SILENCE = {"matchers": [{"name": "truce", "value": "aleppo-calm"}], "ends_at": END, "reason": "Exercise"}


async def change_everything(notify: RunningNotify, receiver: Receiver, key: str) -> None:
    """Each change that a monitor and an operator may make, once."""

    async def do(method: str, path: str, body: Any = None) -> Any:
        answer = await notify.call(method, path, body, key=key)
        assert answer.status_code < 300, (path, answer.text)
        await notify.settle()
        return answer.json() if answer.content else {}

    id = (await do("POST", "/v1/subscriptions", {"channel": {"type": "webhook", "url": receiver.url()}}))["id"]
    at = f"/v1/subscriptions/{id}"
    sent = (await do("POST", f"{at}/test"))["id"]
    await do("POST", f"{at}/deliveries/{sent}/resend")
    await do("POST", f"{at}/recover", {"since": "2016-01-01T00:00:00Z"})
    await do("POST", f"{at}/verify")
    await do("POST", f"{at}/rotate-secret", {})
    await do("PATCH", at, {"name": "Other"})
    await do("DELETE", at)
    await do("DELETE", f"/v1/feed-tokens/{(await do('POST', '/v1/feed-tokens'))['id']}")
    await do("DELETE", f"/v1/silences/{(await do('POST', '/v1/silences', SILENCE))['id']}")


async def acts(notify: RunningNotify) -> list[Any]:
    consumer = await notify.runtime.bus.consumer(AUDIT, "a test")
    return [codec.decode(received.event) for received in await consumer.fetch(100, 0)]


async def test_each_change_by_an_operator_is_there_once_with_key_and_name(tmp_path: Path, receiver: Receiver) -> None:
    async with running_notify(tmp_path) as notify:
        await change_everything(notify, receiver, "tw_operator")
        found = await acts(notify)
        assert [act.action for act in found] == [
            "subscription.created", "subscription.tested", "delivery.resent", "subscription.recovered",
            "subscription.verified", "subscription.rotated", "subscription.changed", "subscription.ended",
            "feed_token.created", "feed_token.removed", "silence.created", "silence.ended",
        ]  # fmt: skip
        assert {act.actor for act in found} == {Actor("o1", "duty")}


async def test_what_a_monitor_changes_of_its_own_is_no_act_of_an_operator(tmp_path: Path, receiver: Receiver) -> None:
    async with running_notify(tmp_path) as notify:
        await change_everything(notify, receiver, "tw_monitor")
        assert await acts(notify) == []


async def test_what_is_refused_is_not_in_the_audit(tmp_path: Path) -> None:
    async with running_notify(tmp_path) as notify:
        assert (await notify.call("DELETE", "/v1/feed-tokens/none", key="tw_operator")).status_code == 404
        assert await acts(notify) == []
