"""A change between a decision and the transaction that keeps it makes it decided again, on both databases."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.assessments import Alert
from services.notify.decisions.alerts import GroupName
from services.notify.decisions.endpoints import note
from services.notify.decisions.groups import DecidedGroup
from services.notify.decisions.heartbeats import DecidedHeartbeat
from services.notify.domain.subscription import Subscription
from services.notify.kinds.kind import Job
from services.notify.sql.alert_book import SqlAlertBook
from services.notify.sql.blocks import SqlBlocks
from services.notify.sql.groups import SqlGroups
from services.notify.sql.heartbeats import SqlHeartbeats
from services.notify.sql.subscriptions import Also, SqlSubscriptions
from services.notify.use_cases.block_address import AskedAddress, block_address
from services.notify.use_cases.change_subscription import change_subscription
from services.notify.use_cases.flush_groups import flush_groups
from services.notify.use_cases.flush_heartbeats import flush_heartbeats
from services.notify.use_cases.release_silenced import SilencedAlerts, release_silenced
from services.notify.use_cases.take_alerts import AcceptedAlerts, Arrival, DecidedBatch, take_alerts
from services.platform.security.sealing import Sealer
from services.platform.settings.secret_key import open_sealer
from tests.component.notify.running import RunningNotify, hook, link_in, revised, running_notify, types
from tests.parts.mail import Mailbox
from tests.parts.receiver import Receiver
from tests.unit.notify.samples import ALERT

SILENCE = {"matchers": [{"name": "act", "value": "shelling"}], "ends_at": "2016-05-08T13:00:00Z", "reason": "exercise"}
Between = Callable[[], Awaitable[object]]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


def sealer_of(notify: RunningNotify) -> Sealer:
    settings = notify.runtime.settings
    return open_sealer(settings.secret_keys, notify.runtime.database.file, in_use=True)


@asynccontextmanager
async def both(folder: Path, url: str) -> AsyncIterator[tuple[RunningNotify, RunningNotify]]:
    """Two processes on one database and one clock."""
    async with running_notify(folder, url=url) as notify, running_notify(folder, url=url, clock=notify.clock) as other:
        yield notify, other


class Interrupted:
    """A store with something that happens once between a decision and the transaction that keeps it."""

    between: Between
    decisions = 0

    async def interrupt(self) -> None:
        self.decisions += 1
        if self.decisions == 1:
            await self.between()


class InterruptedBook(Interrupted, SqlAlertBook):
    async def accept(self, batch: DecidedBatch, full: frozenset[str]) -> AcceptedAlerts:
        await self.interrupt()
        return await super().accept(batch, full)

    async def release(self, silenced: SilencedAlerts, batch: DecidedBatch, now: int, full: frozenset[str]) -> list[Job]:
        await self.interrupt()
        return await super().release(silenced, batch, now, full)


class InterruptedGroups(Interrupted, SqlGroups):
    async def save(
        self, decided: Sequence[DecidedGroup], failed: Mapping[GroupName, Exception], now: int, version: int
    ) -> None:
        await self.interrupt()
        await super().save(decided, failed, now, version)


class InterruptedHeartbeats(Interrupted, SqlHeartbeats):
    async def save(
        self, decided: Sequence[DecidedHeartbeat], failed: Mapping[str, Exception], now: int, version: int
    ) -> None:
        await self.interrupt()
        await super().save(decided, failed, now, version)


class InterruptedSubscriptions(Interrupted, SqlSubscriptions):
    async def save(self, before: Subscription, after: Subscription, jobs: Sequence[Job], also: Also) -> Subscription:
        await self.interrupt()
        return await super().save(before, after, jobs, also)


class InterruptedBlocks(Interrupted, SqlBlocks):
    async def block(self, asked: AskedAddress, after: Sequence[Subscription], now: int) -> None:
        await self.interrupt()
        await super().block(asked, after, now)


def interrupted_book(notify: RunningNotify, between: Between) -> InterruptedBook:
    book = InterruptedBook(notify.runtime.database, "other")
    book.between = between
    return book


async def take(notify: RunningNotify, between: Between, *alerts: Alert) -> InterruptedBook:
    """Take alerts as this process does; ``between`` happens before they are kept. Then all that is due is sent."""
    book = interrupted_book(notify, between)
    arrivals = [Arrival(a, msgspec.json.encode(a), f"{a.id}-{a.revision}", notify.clock.now()) for a in alerts]
    await take_alerts(arrivals, notify.service.state["directory"], book, notify.dispatcher)
    await notify.settle()
    return book


async def test_a_silence_made_meanwhile_holds_the_alert(database_url: str, tmp_path: Path, receiver: Receiver) -> None:
    async with both(tmp_path, database_url) as (notify, other):
        await notify.subscribe(**hook(receiver))
        book = await take(notify, lambda: other.call("POST", "/v1/silences", SILENCE), ALERT)
        assert (book.decisions, types(receiver.received())) == (2, [])
        await notify.at(3601)
        assert types(receiver.received()) == ["alert.raised"]


async def test_a_subscription_changed_meanwhile_is_what_counts(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with both(tmp_path, database_url) as (notify, other):
        ended = (await notify.subscribe(**hook(receiver, "/ended")))["id"]
        wider = (await notify.subscribe(**hook(receiver, "/wider", filter={"acts": ["siege"]})))["id"]

        async def change() -> None:
            await other.call("DELETE", f"/v1/subscriptions/{ended}")
            await other.call("PATCH", f"/v1/subscriptions/{wider}", {"filter": {"acts": ["shelling"]}})

        book = await take(notify, change, ALERT)
        assert book.decisions == 2
        assert (types(receiver.received("/ended")), types(receiver.received("/wider"))) == ([], ["alert.raised"])


async def test_an_earlier_revision_that_another_process_took_meanwhile_was_told(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with both(tmp_path, database_url) as (notify, other):
        await notify.subscribe(**hook(receiver))
        await other.sweeper.catch_up()
        book = await take(notify, lambda: other.push(ALERT), revised(ALERT, 2))
        assert book.decisions == 2
        assert types(receiver.received()) == ["alert.raised", "alert.updated"]
        assert [a["revision"] for a in (await notify.get("/v1/alerts"))["items"]] == [1, 2]


async def test_the_same_revision_that_another_process_took_meanwhile_is_sent_once(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    for first in (ALERT, revised(ALERT, 2, id="alr_revised")):
        async with both(tmp_path, database_url) as (notify, other):
            subscription = await notify.subscribe(**hook(receiver))
            await other.sweeper.catch_up()
            before = len(receiver.received())
            await take(notify, lambda: other.push(first), first)  # noqa: B023 - called within this turn
            assert len(receiver.received()) == before + 1
            await notify.call("DELETE", f"/v1/subscriptions/{subscription['id']}")


async def test_a_group_that_another_process_sent_meanwhile_begins_the_interval(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with both(tmp_path, database_url) as (notify, other):
        await notify.subscribe(**hook(receiver, group_by=["thread"], group_wait="PT10S"))
        await notify.push(ALERT)
        await notify.clock.advance(10)

        book = await take(notify, other.settle, revised(ALERT, 2))
        assert book.decisions == 2
        assert types(receiver.received()) == ["digest"]
        await notify.at(290)  # group_interval counts from the message that went out meanwhile
        assert types(receiver.received()) == ["digest"]
        await notify.at(10)
        assert types(receiver.received()) == ["digest", "digest"]


async def test_an_alert_cancelled_while_it_came_out_of_its_silence_is_not_sent(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with both(tmp_path, database_url) as (notify, other):
        await notify.subscribe(**hook(receiver))
        await notify.call("POST", "/v1/silences", SILENCE)
        await notify.push(ALERT)
        await notify.clock.advance(3601)
        await other.sweeper.catch_up()
        book = interrupted_book(
            notify,
            lambda: other.push(revised(ALERT, 2, status="cancelled", verdict="not_covered", certainty=None)),
        )
        await release_silenced(notify.clock.now(), notify.service.state["directory"], book, notify.dispatcher)
        await notify.settle()
        assert (book.decisions, receiver.received()) == (2, [])


async def test_an_alert_that_another_process_took_out_of_its_silence_is_sent_once(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with both(tmp_path, database_url) as (notify, other):
        await notify.subscribe(**hook(receiver))
        await notify.call("POST", "/v1/silences", SILENCE)
        await notify.push(ALERT)
        await notify.clock.advance(3601)

        book = interrupted_book(notify, other.settle)
        await release_silenced(notify.clock.now(), notify.service.state["directory"], book, notify.dispatcher)
        await notify.settle()
        assert types(receiver.received()) == ["alert.raised"]


async def gather(notify: RunningNotify, between: Between) -> InterruptedGroups:
    """Send the groups that are due as this process does; ``between`` happens before they are kept."""
    groups = InterruptedGroups(notify.runtime.database)
    groups.between = between
    await flush_groups(notify.clock.now(), notify.service.state["directory"], groups)
    await notify.settle()
    return groups


async def test_an_alert_that_joined_the_group_meanwhile_is_in_its_message(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with both(tmp_path, database_url) as (notify, other):
        await notify.subscribe(**hook(receiver, group_by=["thread"], group_wait="PT10S"))
        await notify.push(ALERT)
        await notify.clock.advance(10)
        await other.sweeper.catch_up()
        groups = await gather(notify, lambda: other.push(revised(ALERT, 2)))
        assert groups.decisions == 2
        (digest,) = receiver.received()
        assert [a["revision"] for a in digest.message["data"]["alerts"]] == [2]


async def test_a_group_that_another_process_sends_meanwhile_is_sent_once(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with both(tmp_path, database_url) as (notify, other):
        await notify.subscribe(**hook(receiver, group_by=["thread"], group_wait="PT10S"))
        await notify.push(ALERT)
        await notify.clock.advance(10)
        await gather(notify, other.settle)
        await notify.settle()
        assert types(receiver.received()) == ["digest"]


async def test_quiet_hours_that_were_asked_for_meanwhile_hold_the_group(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with both(tmp_path, database_url) as (notify, other):
        id = (await notify.subscribe(**hook(receiver, group_by=["thread"], group_wait="PT10S")))["id"]
        await notify.push(ALERT)
        await notify.clock.advance(10)
        quiet = {"quiet_hours": {"from": "11:00", "to": "13:00", "timezone": "UTC"}}
        groups = await gather(notify, lambda: other.call("PATCH", f"/v1/subscriptions/{id}", quiet))
        assert (groups.decisions, receiver.received()) == (2, [])
        await notify.at(3600)
        assert types(receiver.received()) == ["digest"]


async def test_a_heartbeat_that_another_process_tells_meanwhile_is_told_once(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with both(tmp_path, database_url) as (notify, other):
        await notify.subscribe(**hook(receiver, heartbeat="PT1H"))
        await notify.settle()
        await notify.clock.advance(3600)
        beats = InterruptedHeartbeats(notify.runtime.database)
        beats.between = other.settle
        await flush_heartbeats(notify.clock.now(), notify.service.state["directory"], set(), beats)
        await notify.settle()
        await notify.at(3600)
        assert [d.message["data"]["sequence"] for d in receiver.received()] == [1, 2]


async def test_two_changes_of_one_subscription_at_once_are_both_kept(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with both(tmp_path, database_url) as (notify, other):
        id = (await notify.subscribe(**hook(receiver)))["id"]
        database, directory = notify.runtime.database, notify.service.state["directory"]
        store = InterruptedSubscriptions(database, sealer_of(notify))
        store.between = lambda: other.call("PATCH", f"/v1/subscriptions/{id}", {"name": "renamed meanwhile"})
        now = notify.clock.now()
        await change_subscription(
            id, lambda s: note(s, "refused", now, "answered 410"), store=store, directory=directory, also=lambda _: None
        )
        found = await notify.get(f"/v1/subscriptions/{id}")
        assert (store.decisions, found["name"], found["status"]) == (2, "renamed meanwhile", "gone")


async def test_a_subscription_to_an_address_that_is_blocked_meanwhile_is_blocked_too(
    database_url: str, tmp_path: Path
) -> None:
    with Mailbox() as mailbox:
        async with running_notify(tmp_path, url=database_url, smtp_url=mailbox.url) as notify:
            mail: dict[str, Any] = {"channel": {"type": "email", "to": "desk@example.org"}}
            await notify.subscribe(**mail)
            (asked,) = await mailbox.arrived(1, 5, "desk@example.org")
            token = link_in(asked, "block").partition("token=")[2]
            blocks = InterruptedBlocks(notify.runtime.database, sealer_of(notify))
            blocks.between = lambda: notify.call("POST", "/v1/subscriptions", mail, key="tw_other")
            directory = notify.service.state["directory"]
            assert await block_address(token, notify.clock.now(), blocks, directory) == "desk@example.org"
            assert blocks.decisions == 2
            assert {s.state for s in directory.subscriptions.values()} == {"gone"}
