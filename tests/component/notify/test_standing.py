"""Subscriptions, mail and silences in the status."""

from pathlib import Path
from typing import Any

import pytest

from tests.component.notify.running import RunningNotify, running_notify
from tests.parts.mail import Mailbox
from tests.parts.receiver import Answer, Receiver
from tests.unit.notify.samples import ALERT


def told(notify: RunningNotify) -> dict[str, Any]:
    return dict(notify.service.status())


async def test_one_failing_subscription_is_named_with_its_reason_until_it_answers(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path) as notify:
        made = await notify.subscribe(name="Aleppo desk", channel={"type": "webhook", "url": receiver.url("/hook")})
        assert told(notify)["subscriptions"] == {"active": 1, "failing": [], "disabled": 0}
        receiver.answer("/hook", Answer(status=500, body=b"secret: 10.0.0.7"), Answer())
        await notify.push(ALERT)
        (failing,) = told(notify)["subscriptions"]["failing"]
        assert failing == {
            "id": made["id"], "name": "Aleppo desk", "since": "2016-05-08T12:00:00Z", "reason": "answered 500",
        }  # fmt: skip
        await notify.at(10)
        assert told(notify)["subscriptions"] == {"active": 1, "failing": [], "disabled": 0}


async def test_the_reason_of_a_failure_holds_nothing_of_what_a_name_resolves_to(tmp_path: Path) -> None:
    async with running_notify(tmp_path) as notify:
        channel = {"type": "webhook", "url": "http://127.0.0.1:9/hook"}
        await notify.subscribe("tw_operator", name="n", channel=channel, verified=True)
        await notify.push(ALERT)
        (failing,) = told(notify)["subscriptions"]["failing"]
        assert failing["reason"] == "could not connect"
        assert "127.0.0.1" not in failing["reason"]
        assert ":9" not in failing["reason"]


@pytest.mark.parametrize(
    "draft",
    [
        {"channel": {"type": "email", "to": "a@example.org"}},
        {"channel": {"type": "webhook", "url": "http://127.0.0.1:9/"}, "contact": "a@example.org", "verified": True},
    ],
)
async def test_mail_without_a_relay_is_degraded_once_somebody_asks_for_mail(
    tmp_path: Path, draft: dict[str, Any]
) -> None:
    async with running_notify(tmp_path) as notify:
        assert told(notify)["mail"]["state"] == "off"
        made = await notify.call("POST", "/v1/subscriptions", {"name": "n", **draft}, key="tw_operator")
        assert made.status_code in (201, 202)
        assert told(notify)["mail"]["state"] == "degraded"
        assert "there is no relay" in told(notify)["mail"]["detail"]


async def test_a_relay_that_does_not_take_mail_is_degraded_until_it_does(tmp_path: Path) -> None:
    async with running_notify(tmp_path, smtp_url="smtp://127.0.0.1:9") as notify:
        assert told(notify)["mail"] == {"state": "ok", "detail": ""}
        channel = {"type": "email", "to": "a@example.org"}
        await notify.subscribe("tw_operator", name="n", channel=channel, verified=True)
        await notify.push(ALERT)
        assert told(notify)["mail"]["state"] == "degraded"
        assert "127.0.0.1" not in told(notify)["mail"]["detail"]


async def test_a_relay_that_takes_mail_is_ok(tmp_path: Path, smtp: Mailbox) -> None:
    async with running_notify(tmp_path, smtp_url=smtp.url) as notify:
        channel = {"type": "email", "to": "a@example.org"}
        await notify.subscribe("tw_operator", name="n", channel=channel, verified=True)
        await notify.push(ALERT)
        assert told(notify)["mail"] == {"state": "ok", "detail": ""}


async def test_silences_count_while_they_are_in_force(tmp_path: Path) -> None:
    async with running_notify(tmp_path) as notify:
        for start, end in (("12:00", "12:10"), ("12:05", "12:20"), ("13:00", "14:00")):
            wanted = {
                "matchers": [{"name": "act", "value": "shelling"}], "reason": "exercise",
                "starts_at": f"2016-05-08T{start}:00Z", "ends_at": f"2016-05-08T{end}:00Z",
            }  # fmt: skip
            assert (await notify.call("POST", "/v1/silences", wanted)).status_code == 201
        counts = []
        for _ in range(5):
            counts.append(told(notify)["silences"]["active"])
            await notify.clock.advance(300)
        assert counts == [1, 2, 1, 1, 0]
