"""From a report to the webhook through all services of one process, told as timelines: "at 0 s post …; expect …"."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.component.assembled import Assembled, assembled
from tests.parts.receiver import Answer, Receiver
from tests.scenario import reports

MIDAN = next(report for report in reports() if report["external_id"] == "midan-20160508")


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[Assembled]:
    async with assembled(tmp_path) as running:
        yield running


async def subscribe(system: Assembled, receiver: Receiver, **more: Any) -> tuple[str, str]:
    """A monitor with a webhook that is proved: its key and the id of its subscription."""
    monitor = await system.make_key("monitor", "monitor")
    draft = {"name": "Aleppo", "channel": {"type": "webhook", "url": receiver.url()}} | more
    made = await system.call("POST", "/v1/subscriptions", draft, key=monitor)
    await system.settle()
    return monitor, made["id"]


def told(receiver: Receiver) -> list[tuple[str, int]]:
    return [(message.type, message.message["data"]["revision"]) for message in receiver.received()]


async def test_a_report_is_judged_and_told_then_corrected_then_cancelled(system: Assembled, receiver: Receiver) -> None:
    partner = await system.make_key("partner-a", "partner")
    monitor, _ = await subscribe(system, receiver)

    # At 0 s a partner reports, and one alert is sent.
    incident = (await system.call("POST", "/v1/incidents", MIDAN, key=partner))["incident_id"]
    await system.settle()
    assert told(receiver) == [("alert.raised", 1)]
    (shown,) = (await system.call("GET", "/v1/assessments", key=partner))["items"]
    assert (shown["verdict"], shown["revision"]) == ("violation", 1)
    assert (await system.call("GET", f"/v1/incidents/{incident}", key=partner))["verdict"] == "violation"

    # At 60 s the same report again changes nothing.
    await system.at(60)
    await system.call("POST", "/v1/incidents", MIDAN, key=partner)
    await system.settle()
    assert len(told(receiver)) == 1

    # At 120 s it is corrected: ten were killed.
    await system.at(60)
    corrected = MIDAN | {"casualties": {"killed": 10, "injured": 0}}
    assert (await system.call("POST", "/v1/incidents", corrected, key=partner))["incident_id"] == incident
    await system.settle()
    assert told(receiver) == [("alert.raised", 1), ("alert.updated", 2)]

    # At 180 s it is retracted, and the alert cancelled.
    await system.at(60)
    await system.call("POST", f"/v1/incidents/{incident}/retraction", {"reason": "entered in error"}, key=partner)
    await system.settle()
    assert told(receiver) == [("alert.raised", 1), ("alert.updated", 2), ("alert.cancelled", 3)]
    alerts = [message.message["data"] for message in receiver.received()]
    assert len({alert["id"] for alert in alerts}) == len({alert["thread"] for alert in alerts}) == 1
    alert = await system.call("GET", f"/v1/alerts/{alerts[0]['id']}", key=monitor)
    assert (alert["status"], alert["revision"]) == ("cancelled", 3)


async def test_a_receiver_that_fails_at_first_gets_the_alert_later_and_once(
    system: Assembled, receiver: Receiver
) -> None:
    partner = await system.make_key("partner-a", "partner")
    monitor, id = await subscribe(system, receiver)
    receiver.answer("/hook", Answer(status=503), Answer(status=503), Answer())
    await system.call("POST", "/v1/incidents", MIDAN, key=partner)
    await system.settle()
    for _ in range(10):
        await system.at(60)
    assert [message.status for message in receiver.received()] == [503, 503, 200]
    deliveries = (await system.call("GET", f"/v1/subscriptions/{id}/deliveries", key=monitor))["items"]
    (delivery,) = (one for one in deliveries if one["type"] == "alert.raised")
    assert (delivery["status"], len(delivery["attempts"])) == ("delivered", 3)
