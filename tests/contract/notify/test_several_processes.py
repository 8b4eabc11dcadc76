"""Several processes of notify on one database: what one makes another sends, and what one leaves another finishes."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.instants import parse_instant
from tests.component.notify.running import RunningNotify, event_of, hook, revised, running_notify
from tests.fakes import DrivenClock
from tests.parts.mail import Mailbox
from tests.parts.receiver import Answer, Receiver
from tests.unit.notify.samples import ALERT


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


async def test_the_challenge_of_a_subscription_that_another_process_made_is_sent(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with (
        running_notify(tmp_path, url=database_url) as notify,
        running_notify(tmp_path, url=database_url) as other,
    ):
        made = (await notify.call("POST", "/v1/subscriptions", hook(receiver))).json()
        await other.settle()
        assert [d.type for d in receiver.received(challenges=True)] == ["challenge"]
        assert (await notify.get(f"/v1/subscriptions/{made['id']}"))["status"] == "active"


async def test_an_endpoint_that_moved_is_not_told_at_its_old_address(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with (
        running_notify(tmp_path, url=database_url) as notify,
        running_notify(tmp_path, url=database_url) as other,
    ):
        id = (await notify.subscribe(**hook(receiver, "/old")))["id"]
        await other.at(1.1)
        moved = await notify.call("PUT", f"/v1/subscriptions/{id}", hook(receiver, "/new"))
        assert moved.status_code == 200, moved.text
        await other.settle()
        assert [d.path for d in receiver.received(challenges=True)] == ["/old", "/new"]


async def test_what_a_process_leaves_unsent_when_it_stops_another_sends_at_its_next_look(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path, url=database_url) as other:
        async with running_notify(tmp_path, url=database_url) as notify:
            await notify.subscribe(**hook(receiver))
            receiver.answer("/hook", Answer(hang=True), Answer())
            await notify.service.loops[0].handle([event_of(ALERT)])
            await receiver.arrived(1, 5, "/hook")
        await other.service.state["keep_alive"](other.clock.now())
        await other.settle()
        first, again = receiver.received("/hook")
        assert first.id == again.id


async def test_what_was_claimed_and_never_came_into_memory_is_queued_again(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    """A claim commits, and the connection breaks before the answer to it arrives."""
    async with running_notify(tmp_path, url=database_url) as notify:
        made = (await notify.call("POST", "/v1/subscriptions", hook(receiver))).json()
        lost = await notify.service.state["sweeper"].claims.claim({made["id"]: 10}, notify.clock.now())
        assert len(lost) == 1
        await notify.settle()
        assert receiver.received(challenges=True) == []
        for _ in range(2):
            await notify.service.state["keep_alive"](notify.clock.now())
        await notify.settle()
        assert [d.type for d in receiver.received(challenges=True)] == ["challenge"]


async def test_of_two_processes_one_tells_the_days_heartbeat_and_with_the_alerts_where_there_are_any(
    database_url: str, tmp_path: Path
) -> None:
    clock = DrivenClock(parse_instant("2016-05-08T12:00:05Z"))
    with Mailbox() as mailbox:
        one, two = (running_notify(tmp_path, url=database_url, clock=clock, smtp_url=mailbox.url) for _ in range(2))
        async with one as notify, two as other:
            for n in range(3):
                channel = {"type": "email", "to": f"{n}@example.org"}
                daily = {"mode": {"daily": "12:00", "timezone": "UTC"}, "group_by": ["thread"], "heartbeat": "P1D"}
                await notify.subscribe("tw_operator", channel=channel, verified=True, **daily)
            for day in range(6):
                if day % 2 == 0:
                    threads = [revised(ALERT, 1, id=f"{day}-{n}", thread=f"{n}", status="raised") for n in range(2)]
                    await notify.service.loops[0].handle([event_of(alert) for alert in threads])
                for seconds in (24 * 3600 - 5, 5):
                    await clock.advance(seconds)
                    await asyncio.gather(notify.settle(), other.settle())
        for n in range(3):
            bodies = [str(letter.message.get_body(("plain",))) for letter in mailbox.letters(f"{n}@example.org")]
            assert len(bodies) == 3 * 2 + 3
            told = [body for body in bodies if "Heartbeat" in body]
            assert [f"Heartbeat {number}," in body for number, body in enumerate(told, 1)] == [True] * 6
            assert ["/a/" in body for body in told] == [True, False] * 3


async def test_what_a_silence_held_is_not_lost_on_a_process_that_does_not_know_the_subscription_yet(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with (
        running_notify(tmp_path, url=database_url) as notify,
        running_notify(tmp_path, url=database_url) as other,
    ):
        await notify.subscribe(**hook(receiver))
        wanted = {
            "matchers": [{"name": "act", "value": "shelling"}],
            "ends_at": "2016-05-08T12:10:00Z",
            "reason": "exercise",
        }
        assert (await notify.call("POST", "/v1/silences", wanted)).status_code == 201
        await notify.push(ALERT)
        await look_without_catching_up(other, parse_instant("2016-05-08T13:00:00Z"))
        assert [d.type for d in receiver.received()] == ["alert.raised"]


async def test_what_was_gathered_is_not_lost_on_a_process_that_does_not_know_the_subscription_yet(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with (
        running_notify(tmp_path, url=database_url) as notify,
        running_notify(tmp_path, url=database_url) as other,
    ):
        await notify.subscribe(**hook(receiver, mode={"digest": "PT1H"}))
        await notify.push(ALERT)
        await look_without_catching_up(other, parse_instant("2016-05-08T14:00:00Z"))
        assert [d.type for d in receiver.received()] == ["digest"]


async def look_without_catching_up(notify: RunningNotify, now: int) -> None:
    """A look at what is due, as one goes that began to look just before others changed something."""
    sweeper = notify.service.state["sweeper"]
    for flush in sweeper.flushes.values():
        await flush(now)
    await sweeper.claim_due(now)
    await notify.dispatcher.idle()
