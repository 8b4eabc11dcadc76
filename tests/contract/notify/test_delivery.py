"""Notify's tables on both databases: what is decided, queued, claimed, told, and in which order it is numbered."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from services.notify.domain.lifecycle import DeliveryState, states_before
from services.notify.sql.alert_book import SqlAlertBook
from services.notify.sql.alert_log import SqlAlertLog
from services.notify.sql.deliveries import SqlDeliveries
from services.notify.sql.history import SqlHistory
from services.notify.sql.presence import ALIVE_FOR, stay
from services.notify.use_cases.take_alerts import AlertFacts, Arrival, DecidedAlert, DecidedBatch
from services.platform.db.engine import Database
from tests.component.notify.running import event_of, hook, revised, running_notify, types
from tests.parts.receiver import Answer, Receiver
from tests.unit.notify.samples import ALERT


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


async def test_from_the_alert_to_the_cancellation_with_a_failure_between(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path, url=database_url) as notify:
        made = await notify.subscribe(**hook(receiver))
        await notify.subscribe(**hook(receiver, "/gathered", group_by=["thread"], group_wait="PT10S"))
        await notify.subscribe(**hook(receiver, "/beating", heartbeat="PT1H", filter={"acts": ["siege"]}))
        receiver.answer("/hook", Answer(status=500), Answer())
        await notify.push(ALERT)
        await notify.push(ALERT)  # the log gives it again
        await notify.push(revised(ALERT, 2))
        await notify.at(6.1)
        await notify.at(1.1)
        await notify.push(revised(ALERT, 3, status="cancelled"))
        assert types(receiver.received("/hook")) == ["alert.raised", "alert.raised", "alert.updated", "alert.cancelled"]
        await notify.at(10)
        (digest,) = receiver.received("/gathered")
        assert [(a["revision"], a["status"]) for a in digest.message["data"]["alerts"]] == [(3, "cancelled")]
        await notify.at(3600)
        assert [d.message["data"]["violations"] for d in receiver.received("/beating")] == [1]
        page = (await notify.get("/v1/alerts"))["items"]
        assert [a["revision"] for a in page] == [1, 2, 3]
        deliveries = (await notify.get(f"/v1/subscriptions/{made['id']}/deliveries"))["items"]
        assert sum(len(d["attempts"]) for d in deliveries if d["type"] != "challenge") == 4
        assert (await notify.get(f"/v1/lookup?id={ALERT.incident_id}"))["alerts"][0]["id"] == ALERT.id


async def test_silences_and_recovery(database_url: str, tmp_path: Path, receiver: Receiver) -> None:
    async with running_notify(tmp_path, url=database_url) as notify:
        id = (await notify.subscribe(**hook(receiver)))["id"]
        wanted = {
            "matchers": [{"name": "act", "value": "shelling"}],
            "ends_at": "2016-05-08T13:00:00Z",
            "reason": "exercise",
        }
        silence = (await notify.call("POST", "/v1/silences", wanted)).json()["id"]
        await notify.push(ALERT)
        assert [s["id"] for s in (await notify.get("/v1/silences"))["items"]] == [silence]
        receiver.answer("/hook", Answer(status=410), Answer())
        await notify.at(3600)
        await notify.settle()
        assert (await notify.get(f"/v1/subscriptions/{id}"))["status"] == "gone"
        answer = await notify.call("POST", f"/v1/subscriptions/{id}/recover", {"since": "2016-05-08T00:00:00Z"})
        assert answer.json() == {"recovered": 1}
        await notify.settle()
        assert types(receiver.received()) == ["alert.raised", "alert.raised"]


async def test_a_message_that_was_dropped_meanwhile_is_not_queued_again(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path, url=database_url) as notify:
        id = (await notify.subscribe(**hook(receiver)))["id"]
        await notify.push(ALERT)
        await notify.settle()
        (sent,) = (
            one
            for one in (await notify.get(f"/v1/subscriptions/{id}/deliveries"))["items"]
            if one["type"] == "alert.raised"
        )
        history, written = SqlHistory(notify.runtime.database), list[str]()
        for states, is_queued in ((frozenset[DeliveryState]({"failed"}), False), (states_before("resent"), True)):
            asked = history.queue_again(id, sent["id"], states, 0, lambda _: written.append("audit"))
            assert await asked is is_queued
            assert len(written) == is_queued


async def test_a_process_decides_by_what_another_one_was_just_told(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with (
        running_notify(tmp_path, url=database_url) as notify,
        running_notify(tmp_path, url=database_url) as other,
    ):
        id = (await notify.subscribe(**hook(receiver)))["id"]
        await other.service.loops[0].handle([event_of(ALERT)])
        await other.dispatcher.idle()
        assert types(receiver.received()) == ["alert.raised"]
        wanted = {
            "matchers": [{"name": "act", "value": "shelling"}],
            "ends_at": "2016-05-09T00:00:00Z",
            "reason": "exercise",
        }
        await notify.call("POST", "/v1/silences", wanted)
        await other.service.loops[0].handle([event_of(revised(ALERT, 1, id="b", status="raised"))])
        await notify.call("DELETE", f"/v1/subscriptions/{id}")
        await other.service.loops[0].handle([event_of(revised(ALERT, 2))])
        await other.dispatcher.idle()
        assert types(receiver.received()) == ["alert.raised"]


async def test_a_cursor_never_skips_an_entry_while_ten_writers_append(database_url: str, database: Database) -> None:
    """Readers that follow by the cursor, while processes commit in any order, see every entry once."""
    writers = [Database(database_url) for _ in range(10)] if not database.is_log else [database] * 10
    log, seen = SqlAlertLog(database), list[tuple[str, int]]()

    async def write(number: int) -> None:
        book = SqlAlertBook(writers[number], f"w{number}")
        for n in range(20):
            alert = msgspec.structs.replace(ALERT, id=f"alert-{number}-{n}")
            arrival = Arrival(alert, msgspec.json.encode(alert), f"{alert.id}-1", n)
            await book.accept(DecidedBatch([DecidedAlert(arrival, [])], 0, AlertFacts()), frozenset())

    async def read() -> None:
        seq = 0
        while len(seen) < 200:
            for entry in await log.after(seq, 7):
                seq = entry.seq
                seen.append((entry.alert.id, seq))
            await asyncio.sleep(0)

    async with asyncio.timeout(60):
        await asyncio.gather(read(), *(write(n) for n in range(10)))
    assert len({alert for alert, _ in seen}) == 200
    assert [seq for _, seq in seen] == list(range(1, 201))
    for writer in writers:
        if writer is not database:
            await writer.close()


async def test_what_a_dead_process_had_claimed_is_adopted_and_what_a_living_one_has_is_not(
    database: Database, tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path, url=database.engine.url.render_as_string(hide_password=False)) as notify:
        await notify.subscribe(**hook(receiver))
        now = notify.clock.now()
        await notify.dispatcher.stop()
        notify.dispatcher.full = lambda lanes: frozenset()  # type: ignore[method-assign]
        await notify.service.loops[0].handle([event_of(ALERT)])
        other = SqlDeliveries(database, "other")
        await database.write(lambda connection: stay(connection, "other", now))
        assert await other.adopt(now, alone=False) == 0
        later = now + 2 * ALIVE_FOR
        assert await other.adopt(later, alone=False) == 1
        (lane,) = await other.due_lanes(later, frozenset(), 10)
        (job,) = await other.claim({lane: 10}, later)
        assert job.alert == ALERT.id
        assert await other.claim({lane: 10}, later) == []
