"""The heartbeat of a mailbox, told as timelines: a line in each day's mail, on quiet days all that it says."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from schemas.instants import parse_instant
from schemas.vocabulary import LANGUAGES, Language
from schemas.wording.words import words
from services.notify.sql.heartbeat_counts import SqlJudgedReports
from tests.component.notify.running import RunningNotify, revised, running_notify
from tests.fakes import DrivenClock
from tests.parts.mail import Mailbox, ReceivedMail
from tests.unit.notify.samples import ALERT

HOUR = 3600
DAY = 24 * HOUR
#: A quiet day is told so long after its end.
LATER = 2
DAILY = {"daily": "07:00", "timezone": "Asia/Damascus"}
LINE = re.compile(
    r"Heartbeat (\d+), (.+) to (.+): (\d+) reports? judged, (\d+) violations?, (\d+) messages? .+: (.+)\."
)


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as found:
        yield found


def starting(text: str) -> DrivenClock:
    return DrivenClock(parse_instant(text))


async def subscribe(notify: RunningNotify, **draft: Any) -> str:
    mail = {"name": "Desk", "channel": {"type": "email", "to": "desk@example.org"}, "heartbeat": "PT1H"}
    made = await notify.subscribe("tw_operator", **(mail | {"mode": DAILY, "verified": True} | draft))
    return str(made["id"])


async def hear(notify: RunningNotify, *incidents: str) -> None:
    """Rules judged these incidents."""
    await SqlJudgedReports(notify.runtime.database).add(incidents, notify.clock.now())


def body(letter: ReceivedMail, kind: str = "plain") -> str:
    part = letter.message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def lines(letters: Sequence[ReceivedMail]) -> list[tuple[str, ...]]:
    """The heartbeats that mails tell: sequence, from, to, reports, violations, delivered, last alert."""
    return [found for letter in letters for found in LINE.findall(body(letter))]


async def test_the_daily_mail_carries_the_heartbeat_of_its_day_and_no_other_mail_does(
    tmp_path: Path, mailbox: Mailbox
) -> None:
    async with running_notify(tmp_path, smtp_url=mailbox.url, clock=starting("2016-05-08T12:00:00Z")) as notify:
        await subscribe(notify)
        await hear(notify, "a", "b", "c")
        await notify.push(ALERT)
        await notify.at(16 * HOUR - 1)
        assert mailbox.letters() == []
        await notify.at(1)
        (letter,) = mailbox.letters()
        assert letter.message["Subject"] == "Daily summary, 8 May 2016: 1 alert"
        assert "https://alerts.example.org/a/" in body(letter)
        assert lines([letter]) == [("1", "8 May 2016, 15:00", "9 May 2016, 07:00", "3", "1", "0", "none")]
        await notify.at(DAY - 1)
        assert len(mailbox.letters()) == 1


async def test_a_quiet_day_is_told_by_one_mail_that_is_the_line(tmp_path: Path, mailbox: Mailbox) -> None:
    async with running_notify(tmp_path, smtp_url=mailbox.url, clock=starting("2016-05-08T12:00:00Z")) as notify:
        await subscribe(notify)
        await notify.push(ALERT)
        await notify.at(16 * HOUR)
        await hear(notify, "a", "b")
        await notify.push(revised(ALERT, 1, id="elsewhere", act="protest", verdict="undetermined", status="raised"))
        await notify.at(DAY)
        assert len(mailbox.letters()) == 1
        await notify.at(LATER)
        quiet = mailbox.letters()[1]
        assert quiet.message["Subject"] == "Daily summary, 9 May 2016: 0 alerts"
        assert "Nothing for you, 9 May 2016, 07:00 to 10 May 2016, 07:00." in body(quiet)
        (told,) = lines([quiet])
        assert told == ("2", "9 May 2016, 07:00", "10 May 2016, 07:00", "2", "0", "1", "9 May 2016, 07:00")
        assert "List-Unsubscribe" in quiet.message
        assert notify.service.status()["last_heartbeat"] == "2016-05-10T04:00:02Z"
        await notify.at(DAY - LATER)
        assert len(mailbox.letters()) == 2


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_line_is_told_in_the_language_of_the_subscription_in_text_and_html(
    tmp_path: Path, mailbox: Mailbox, language: Language
) -> None:
    async with running_notify(tmp_path, smtp_url=mailbox.url, clock=starting("2016-05-08T12:00:00Z")) as notify:
        await subscribe(notify, language=language)
        await hear(notify, *map(str, range(5)))
        await notify.push(ALERT)
        await notify.at(16 * HOUR)
        await notify.at(DAY + LATER)
        say = words(language)
        full, quiet = mailbox.letters()
        for letter, reports, violations, delivered in ((full, 5, 1, 0), (quiet, 0, 0, 1)):
            counts = [say.count("reports", reports), say.count("violations", violations)]
            counts.append(say.count("delivered", delivered))
            for kind in ("plain", "html"):
                (line,) = (one for one in body(letter, kind).splitlines() if say.say("mail.last_alert") in one)
                assert all(count in line for count in counts), line
        assert say.say("mail.quiet", span="|").split("|")[0] in body(quiet, "html")


async def test_the_lines_count_without_gaps_over_a_restart_a_stop_and_days_with_and_without_alerts(
    tmp_path: Path, mailbox: Mailbox
) -> None:
    clock = starting("2016-05-08T12:00:00Z")
    async with running_notify(tmp_path, smtp_url=mailbox.url, clock=clock) as notify:
        await subscribe(notify)
        await notify.at(16 * HOUR + LATER)  # 9 May, 07:00 and two seconds
        await notify.push(ALERT)
    async with running_notify(tmp_path, smtp_url=mailbox.url, clock=clock) as notify:
        await notify.at(DAY)
        await notify.at(DAY)
    await clock.advance(3 * DAY)
    async with running_notify(tmp_path, smtp_url=mailbox.url, clock=clock) as notify:
        await notify.settle()
        await notify.push(revised(ALERT, 2))
        await notify.at(DAY)
    told = lines(mailbox.letters())
    assert len(mailbox.letters()) == len(told)
    assert [sequence for sequence, *_ in told] == ["1", "2", "3", "4", "5"]
    assert [start for _, start, *_ in told[1:]] == [end for _, _, end, *_ in told[:-1]]
    assert told[3][1:3] == ("11 May 2016, 07:00", "14 May 2016, 07:00")


async def test_an_hourly_digest_carries_the_line_once_a_day(tmp_path: Path, mailbox: Mailbox) -> None:
    async with running_notify(tmp_path, smtp_url=mailbox.url, clock=starting("2016-05-08T12:10:00Z")) as notify:
        await subscribe(notify, mode={"digest": "PT1H"})
        for hour in range(50):
            await notify.push(revised(ALERT, 1, id=f"a{hour}", status="raised"))
            await notify.at(HOUR)
        assert len(mailbox.letters()) == 50
        told = lines(mailbox.letters())
        assert [told[0][1], *(end for _, _, end, *_ in told)] == [
            "8 May 2016, 12:10", "9 May 2016, 13:00", "10 May 2016, 13:00",
        ]  # fmt: skip
        await notify.at(23 * HOUR)
        assert len(mailbox.letters()) == 51
        quiet = mailbox.letters()[-1]
        assert "Nothing for you, 11 May 2016, 12:00 to 11 May 2016, 13:00." in body(quiet)
        assert lines([quiet])[0][:3] == ("3", "10 May 2016, 13:00", "11 May 2016, 13:00")


async def test_the_groups_of_a_day_share_one_line(tmp_path: Path, mailbox: Mailbox) -> None:
    async with running_notify(tmp_path, smtp_url=mailbox.url, clock=starting("2016-05-08T12:00:00Z")) as notify:
        await subscribe(notify, group_by=["thread"])
        await notify.push(ALERT, revised(ALERT, 1, id="b", thread="another", status="raised"))
        await notify.at(16 * HOUR)
        await notify.at(LATER)
        assert len(mailbox.letters()) == 2
        assert len(lines(mailbox.letters())) == 1


async def test_the_line_waits_for_the_end_of_quiet_hours_with_the_alerts_and_without(
    tmp_path: Path, mailbox: Mailbox
) -> None:
    quiet = {"from": "22:00", "to": "09:00", "timezone": "Asia/Damascus"}
    async with running_notify(tmp_path, smtp_url=mailbox.url, clock=starting("2016-05-08T12:00:00Z")) as notify:
        await subscribe(notify, quiet_hours=quiet)
        await notify.push(ALERT)
        await notify.at(16 * HOUR + LATER)
        await notify.at(2 * HOUR - LATER - 1)
        assert mailbox.letters() == []
        await notify.at(1)
        assert [told[2] for told in lines(mailbox.letters())] == ["9 May 2016, 07:00"]
        assert "https://alerts.example.org/a/" in body(mailbox.letters()[0])
        await notify.at(22 * HOUR + LATER)
        assert len(mailbox.letters()) == 1
        await notify.at(2 * HOUR - LATER)
        assert [told[0] for told in lines(mailbox.letters())] == ["1", "2"]
        assert len(mailbox.letters()) == 2


async def test_where_nothing_is_gathered_daily_the_heartbeat_is_one_mail_a_day(
    tmp_path: Path, mailbox: Mailbox
) -> None:
    async with running_notify(tmp_path, smtp_url=mailbox.url) as notify:
        await subscribe(notify, mode="immediate")
        await subscribe(notify, mode={"digest": "P7D"}, channel={"type": "email", "to": "weekly@example.org"})
        for _ in range(3 * 24):
            await notify.at(HOUR)
        for address in ("desk@example.org", "weekly@example.org"):
            subjects = [letter.message["Subject"] for letter in mailbox.letters(address)]
            assert subjects == [f"Heartbeat {number}: 0 violations" for number in (1, 2, 3)]


async def test_a_subscription_that_changes_its_mode_keeps_its_count(tmp_path: Path, mailbox: Mailbox) -> None:
    async with running_notify(tmp_path, smtp_url=mailbox.url, clock=starting("2016-05-08T12:00:00Z")) as notify:
        id = await subscribe(notify, mode="immediate")
        await notify.at(DAY)
        await notify.call("PATCH", f"/v1/subscriptions/{id}", {"mode": DAILY}, key="tw_operator")
        await notify.at(DAY)
        await notify.at(16 * HOUR + LATER)
        await notify.call("PATCH", f"/v1/subscriptions/{id}", {"mode": "immediate"}, key="tw_operator")
        await notify.at(DAY)
        heads = [letter.message["Subject"] for letter in mailbox.letters()]
        assert (heads[0], heads[-1]) == ("Heartbeat 1: 0 violations", f"Heartbeat {len(heads)}: 0 violations")
        told = lines(mailbox.letters())
        assert [sequence for sequence, *_ in told] == [str(n) for n in range(2, len(heads))]


@pytest.mark.parametrize("alerts", [(), (ALERT,)])
async def test_a_line_that_did_not_arrive_is_seen_on_the_status_and_after_a_restart_too(
    tmp_path: Path, mailbox: Mailbox, alerts: tuple[Any, ...]
) -> None:
    clock = starting("2016-05-08T12:00:00Z")
    async with running_notify(tmp_path, smtp_url=mailbox.url, clock=clock) as notify:
        await subscribe(notify)
        await notify.push(*alerts)
        mailbox.answer("451 later")
        await notify.at(16 * HOUR + LATER)
        assert (notify.service.status()["missed_heartbeats"], notify.service.status()["state"]) == (1, "degraded")
    async with running_notify(tmp_path, smtp_url=mailbox.url, clock=clock) as notify:
        assert notify.service.status()["missed_heartbeats"] == 1
        mailbox.answer("250 OK")
        await notify.at(60)
        assert notify.service.status()["missed_heartbeats"] == 0
        arrived = notify.service.status()["last_heartbeat"]
        assert arrived is not None
    async with running_notify(tmp_path, smtp_url=mailbox.url, clock=clock) as notify:
        assert notify.service.status()["last_heartbeat"] == arrived
