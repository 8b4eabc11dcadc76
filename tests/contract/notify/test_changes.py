"""The alerts that one change of the registry causes reach a subscriber together, on both databases."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.assessments import Alert
from schemas.causes import Actor, Cause
from services.notify.domain.grouping import MOST_APART
from services.notify.sql.changes import SqlChanges
from services.notify.use_cases.flush_changes import flush_changes
from tests.component.notify.running import hook, revised, running_notify, types
from tests.parts.mail import Mailbox
from tests.parts.receiver import Answer, Receiver
from tests.unit.notify.samples import ALERT

CHANGE = Cause("registry", Actor("k", "duty"), "The extension came by telephone.", ("truces/calm",), 7)
STORM = MOST_APART + 5
WAIT_S = 300.0


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


def caused(n: int, revision: int = 1, version: int = 7, **changes: Any) -> Alert:
    """The alert of the n-th incident that a change of the registry causes."""
    status = "raised" if revision == 1 else "updated"
    cause = msgspec.structs.replace(CHANGE, registry_version=version)
    return revised(ALERT, revision, **{"id": f"alr_{n:02}", "status": status, "cause": cause, **changes})


def live(n: int, revision: int = 1, **changes: Any) -> Alert:
    return caused(n, revision, **{"cause": Cause("report"), **changes})


def cancelled(n: int, revision: int, version: int = 7) -> Alert:
    return caused(n, revision, version, status="cancelled", verdict="not_covered", certainty=None)


def told(receiver: Receiver, path: str = "/hook") -> list[tuple[str, str, int]]:
    """The messages of one alert: each one's type, the alert, the revision."""
    data = [(got.type, got.message["data"]) for got in receiver.received(path)]
    return [(type, its["id"], its["revision"]) for type, its in data]


async def test_more_alerts_than_are_told_apart_are_one_message_once_all_are_there(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path, url=database_url) as notify:
        id = (await notify.subscribe(**hook(receiver)))["id"]
        await notify.push(live(0))
        await notify.push(*(caused(n) for n in range(1, STORM)))
        await notify.end_change(7, STORM)
        await notify.at(60)
        assert types(receiver.received()) == ["alert.raised"]
        await notify.push(cancelled(0, 2))
        await notify.settle()
        _, digest = receiver.received()
        data = digest.message["data"]
        assert digest.type == "digest"
        assert msgspec.convert(data["cause"], Cause) == CHANGE
        assert data["group"] is None
        assert len(data["alerts"]) + data["omitted"] == STORM
        assert {a["status"] for a in data["alerts"]} <= {"raised", "cancelled"}
        assert all(a["cause"]["registry_version"] == 7 for a in data["alerts"])
        trace = await notify.get(f"/v1/alerts/alr_00/trace?subscription={id}")
        assert [d["type"] for d in trace["deliveries"]] == ["alert.raised", "digest"]
        await notify.end_change(7, STORM)
        await notify.at(2 * WAIT_S)
        assert len(receiver.received()) == 2


async def test_few_are_each_told_by_itself(database_url: str, tmp_path: Path, receiver: Receiver) -> None:
    async with running_notify(tmp_path, url=database_url) as notify:
        await notify.subscribe(**hook(receiver))
        await notify.push(live(0))
        await notify.end_change(7, MOST_APART)
        await notify.push(cancelled(0, 2), *(caused(n) for n in range(1, MOST_APART)))
        await notify.settle()
        assert sorted(told(receiver)[1:]) == sorted(
            [("alert.cancelled", "alr_00", 2), *(("alert.raised", f"alr_{n:02}", 1) for n in range(1, MOST_APART))]
        )


