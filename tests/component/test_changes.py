"""A change of the registry that touches many incidents reaches a subscriber as one message."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.notify.domain.grouping import MOST_APART
from tests.component.assembled import Assembled, assembled
from tests.parts.receiver import Receiver
from tests.story import CALM, opening_registry

DECLARED: dict[str, Any] = {
    "id": "declared", "issuer": "russia", "action": "declare", "announced_at": "2016-05-05T00:00:00Z",
    "starts_at": "2016-05-05T00:00:00Z", "ends_at": "2016-05-07T00:00:00Z", "text": "Silence for two days.",
}  # fmt: skip
WITHDRAWN: dict[str, Any] = {
    "id": "withdrawn", "issuer": "russia", "action": "withdraw", "announced_at": "2016-05-06T00:00:00Z",
    "withdraws": "declared",
}  # fmt: skip


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


def report(n: int) -> dict[str, Any]:
    return {
        "external_id": f"r{n}", "occurred": f"2016-05-06T12:{n:02}:00Z", "act": "armed_clash",
        "location": {"lat": 36.2, "lon": 37.18, "radius_km": 0.5},
        "perpetrators": ["Jaysh al-Islam"], "targets": ["Rahman Corps"], "source": {"name": "local monitor"},
    }  # fmt: skip


async def announce(system: Assembled, said: dict[str, Any]) -> None:
    await system.call("POST", f"/v1/truces/{CALM}/announcements?reason=by+telephone", said)
    await system.settle()


async def test_an_announcement_and_its_withdrawal_are_one_message_each(tmp_path: Path, receiver: Receiver) -> None:
    count = MOST_APART + 4
    hook = {"name": "Desk", "channel": {"type": "webhook", "url": receiver.url()}, "filter": {"truces": [CALM]}}
    async with assembled(tmp_path, document=opening_registry()) as system:
        await system.call("POST", "/v1/subscriptions", hook)
        await system.call("POST", "/v1/incidents/batch", [report(n) for n in range(count)])
        await system.settle()
        assert receiver.received() == []
        await announce(system, DECLARED)
        await announce(system, WITHDRAWN)
        raised, cancelled = (got.message["data"] for got in receiver.received())
        for data, status in ((raised, "raised"), (cancelled, "cancelled")):
            assert len(data["alerts"]) + data["omitted"] == count
            assert {alert["status"] for alert in data["alerts"]} == {status}
            assert (data["cause"]["resources"], data["cause"]["reason"]) == ([f"truces/{CALM}"], "by telephone")


async def test_few_alerts_of_a_change_are_told_each_by_itself(tmp_path: Path, receiver: Receiver) -> None:
    hook = {"name": "Desk", "channel": {"type": "webhook", "url": receiver.url()}, "filter": {"truces": [CALM]}}
    async with assembled(tmp_path, document=opening_registry()) as system:
        await system.call("POST", "/v1/subscriptions", hook)
        await system.call("POST", "/v1/incidents/batch", [report(n) for n in range(3)])
        await system.settle()
        await announce(system, DECLARED)
        assert [got.type for got in receiver.received()] == ["alert.raised"] * 3
