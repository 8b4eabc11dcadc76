"""Subscriptions with the format of Slack: proved by a link, told everything in its form."""

from pathlib import Path
from typing import Any

import pytest

from services.notify.kinds.truce_notice import TRUCE_NOTICES
from services.notify.sql.history import SqlHistory
from tests.component.notify.running import RunningNotify, hook, revised, running_notify
from tests.parts.receiver import Receiver, signature_holds
from tests.unit.notify.samples import ALERT
from tests.unit.notify.test_golden import TRUCES
from tests.unit.notify.test_slack import check


def told(receiver: Receiver) -> list[Any]:
    return [sent.message for sent in receiver.received(challenges=True)]


async def subscribe(notify: RunningNotify, receiver: Receiver, **more: Any) -> Any:
    channel = {"type": "webhook", "url": receiver.url(), "format": "slack"}
    return await notify.subscribe("tw_operator", **hook(receiver) | {"channel": channel, "verified": True} | more)


@pytest.mark.parametrize("language", ["en", "ar", "ru"])
async def test_every_message_of_an_alert_comes_in_the_form_of_slack(
    tmp_path: Path, receiver: Receiver, language: str
) -> None:
    async with running_notify(tmp_path) as notify:
        made = await subscribe(notify, receiver, language=language)
        await notify.push(ALERT)
        await notify.push(revised(ALERT, 2, status="updated", severity="Extreme"))
        await notify.push(revised(ALERT, 3, status="cancelled", verdict="not_covered"))
        await notify.call("POST", f"/v1/subscriptions/{made['id']}/test", key="tw_operator")
        for name, content in TRUCES.items():
            kind = TRUCE_NOTICES[f"truce.{name.partition(',')[0]}"]  # type: ignore[index]
            job = kind.make(made["id"], notify.clock.now(), name, content=content)
            await SqlHistory(notify.runtime.database).add([job])
        await notify.settle()
        sent = receiver.received(challenges=True)
        assert len(sent) == 4 + len(TRUCES)
        assert all(one.headers["content-type"] == "application/json" for one in sent)
        assert all(signature_holds(made["secret"], one.headers, one.body) for one in sent)
        for message in told(receiver):
            assert message["text"]
            assert message["attachments"][0]["fallback"] == message["text"]
            check(message)


async def test_a_digest_is_one_message_with_an_attachment_for_each_alert(tmp_path: Path, receiver: Receiver) -> None:
    async with running_notify(tmp_path) as notify:
        await subscribe(notify, receiver, mode={"digest": "PT1H"})
        for number in range(3):
            await notify.push(revised(ALERT, 1, id=f"alr_{number}", status="raised"))
        await notify.clock.advance(2 * 3600)
        await notify.settle()
        [message] = told(receiver)
        assert len(message["attachments"]) == 4
        assert "3" in message["text"]


async def test_a_channel_of_people_is_proved_by_the_link_that_it_shows(tmp_path: Path, receiver: Receiver) -> None:
    async with running_notify(tmp_path) as notify:
        channel = {"type": "webhook", "url": receiver.url(), "format": "slack"}
        made = (await notify.call("POST", "/v1/subscriptions", {"name": "@all", "channel": channel})).json()
        await notify.settle()
        path = f"/v1/subscriptions/{made['id']}"
        assert (await notify.get(path))["status"] == "pending"
        [asked] = told(receiver)
        check(asked)
        link = asked["attachments"][0]["title_link"]
        page = link[link.index("/v1/confirm") :]
        assert (await notify.call("GET", page)).status_code == 200
        assert (await notify.get(path))["status"] == "pending"
        assert (await notify.call("POST", page)).status_code == 200
        shown = await notify.get(path)
        assert (shown["status"], shown["channel"]["format"]) == ("active", "slack")


@pytest.mark.parametrize(
    ("draft", "pointer"),
    [
        ({"channel": {"type": "email", "to": "a@example.org"}, "format": "slack"}, "/format"),
        (
            {
                "channel": {"type": "webhook", "url": "http://127.0.0.1:9/x", "format": "cap"},
                "mode": {"digest": "PT1H"},
            },
            "/channel/format",
        ),
    ],
)
async def test_a_format_that_a_channel_cannot_have_is_named(tmp_path: Path, draft: Any, pointer: str) -> None:
    async with running_notify(tmp_path) as notify:
        refused = await notify.call("POST", "/v1/subscriptions", {"name": "desk", **draft})
        assert refused.status_code == 422
        assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