async def test_nothing_waits_longer_than_the_limit(database_url: str, tmp_path: Path, receiver: Receiver) -> None:
    """A reassessment may be stopped, or take hours."""
    async with running_notify(tmp_path, url=database_url) as notify:
        await notify.subscribe(**hook(receiver))
        await notify.push(*(caused(n) for n in range(STORM)))
        await notify.at(WAIT_S - 1)
        assert receiver.received() == []
        await notify.push(caused(STORM))
        await notify.at(1)
        assert types(receiver.received()) == ["digest"]
        await notify.push(caused(STORM + 1))
        await notify.at(WAIT_S - 1)
        assert types(receiver.received()) == ["digest"]
        await notify.end_change(7, STORM + 2)
        assert types(receiver.received()) == ["digest", "alert.raised"]


async def test_live_alerts_are_not_held_and_take_along_what_waits_of_the_same_alert(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path, url=database_url) as notify:
        await notify.subscribe(**hook(receiver))
        await notify.push(live(0), live(1))
        await notify.push(caused(0, 2), caused(2), caused(3))
        await notify.push(live(4), live(0, 3), live(2, 2, status="cancelled", verdict="not_covered"))
        await notify.push(caused(5), live(5, 2))
        by_alert = {n: [(t, r) for t, id, r in told(receiver) if id == f"alr_{n:02}"] for n in range(6)}
        assert by_alert == {
            0: [("alert.raised", 1), ("alert.updated", 2), ("alert.updated", 3)],
            1: [("alert.raised", 1)],
            2: [("alert.raised", 1), ("alert.cancelled", 2)],
            3: [],
            4: [("alert.raised", 1)],
            5: [("alert.raised", 1), ("alert.updated", 2)],
        }
        await notify.end_change(7, 4)
        assert told(receiver)[9:] == [("alert.raised", "alr_03", 1)]


async def test_an_earlier_revision_that_waits_goes_first_also_while_the_endpoint_fails(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path, url=database_url) as notify:
        await notify.subscribe(**hook(receiver))
        receiver.answer("/hook", Answer(status=500), Answer())
        await notify.push(caused(0))
        await notify.push(live(0, 2))
        await notify.at(6.1)
        await notify.at(1.1)
        assert [(type, revision) for type, _, revision in told(receiver)] == [
            ("alert.raised", 1), ("alert.raised", 1), ("alert.updated", 2),
        ]  # fmt: skip


async def test_a_message_about_many_keeps_the_order_of_each(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path, url=database_url) as notify:
        await notify.subscribe(**hook(receiver))
        receiver.answer("/hook", Answer(status=500), Answer(status=500), Answer())
        await notify.push(live(0))
        await notify.push(caused(0, 2), *(caused(n) for n in range(1, STORM)))
        await notify.end_change(7, STORM)
        assert types(receiver.received()) == ["alert.raised"]
        await notify.push(live(3, 2), live(50))
        await notify.at(6.1)
        await notify.at(1.1)
        await notify.push(caused(0, 3, version=8), *(caused(n, 3, version=8) for n in range(1, STORM)))
        await notify.end_change(8, STORM)
        for _ in range(3):
            await notify.at(1.1)
        await notify.at(6.1)
        await notify.at(1.1)
        await notify.at(1.1)
        heard: dict[str, list[int]] = {}
        for got in receiver.received():
            data = got.message["data"]
            if got.status == 200:
                for one in data["alerts"] if got.type == "digest" else [data]:
                    heard.setdefault(one["id"], []).append(one["revision"])
        assert types([got for got in receiver.received() if got.status == 200])[-1] == "digest"
        assert (heard["alr_00"], heard["alr_03"], heard["alr_50"]) == ([1, 2, 3], [1, 2, 3], [1])


