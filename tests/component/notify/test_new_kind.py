"""A kind of message that only this test has: registered, it goes its whole way with no other line of the service."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.notify.kinds import catalogue
from services.notify.kinds.kind import Kind, Material
from services.notify.render.json import write_body
from services.notify.render.page import MessagePage
from services.notify.sql.history import SqlHistory
from tests.component.notify.running import RunningNotify, hook, running_notify
from tests.parts.mail import Mailbox
from tests.parts.receiver import Answer, Receiver, signature_holds

MAIL = {"name": "Desk", "channel": {"type": "email", "to": "desk@example.org"}, "verified": True}


def _body(made: Material) -> bytes:
    return write_body("shift.begins", made.job.created_at, made.job.read(dict[str, str]))


def _page(made: Material) -> MessagePage:
    who = made.job.read(dict[str, str])["who"]
    return MessagePage(subject=f"{who} begins", title="A shift begins", preview="", lead=(who,))


@pytest.fixture
def kind() -> Iterator[Kind]:
    made = Kind("shift.begins", bodies={"json": _body}, page=_page)
    catalogue.register(made)
    yield made
    catalogue.unregister(made)


async def tell(notify: RunningNotify, kind: Kind, subscription: str) -> None:
    await notify.clock.advance(1)
    job = kind.make(subscription, notify.clock.now(), content={"who": "Aya"})
    await SqlHistory(notify.runtime.database).add([job])
    await notify.settle()


async def last_delivery(notify: RunningNotify, subscription: str) -> Any:
    return (await notify.get(f"/v1/subscriptions/{subscription}/deliveries", key="tw_operator"))["items"][0]


async def test_a_new_kind_goes_by_webhook_and_by_mail(
    tmp_path: Path, receiver: Receiver, smtp: Mailbox, kind: Kind
) -> None:
    async with running_notify(tmp_path, smtp_url=smtp.url) as notify:
        made = await notify.subscribe(**hook(receiver, format="cap"))
        await tell(notify, kind, made["id"])
        (sent,) = receiver.received()
        assert (sent.type, sent.message["data"]) == ("shift.begins", {"who": "Aya"})
        assert signature_holds(made["secret"], sent.headers, sent.body)
        shown = await last_delivery(notify, made["id"])
        assert (shown["type"], shown["status"]) == ("shift.begins", "delivered")

        mailed = (await notify.subscribe("tw_operator", **MAIL))["id"]
        await tell(notify, kind, mailed)
        (letter,) = smtp.letters("desk@example.org")
        assert letter.message["Subject"] == "Aya begins"
        assert "/v1/unsubscribe?token=" in letter.message["List-Unsubscribe"]
        assert (await last_delivery(notify, mailed))["status"] == "delivered"


async def test_it_waits_for_an_endpoint_that_is_off_and_is_recovered(
    tmp_path: Path, receiver: Receiver, kind: Kind
) -> None:
    async with running_notify(tmp_path) as notify:
        id = (await notify.subscribe(**hook(receiver)))["id"]
        receiver.answer("/hook", Answer(status=410), Answer())
        await notify.call("POST", f"/v1/subscriptions/{id}/test")
        await notify.settle()
        await tell(notify, kind, id)
        assert (await last_delivery(notify, id))["status"] == "held"
        await notify.call("POST", f"/v1/subscriptions/{id}/recover", {"since": "2016-01-01T00:00:00Z"})
        await notify.settle()
        assert "shift.begins" in [sent.type for sent in receiver.received()]


async def test_a_kind_that_only_another_release_knows_fails_and_the_others_are_sent(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path) as notify:
        id = (await notify.subscribe(**hook(receiver)))["id"]
        await tell(notify, Kind("of.tomorrow"), id)
        unknown = await last_delivery(notify, id)
        assert (unknown["type"], unknown["status"], len(unknown["attempts"])) == ("of.tomorrow", "pending", 1)
        await notify.call("POST", f"/v1/subscriptions/{id}/test")
        await notify.settle()
        assert [sent.type for sent in receiver.received()] == ["test"]


def test_a_name_stands_for_one_kind_that_goes_somewhere(kind: Kind) -> None:
    with pytest.raises(ValueError, match="already"):
        catalogue.register(Kind("shift.begins", page=_page))
    with pytest.raises(ValueError, match="neither"):
        catalogue.register(Kind("of.tomorrow"))
