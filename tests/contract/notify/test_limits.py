"""How much one owner may have, to the very number, also where requests come together; operators are not bound."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from services.notify.domain.limits import Limits
from services.platform.settings.config import SettingsError, read_settings
from tests.component.notify.running import RunningNotify, running_notify
from tests.parts.receiver import Answer, Receiver

SILENCE = {
    "matchers": [{"name": "act", "value": "arrest"}], "ends_at": "2016-05-08T13:00:00Z", "reason": "exercise",
}  # fmt: skip


def hook(receiver: Receiver, path: str = "/hook") -> dict[str, Any]:
    return {"name": "Desk", "channel": {"type": "webhook", "url": receiver.url(path)}}


async def codes(notify: RunningNotify, count: int, path: str, body: Any, key: str = "tw_monitor") -> list[int]:
    """The statuses of so many requests at once, sorted."""
    answers = await asyncio.gather(*(notify.call("POST", path, body, key=key) for _ in range(count)))
    return sorted(answer.status_code for answer in answers)


async def test_an_owner_has_so_many_subscriptions_and_no_more(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path, url=database_url, max_subscriptions=4) as notify:
        made = [await notify.subscribe(**hook(receiver)) for _ in range(2)]
        assert await codes(notify, 6, "/v1/subscriptions", hook(receiver)) == [201, 201, 409, 409, 409, 409]
        await notify.settle()
        refused = await notify.call("POST", "/v1/subscriptions", hook(receiver))
        assert "4 subscriptions" in refused.json()["detail"]
        assert len((await notify.get("/v1/subscriptions"))["items"]) == 4
        assert (await notify.call("PATCH", f"/v1/subscriptions/{made[0]['id']}", {"name": "New"})).status_code == 200
        assert await codes(notify, 1, "/v1/subscriptions", hook(receiver), "tw_other") == [201]
        assert await codes(notify, 5, "/v1/subscriptions", hook(receiver), "tw_operator") == [201] * 5
        await notify.call("DELETE", f"/v1/subscriptions/{made[0]['id']}")
        assert await codes(notify, 2, "/v1/subscriptions", hook(receiver)) == [201, 409]


async def test_so_many_subscriptions_of_an_owner_wait_for_their_proof(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path, url=database_url, max_unproved=2) as notify:
        proved = (await notify.subscribe(**hook(receiver)))["id"]
        receiver.answer("/silent", Answer(echo_challenge=False))
        assert await codes(notify, 5, "/v1/subscriptions", hook(receiver, "/silent")) == [201, 201, 409, 409, 409]
        await notify.settle()
        moved = await notify.call(
            "PATCH", f"/v1/subscriptions/{proved}", {"channel": hook(receiver, "/silent")["channel"]}
        )
        assert moved.status_code == 409
        assert (await notify.get(f"/v1/subscriptions/{proved}"))["status"] == "active"
        assert (await notify.call("PATCH", f"/v1/subscriptions/{proved}", {"name": "New"})).status_code == 200
        receiver.answer("/silent", Answer())
        await notify.at(6.1)
        assert await codes(notify, 1, "/v1/subscriptions", hook(receiver)) == [201]


async def test_so_many_silences_of_an_owner_have_not_ended(database_url: str, tmp_path: Path) -> None:
    async with running_notify(tmp_path, url=database_url, max_silences=3) as notify:
        assert await codes(notify, 6, "/v1/silences", SILENCE) == [201, 201, 201, 409, 409, 409]
        (first, *_) = (await notify.get("/v1/silences"))["items"]
        await notify.call("DELETE", f"/v1/silences/{first['id']}")
        assert await codes(notify, 2, "/v1/silences", SILENCE) == [201, 409]
        assert await codes(notify, 4, "/v1/silences", SILENCE, "tw_operator") == [201] * 4
        await notify.at(3600)
        assert await codes(notify, 4, "/v1/silences", SILENCE | {"ends_at": "2016-05-08T15:00:00Z"}) == [201] * 3 + [
            409
        ]


async def test_the_limits_are_those_of_the_contract_and_settings_change_them(tmp_path: Path) -> None:
    assert Limits() == Limits(subscriptions=200, unproved=20, silences=50, streams=10)
    given = {"TRUCEWATCH_MAX_SUBSCRIPTIONS": "5", "TRUCEWATCH_MAX_UNPROVED": "4", "TRUCEWATCH_MAX_SILENCES": "3"}
    for environ, wanted in (({}, Limits()), (given | {"TRUCEWATCH_MAX_STREAMS": "2"}, Limits(5, 4, 3, 2))):
        s = read_settings(environ, database_url="sqlite://", host="127.0.0.1", port=1)
        assert Limits(s.max_subscriptions, s.max_unproved, s.max_silences, s.max_streams) == wanted
    with pytest.raises(SettingsError, match="TRUCEWATCH_MAX_UNPROVED must be a whole number"):
        read_settings({"TRUCEWATCH_MAX_UNPROVED": "0"}, database_url="sqlite://", host="127.0.0.1", port=1)
    async with running_notify(tmp_path, max_streams=2) as notify:
        assert notify.service.state["tail"].most_of_owner == 2