async def test_what_quiet_hours_hold_goes_before_a_message_that_breaks_through(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    quiet = {"from": "12:00", "to": "14:00", "timezone": "UTC", "except_min_severity": "Extreme"}
    async with running_notify(tmp_path, url=database_url) as notify:
        await notify.subscribe(**hook(receiver, quiet_hours=quiet))
        await notify.push(live(0))
        await notify.push(caused(0, 2, severity="Extreme"), *(caused(n) for n in range(1, STORM)))
        await notify.end_change(7, STORM)
        await notify.at(1.1)
        assert types(receiver.received()) == ["alert.raised", "digest"]


async def test_the_net_state_is_told_and_nothing_of_what_came_and_went(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path, url=database_url) as notify:
        await notify.subscribe(**hook(receiver))
        await notify.push(caused(0), caused(1), caused(2))
        await notify.push(cancelled(0, 2, version=8), caused(1, 2, version=8))
        await notify.end_change(7, 3)
        assert told(receiver) == [("alert.raised", "alr_02", 1)]
        await notify.end_change(8, 2)
        assert told(receiver)[1:] == [("alert.raised", "alr_01", 2)]
        await notify.at(2 * WAIT_S)
        assert len(receiver.received()) == 2


async def test_a_process_that_is_killed_loses_and_repeats_nothing(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path, url=database_url) as notify:
        await notify.subscribe(**hook(receiver))
        await notify.push(*(caused(n) for n in range(STORM - 1)))
    async with running_notify(tmp_path, url=database_url, clock=notify.clock) as again:
        await again.push(*(caused(n) for n in range(STORM)))
        assert receiver.received() == []
        await again.end_change(7, STORM)
    async with running_notify(tmp_path, url=database_url, clock=again.clock) as last:
        await last.push(*(caused(n) for n in range(STORM)))
        await last.end_change(7, STORM)
        await last.at(2 * WAIT_S)
    (digest,) = receiver.received()
    assert len(digest.message["data"]["alerts"]) + digest.message["data"]["omitted"] == STORM


async def test_what_another_process_tells_meanwhile_is_told_once(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with (
        running_notify(tmp_path, url=database_url) as notify,
        running_notify(tmp_path, url=database_url, clock=notify.clock) as other,
    ):
        await notify.subscribe(**hook(receiver))
        await notify.push(*(caused(n) for n in range(STORM)))
        await notify.clock.advance(WAIT_S)
        await other.sweeper.catch_up()

        def meanwhile(between: Callable[[], Awaitable[object]]) -> SqlChanges:
            class Interrupted(SqlChanges):
                decisions = 0

                async def save(self, *decided: Any) -> None:
                    self.decisions += 1
                    if self.decisions == 1:
                        await between()
                    await super().save(*decided)

            return Interrupted(notify.runtime.database)

        directory = notify.service.state["directory"]
        await flush_changes(notify.clock.now(), directory, meanwhile(lambda: other.push(caused(STORM))))
        await other.push(*(caused(n, version=8) for n in range(50, 50 + STORM)))
        await notify.clock.advance(WAIT_S)
        await flush_changes(notify.clock.now(), directory, meanwhile(other.settle))
        await notify.settle()
        first, second = receiver.received()
        counts = [len(d.message["data"]["alerts"]) + d.message["data"]["omitted"] for d in (first, second)]
        assert sorted(counts) == [STORM, STORM + 1]


async def test_a_silence_that_ends_tells_of_a_change_by_one_message(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path, url=database_url) as notify:
        await notify.subscribe(**hook(receiver))
        silence = {"matchers": [{"name": "act", "value": "shelling"}], "ends_at": "2016-05-08T13:00:00Z", "reason": "x"}
        await notify.call("POST", "/v1/silences", silence)
        await notify.push(*(caused(n) for n in range(STORM)))
        await notify.end_change(7, STORM)
        assert receiver.received() == []
        await notify.at(3_601)
        assert types(receiver.received()) == ["digest"]


async def test_quiet_hours_hold_the_message_and_each_of_a_few(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    quiet = {"from": "12:00", "to": "14:00", "timezone": "UTC", "except_min_severity": "Extreme"}
    async with running_notify(tmp_path, url=database_url) as notify:
        await notify.subscribe(**hook(receiver, quiet_hours=quiet))
        await notify.push(*(caused(n) for n in range(STORM)))
        await notify.end_change(7, STORM)
        await notify.push(caused(90, version=8), caused(91, version=8, severity="Extreme"))
        await notify.end_change(8, 2)
        assert told(receiver) == [("alert.raised", "alr_91", 1)]
        await notify.at(7_200)
        assert sorted(types(receiver.received())[1:]) == ["alert.raised", "digest"]
        await notify.push(*(caused(n, 2, version=9, severity="Extreme") for n in range(STORM)))
        await notify.end_change(9, STORM)
        assert types(receiver.received())[3:] == ["digest"]


async def test_groups_are_one_message_and_what_waits_in_a_group_keeps_its_hour(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path, url=database_url) as notify:
        await notify.subscribe(**hook(receiver, group_by=["thread"], group_wait="PT10S"))
        await notify.push(live(0))
        await notify.push(caused(0, 2), caused(1), caused(2))
        await notify.push(live(1, 2))
        await notify.at(10)
        (group,) = receiver.received()
        assert [(a["id"], a["revision"]) for a in group.message["data"]["alerts"]] == [("alr_00", 2), ("alr_01", 2)]
        assert "cause" not in group.message["data"]
        await notify.end_change(7, 3)
        _, change = receiver.received()
        assert (change.type, [a["id"] for a in change.message["data"]["alerts"]]) == ("digest", ["alr_02"])
        assert change.message["data"]["cause"]["registry_version"] == 7


async def test_a_digest_waits_for_its_hour_and_cap_holds_one_alert(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path, url=database_url) as notify:
        await notify.subscribe(**hook(receiver, "/digest", mode={"digest": "PT1H"}))
        await notify.subscribe(**hook(receiver, "/cap", format="cap"))
        await notify.push(*(caused(n) for n in range(STORM)))
        assert len(receiver.received("/cap", challenges=True)) == 1 + STORM
        await notify.end_change(7, STORM)
        assert receiver.received("/digest") == []
        await notify.at(3_600)
        assert types(receiver.received("/digest")) == ["digest"]
        assert "cause" not in receiver.received("/digest")[0].message["data"]


async def test_a_subscription_that_ends_or_comes_to_be_a_digest_meanwhile(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path, url=database_url) as notify:
        ended = (await notify.subscribe(**hook(receiver, "/ended")))["id"]
        digest = (await notify.subscribe(**hook(receiver, "/digest")))["id"]
        await notify.push(caused(0), caused(1))
        await notify.call("DELETE", f"/v1/subscriptions/{ended}")
        await notify.call("PUT", f"/v1/subscriptions/{digest}", hook(receiver, "/digest", mode={"digest": "PT1H"}))
        await notify.push(caused(2))
        await notify.end_change(7, 3)
        assert receiver.received("/ended") == []
        (first,) = receiver.received("/digest")
        assert [a["id"] for a in first.message["data"]["alerts"]] == ["alr_00", "alr_01"]
        await notify.at(3_600)
        _, second = receiver.received("/digest")
        assert [a["id"] for a in second.message["data"]["alerts"]] == ["alr_02"]


async def test_the_mail_of_a_change_says_who_made_it_and_why(database_url: str, tmp_path: Path, smtp: Mailbox) -> None:
    async with running_notify(tmp_path, url=database_url, smtp_url=smtp.url) as notify:
        await notify.call("POST", "/v1/subscriptions", {"channel": {"type": "email", "to": "desk@example.org"}})
        await notify.settle()
        await notify.confirm(smtp, "desk@example.org")
        await notify.push(*(caused(n) for n in range(130)))
        await notify.end_change(7, 130)
        letter = smtp.letters("desk@example.org")[-1].message
        body = letter.get_body(("plain",))
        assert body is not None
        text = body.get_content()
        assert letter["Subject"] == "130 alerts: the registry was changed"
        for said in ("duty", "The extension came by telephone.", "30 more"):
            assert said in text
