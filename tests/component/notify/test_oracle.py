"""A monitor who sees a failed attempt learns nothing of the names and addresses inside; an operator sees all."""

from pathlib import Path
from typing import get_args

import pytest

from schemas.instants import DAY
from services.notify.decisions.attempts import OUTLASTED
from services.notify.domain.delivery import Failure
from services.notify.http.wire import view_delivery
from services.notify.kinds.catalogue import find_kind
from services.notify.use_cases.history import Attempted, Delivered, in_general
from tests.component.notify.running import revised, running_notify
from tests.parts.mail import Mailbox
from tests.parts.process import free_port
from tests.parts.receiver import Receiver
from tests.unit.notify.samples import ALERT

INSIDE = "10.1.2.3"


def failed(failure: Failure, reason: str, latency: int = 5) -> Delivered:
    attempt = Attempted(1, 0, None, failure, latency, reason, b"")
    return Delivered("msg_1", find_kind("alert"), "pending", "raised", "a", 1, 0, 1, None, (attempt,))


@pytest.mark.parametrize("failure", get_args(Failure))
def test_a_general_reason_holds_nothing_of_the_detail(failure: Failure) -> None:
    (attempt,) = view_delivery(in_general(failed(failure, f"no answer: {failure}: {INSIDE} is not public"))).attempts
    assert INSIDE not in attempt.reason
    assert attempt.reason


def test_a_name_that_is_unknown_and_one_that_is_refused_look_alike() -> None:
    unknown = failed("unresolved", "no answer: unresolved: no such name", latency=9_000)
    refused = failed("refused", f"no answer: refused: {INSIDE} is not public (private)", latency=40)
    assert view_delivery(in_general(unknown)) == view_delivery(in_general(refused))


def test_what_was_answered_is_shown_as_it_was() -> None:
    answered = Delivered(
        "msg_1",
        find_kind("alert"),
        "pending",
        "raised",
        "a",
        1,
        0,
        1,
        None,
        (Attempted(1, 0, 503, None, 5, "answered 503", b"x"),),
    )
    assert in_general(answered) == answered


async def test_a_monitor_sees_no_address_that_its_endpoint_resolves_to_and_an_operator_does(tmp_path: Path) -> None:
    with Receiver() as receiver, Mailbox() as mailbox:
        async with running_notify(tmp_path, smtp_url=mailbox.url) as notify:
            here = receiver.url("/hook").replace("127.0.0.1", "localhost")
            channel = {"type": "webhook", "url": here}
            id = (await notify.subscribe(name="Desk", channel=channel, contact="desk@example.org"))["id"]
            await notify.confirm(mailbox, "desk@example.org")
            gone = {"type": "webhook", "url": f"http://localhost:{free_port()}/hook"}
            changed = await notify.call(
                "PATCH", f"/v1/subscriptions/{id}", {"channel": gone, "verified": True}, key="tw_operator"
            )
            assert changed.json()["status"] == "active"
            await notify.push(ALERT)
            paths = (
                f"/v1/subscriptions/{id}", f"/v1/subscriptions/{id}/deliveries",
                f"/v1/alerts/{ALERT.id}/trace?subscription={id}",
            )  # fmt: skip
            for path in paths:
                shown = (await notify.call("GET", path)).text
                assert "could not connect" in shown, path
                assert "127.0.0.1" not in shown, path
            for path in paths[1:]:
                assert "127.0.0.1" in (await notify.call("GET", path, key="tw_operator")).text
            mailbox.forget()
            for day in range(OUTLASTED // DAY + 2):
                await notify.push(revised(ALERT, 1, id=f"a{day}", status="raised"))
                await notify.at(86_400)
            (notice,) = mailbox.letters("desk@example.org")
            assert "127.0.0.1" not in notice.raw.decode()
            assert "could not connect" in notice.raw.decode()
