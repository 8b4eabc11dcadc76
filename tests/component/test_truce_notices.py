"""Notices of truces from the registry to the webhook and the mail, told as a timeline. Source: the contract."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

from schemas.instants import parse_instant
from tests.component.assembled import Assembled, assembled
from tests.fakes import DrivenClock
from tests.parts.mail import Mailbox
from tests.parts.receiver import Answer, Receiver
from tests.scenario import registry_document

ALL: Final = ["truce.begins", {"truce.ends_in": "PT6H"}, "truce.extended", "truce.lapsed", "truce.disputed"]
ALEPPO: Final = "aleppo-calm"


def announced(id: str) -> dict[str, Any]:
    (truce,) = (one for one in registry_document()["truces"] if one["id"] == ALEPPO)
    (said,) = (one for one in truce["announcements"] if one["id"] == id)
    return dict(said)


def without_announcements() -> dict[str, Any]:
    """The worked example, before anything was announced of Aleppo."""
    document = registry_document()
    for truce in document["truces"]:
        if truce["id"] == ALEPPO:
            truce["announcements"] = []
    return document


async def announce(system: Assembled, *ids: str) -> None:
    for id in ids:
        await system.call("POST", f"/v1/truces/{ALEPPO}/announcements", announced(id))
    await system.at(1)


async def until(system: Assembled, moment: str) -> None:
    await system.at((parse_instant(moment) - system.clock.now()) / 1_000_000)


async def subscribe(system: Assembled, receiver: Receiver, **more: Any) -> str:
    draft = {"name": "Aleppo", "channel": {"type": "webhook", "url": receiver.url()}, "notices": ALL} | more
    made = await system.call("POST", "/v1/subscriptions", {"filter": {"truces": [ALEPPO]}} | draft)
    await system.settle()
    return str(made["id"])


def told(receiver: Receiver) -> list[tuple[Any, ...]]:
    """Type, announcement, end of the window, end as told before, of each notice that was taken."""
    return [
        (one.type.removeprefix("truce."), data["announcement"], _end(data["window"]), _end(data["before"]))
        for one in receiver.received()
        if one.type.startswith("truce.") and one.status == 200
        for data in [one.message["data"]]
    ]


def _end(window: Any) -> str | None:
    return None if window is None else str(window["to"])[5:16]


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[Assembled]:
    clock = DrivenClock(parse_instant("2016-05-04T12:00:00Z"))
    async with assembled(tmp_path, clock=clock, document=without_announcements()) as running:
        await running.at(1)
        yield running


async def test_aleppo_as_it_was_announced(system: Assembled, receiver: Receiver) -> None:
    await subscribe(system, receiver)
    await system.at(1)
    assert told(receiver) == []

    # 4 May, 17:30 UTC: the army declares 48 hours from 5 May 01:00 local time.
    await until(system, "2016-05-04T17:30:00Z")
    await announce(system, "army-20160504")
    assert told(receiver) == []

    # 18:00 UTC: Russia says until midnight: the accounts disagree. 19:00: so does the United States, as of the morning.
    await until(system, "2016-05-04T18:00:00Z")
    await announce(system, "russia-20160504")
    assert told(receiver) == [("disputed", "russia-20160504", "05-06T22:00", None)]
    await until(system, "2016-05-04T19:00:00Z")
    await announce(system, "us-20160504")
    assert sorted(told(receiver)[1:]) == [
        ("begins", "us-20160504", "05-06T22:00", None),
        ("disputed", "us-20160504", "05-06T22:00", "05-06T22:00"),
    ]
    (begins,) = (one.message["data"] for one in receiver.received() if one.type == "truce.begins")
    assert begins["window"]["from"] == "2016-05-03T21:01:00Z"
    assert begins["name"] == "Aleppo regime of calm"
    assert begins["cause"]["resources"] == [f"truces/{ALEPPO}"]

    # Six hours before the end, and then Russia extends it.
    await until(system, "2016-05-06T16:00:00Z")
    assert told(receiver)[3:] == [("ends_in", "army-20160504", "05-06T22:00", None)]
    await until(system, "2016-05-06T20:00:00Z")
    await announce(system, "russia-20160506")
    assert told(receiver)[4:] == [("extended", "russia-20160506", "05-09T21:01", "05-06T22:00")]

    # It nears its end again; the army's extension leaves a gap of an hour.
    await until(system, "2016-05-09T15:01:00Z")
    assert told(receiver)[5:] == [("ends_in", "russia-20160506", "05-09T21:01", None)]
    await until(system, "2016-05-09T20:00:00Z")
    await announce(system, "army-20160509")
    assert told(receiver)[6:] == [("extended", "army-20160509", "05-11T21:00", "05-09T21:01")]
    await until(system, "2016-05-09T21:01:00Z")
    assert told(receiver)[7:] == [("lapsed", "russia-20160506", "05-09T21:01", None)]
    await until(system, "2016-05-09T22:00:00Z")
    assert told(receiver)[8:] == [("begins", "army-20160509", "05-11T21:00", None)]

    # The army's extension was entered in error.
    withdrawal = {"id": "w", "issuer": "syrian-government", "action": "withdraw", "withdraws": "army-20160509"}
    await system.call(
        "POST", f"/v1/truces/{ALEPPO}/announcements", withdrawal | {"announced_at": "2016-05-10T06:00:00Z"}
    )
    await system.at(1)
    assert sorted(told(receiver)[9:]) == [
        ("begins", None, None, "05-11T21:00"),
        ("extended", None, None, "05-11T21:00"),
    ]
    await system.at(7 * 86_400)
    assert len(told(receiver)) == 11


async def test_an_extension_after_the_lapse_corrects_it(system: Assembled, receiver: Receiver) -> None:
    await subscribe(system, receiver, notices=["truce.lapsed"])
    await announce(system, "army-20160504")
    await until(system, "2016-05-06T22:00:00Z")
    assert told(receiver) == [("lapsed", "army-20160504", "05-06T22:00", None)]
    late = {"id": "late", "issuer": "syrian-government", "action": "extend", "duration": "PT24H"}
    await system.call("POST", f"/v1/truces/{ALEPPO}/announcements", late | {"announced_at": "2016-05-07T06:00:00Z"})
    await system.at(1)
    assert told(receiver)[1:] == [("lapsed", "late", "05-07T22:00", "05-06T22:00")]
    await until(system, "2016-05-07T22:00:00Z")
    assert told(receiver)[2:] == [("lapsed", "late", "05-07T22:00", None)]


async def test_each_subscription_hears_of_its_truces_and_of_what_it_asked_for(
    system: Assembled, receiver: Receiver
) -> None:
    await subscribe(system, receiver, notices=["truce.begins"], filter={"truces": ["latakia-calm"]})
    await subscribe(system, receiver, notices=["truce.begins"], filter={"areas": ["aleppo-city"]}, name="by area")
    await subscribe(system, receiver, notices=[], name="none")
    await announce(system, "army-20160504")
    await until(system, "2016-05-04T22:00:00Z")
    assert told(receiver) == [("begins", "army-20160504", "05-06T22:00", None)]


async def test_a_new_subscription_hears_nothing_of_the_past(system: Assembled, receiver: Receiver) -> None:
    await announce(system, "army-20160504")
    await until(system, "2016-05-05T00:00:00Z")
    await subscribe(system, receiver)
    await system.at(60)
    assert told(receiver) == []
    await until(system, "2016-05-06T16:00:00Z")
    await until(system, "2016-05-06T22:00:00Z")
    assert [one[0] for one in told(receiver)] == ["ends_in", "lapsed"]


async def test_quiet_hours_hold_a_notice_and_what_no_longer_holds_is_not_told(
    system: Assembled, receiver: Receiver
) -> None:
    quiet = {"from": "00:00", "to": "06:00", "timezone": "Asia/Damascus"}
    await subscribe(system, receiver, notices=["truce.begins", "truce.lapsed"], quiet_hours=quiet)
    await announce(system, "army-20160504")
    await until(system, "2016-05-04T22:00:00Z")
    assert told(receiver) == []
    await until(system, "2016-05-05T03:00:00Z")
    assert [one[0] for one in told(receiver)] == ["begins"]


async def test_a_restart_repeats_and_loses_nothing(tmp_path: Path, receiver: Receiver) -> None:
    clock = DrivenClock(parse_instant("2016-05-04T12:00:00Z"))
    async with assembled(tmp_path, clock=clock, document=without_announcements()) as system:
        await system.at(1)
        await subscribe(system, receiver)
        await announce(system, "army-20160504")
        receiver.answer("/hook", Answer(status=500), Answer())
        await until(system, "2016-05-04T22:00:00Z")
        assert told(receiver) == []
    async with assembled(tmp_path, clock=clock, document=None) as system:
        await system.at(60)
        assert [one[0] for one in told(receiver)] == ["begins"]
    await clock.advance(43 * 3600)
    async with assembled(tmp_path, clock=clock, document=None) as system:
        await system.at(20)
        assert [one[0] for one in told(receiver)] == ["begins", "ends_in"]
        await until(system, "2016-05-06T22:00:00Z")
        assert [one[0] for one in told(receiver)] == ["begins", "ends_in", "lapsed"]


@pytest.mark.parametrize(
    ("language", "subject"),
    [
        ("en", "Aleppo regime of calm: in force"),
        ("ar", "نظام التهدئة في حلب: سارٍ"),
        ("ru", "режим тишины в Халебе: действует"),
    ],
)
async def test_notices_go_by_mail_in_three_languages(
    tmp_path: Path, smtp: Mailbox, language: str, subject: str
) -> None:
    clock = DrivenClock(parse_instant("2016-05-04T12:00:00Z"))
    async with assembled(tmp_path, clock=clock, document=without_announcements(), smtp_url=smtp.url) as system:
        await system.at(1)
        draft = {"name": "Mail", "channel": {"type": "email", "to": "desk@example.org"}, "verified": True}
        await system.call("POST", "/v1/subscriptions", draft | {"language": language, "notices": ["truce.begins"]})
        await system.settle()
        await announce(system, "army-20160504")
        await until(system, "2016-05-04T22:00:00Z")
        (letter,) = smtp.letters("desk@example.org")
        assert letter.message["Subject"] == subject
        body = letter.message.get_body(("plain",))
        assert body is not None
        assert "A truce in Aleppo for 48 hours from 1:00 am on Thursday." in body.get_content()


async def test_faults_in_what_is_asked_for_are_refused(system: Assembled) -> None:
    draft = {"channel": {"type": "email", "to": "desk@example.org"}}
    for notices, pointer in (
        ([{"truce.ends_in": "soon"}], "/notices/0/truce.ends_in"),
        (["truce.ends_in", {"truce.ends_in": "PT1H"}], "/notices"),
        (["truce.forgotten"], "/notices/0"),
    ):
        answer = await system.api.post(
            "/v1/subscriptions",
            json=draft | {"notices": notices},
            headers={"authorization": f"Bearer {'tw_' + 'k' * 43}"},
        )
        assert answer.status_code == 422, answer.text
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
