"""One row at fault in notify's tables: it is put off and shown, and everybody else gets what is theirs."""

import asyncio
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text, update

from services.notify.sending.scheduler import SweepScheduler
from services.notify.sql.tables import alert_log, held
from services.platform.failures import RetryLaterError
from tests.component.notify.running import RunningNotify, revised, running_notify
from tests.fakes import DrivenClock, InjectedError
from tests.parts.receiver import Receiver
from tests.unit.notify.samples import ALERT


def hook(receiver: Receiver, path: str, **more: Any) -> dict[str, Any]:
    return {"name": path, "channel": {"type": "webhook", "url": receiver.url(path)}, **more}


async def change(notify: RunningNotify, statement: Any) -> None:
    def work(connection: Connection) -> None:
        connection.execute(statement)

    await notify.runtime.database.write(work)


def kinds(receiver: Receiver, path: str) -> list[str]:
    return [delivery.type for delivery in receiver.received(path)]


async def test_a_group_that_cannot_be_gathered_is_put_off_and_the_others_go_out(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path) as notify:
        bad = await notify.subscribe(**hook(receiver, "/bad", mode={"digest": "PT1H"}))
        await notify.subscribe(**hook(receiver, "/good", mode={"digest": "PT1H"}))
        await notify.push(ALERT)
        poison = update(held).where(held.c.subscription_id == bad["id"])
        await change(notify, poison.values(group_key="{"))
        await notify.at(3600)
        assert (kinds(receiver, "/bad"), kinds(receiver, "/good")) == ([], ["digest"])
        assert notify.runtime.faults.shown() == {"notify.flush_groups": "DecodeError"}
        await change(notify, poison.values(group_key="{}"))
        await notify.at(240)
        assert kinds(receiver, "/bad") == []
        await notify.at(120)
        assert kinds(receiver, "/bad") == ["digest"]


async def test_a_heartbeat_that_cannot_be_made_is_put_off_and_the_others_go_out(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path) as notify:
        bad_id = {"id": (await notify.subscribe(**hook(receiver, "/bad", heartbeat="PT1H")))["id"]}
        await notify.subscribe(**hook(receiver, "/good", heartbeat="PT1H"))
        await notify.settle()
        # SQLite keeps a text in a column of numbers.
        await change(
            notify, text("UPDATE heartbeats SET sequence = 'x' WHERE subscription_id = :id").bindparams(**bad_id)
        )
        await notify.at(3600)
        assert (kinds(receiver, "/bad"), kinds(receiver, "/good")) == ([], ["heartbeat"])
        assert notify.runtime.faults.shown() == {"notify.flush_heartbeats": "TypeError"}


async def test_an_alert_that_cannot_come_out_of_its_silence_is_put_off_and_the_others_do(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path) as notify:
        await notify.subscribe(**hook(receiver, "/hook"))
        wanted = {"matchers": [{"name": "act", "value": "shelling"}], "ends_at": "2016-05-08T12:10:00Z", "reason": "x"}
        assert (await notify.call("POST", "/v1/silences", wanted)).status_code == 201
        other = revised(ALERT, 1, id="alr_other", status="raised", thread="thr_other")
        await notify.push(ALERT, other)
        await change(notify, update(alert_log).where(alert_log.c.alert_id == ALERT.id).values(body=b"{"))
        await notify.at(900)
        assert [d.message["data"]["id"] for d in receiver.received("/hook")] == ["alr_other"]
        assert notify.runtime.faults.shown().keys() == {"notify.release_silenced"}


async def test_a_proof_that_could_not_be_kept_is_kept_at_the_next_pass(tmp_path: Path, receiver: Receiver) -> None:
    async with running_notify(tmp_path) as notify:
        store: Any = notify.sweeper.flushes["follow_attempts"].__self__._store  # type: ignore[attr-defined]
        save = store.save
        store.save = away
        made = (await notify.call("POST", "/v1/subscriptions", hook(receiver, "/hook"))).json()
        await notify.settle()
        assert (await notify.get(f"/v1/subscriptions/{made['id']}"))["status"] == "pending"
        store.save = save
        await notify.settle()
        assert (await notify.get(f"/v1/subscriptions/{made['id']}"))["status"] == "active"


async def test_a_proof_that_a_process_did_not_live_to_keep_is_kept_by_the_next(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path) as notify:
        store: Any = notify.sweeper.flushes["follow_attempts"].__self__._store  # type: ignore[attr-defined]
        store.save = away
        made = (await notify.call("POST", "/v1/subscriptions", hook(receiver, "/hook"))).json()
        await notify.settle()
    async with running_notify(tmp_path) as notify:
        assert (await notify.get(f"/v1/subscriptions/{made['id']}"))["status"] == "active"
        assert len(receiver.received("/hook", challenges=True)) == 1


async def away(*_: Any) -> Any:
    raise RetryLaterError("the database is away")


class Failing:
    """A sweeper whose every part raises; what was called."""

    def __init__(self) -> None:
        self.called: list[str] = []

    def __getattr__(self, name: str) -> Any:
        async def fail(_now: int) -> None:
            self.called.append(name)
            raise InjectedError(name)

        return fail


async def test_the_schedule_goes_on_whatever_its_parts_raise(tmp_path: Path) -> None:
    async with running_notify(tmp_path) as notify:
        failing: Any = Failing()
        faults = notify.runtime.faults
        schedule = SweepScheduler(failing, failing.keep_alive, DrivenClock(), faults)
        task = asyncio.create_task(schedule.run())
        for _ in range(3):
            schedule.kick()
            for _ in range(20):
                await asyncio.sleep(0)
        assert not task.done()
        assert failing.called[:2] == ["keep_alive", "sweep"]
        assert failing.called.count("claim_due") >= 2
        assert {"notify.sweep", "notify.keep_alive", "notify.claim_due", "notify.refill"} == set(faults.shown())
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
