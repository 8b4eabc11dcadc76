"""Nobody is mailed who did not ask: confirmations, their limits, the link that blocks, and mail without a relay."""

import asyncio
from pathlib import Path
from typing import Any

from services.notify.sql.blocks import SqlBlocks
from services.notify.sql.confirmations import count_foreign
from services.notify.sql.seal_anew import seal_anew
from services.platform.paging import PageQuery
from services.platform.security.sealing import Sealer
from tests.component.notify.running import RunningNotify, hook, link_in, revised, running_notify
from tests.fakes import DrivenClock
from tests.parts.mail import Mailbox
from tests.parts.receiver import Answer, Receiver
from tests.unit.notify.samples import ALERT

READER = "reader@example.org"


def mail(to: str = READER, **more: Any) -> dict[str, Any]:
    return {"name": "Desk", "channel": {"type": "email", "to": to}} | more


async def status(notify: RunningNotify, id: str) -> str:
    return str((await notify.get(f"/v1/subscriptions/{id}", key="tw_operator"))["status"])


async def keep_alive(notify: RunningNotify) -> None:
    await notify.service.state["keep_alive"](notify.clock.now())
    await notify.settle()


async def test_an_address_gets_nothing_but_the_confirmation_until_its_reader_confirms(
    database_url: str, tmp_path: Path, smtp: Mailbox
) -> None:
    async with running_notify(tmp_path, url=database_url, smtp_url=smtp.url) as notify:
        id = (await notify.subscribe(**mail(heartbeat="PT1H")))["id"]
        silence = {
            "matchers": [{"name": "act", "value": "arrest"}], "ends_at": "2016-05-08T12:30:00Z", "reason": "exercise",
        }  # fmt: skip
        assert (await notify.call("POST", "/v1/silences", silence)).status_code == 201
        await notify.push(ALERT)
        assert (await notify.call("POST", f"/v1/subscriptions/{id}/test")).status_code == 409
        (delivery,) = (await notify.get(f"/v1/subscriptions/{id}/deliveries"))["items"]
        path = f"/v1/subscriptions/{id}/deliveries/{delivery['id']}/resend"
        assert (await notify.call("POST", path)).status_code == 409
        await notify.at(2 * 3600)
        await keep_alive(notify)
        assert len(smtp.letters()) == 1
        await notify.confirm(smtp, READER)
        await notify.push(revised(ALERT, 1, id="b", status="raised"))
        assert [letter.recipients for letter in smtp.letters()[1:]] == [(READER,)]


async def test_three_confirmations_a_day_go_to_one_address_whoever_asks(
    database_url: str, tmp_path: Path, smtp: Mailbox
) -> None:
    async with running_notify(tmp_path, url=database_url, smtp_url=smtp.url) as notify:
        id = (await notify.subscribe(**mail()))["id"]
        await notify.at(3600)
        assert (await notify.call("POST", f"/v1/subscriptions/{id}/verify")).status_code == 202
        await notify.subscribe("tw_other", **mail("Reader@EXAMPLE.org"))
        for key in ("tw_monitor", "tw_other", "tw_operator"):
            refused = await notify.call("POST", "/v1/subscriptions", mail(), key=key)
            assert (refused.status_code, refused.headers["retry-after"]) == (429, str(23 * 3600))
        assert (await notify.call("POST", f"/v1/subscriptions/{id}/verify")).status_code == 429
        await notify.settle()
        assert len(smtp.letters()) == 3
        await notify.at(23 * 3600)
        assert (await notify.call("POST", f"/v1/subscriptions/{id}/verify")).status_code == 202
        await notify.settle()
        assert len(smtp.letters()) == 4


async def test_three_confirmations_a_day_also_where_many_ask_at_once(
    database_url: str, tmp_path: Path, smtp: Mailbox
) -> None:
    async with running_notify(tmp_path, url=database_url, smtp_url=smtp.url) as notify:
        asked = [notify.call("POST", "/v1/subscriptions", mail(), key=f"tw_{n}") for n in ("monitor", "other") * 5]
        answers = [answer.status_code for answer in await asyncio.gather(*asked)]
        await notify.settle()
        assert sorted(answers) == [201] * 3 + [429] * 7
        assert len(smtp.letters()) == 3


async def test_the_link_blocks_the_address_for_good_until_an_operator_lifts_it(
    database_url: str, tmp_path: Path, smtp: Mailbox, receiver: Receiver
) -> None:
    async with running_notify(tmp_path, url=database_url, smtp_url=smtp.url) as notify:
        mine = (await notify.subscribe(**mail()))["id"]
        await notify.confirm(smtp, READER)
        pending = (await notify.subscribe("tw_other", **mail()))["id"]
        block = link_in(smtp.letters(READER)[-1], "block")
        named = (await notify.subscribe("tw_other", **hook(receiver, contact=READER)))["id"]
        await notify.confirm(smtp, READER)
        page = await notify.call("GET", block, key=None)
        assert (page.status_code, page.headers["x-content-type-options"]) == (200, "nosniff")
        assert READER in page.text
        assert await status(notify, mine) == "active"  # scanners follow links; only the button blocks
        for _ in range(2):
            assert (await notify.call("POST", block, key=None)).status_code == 200
        smtp.forget()
        assert [await status(notify, id) for id in (mine, pending, named)] == ["gone", "gone", "active"]
        assert (await notify.get(f"/v1/subscriptions/{named}", key="tw_other"))["contact_status"] == "blocked"
        await notify.at(30 * 86400)
        await notify.push(ALERT)
        receiver.answer("/hook", Answer(status=410))
        await notify.push(revised(ALERT, 1, id="b", status="raised"))
        for key, path, body in (
            ("tw_monitor", "/v1/subscriptions", mail(READER.upper())),
            ("tw_operator", "/v1/subscriptions", mail(verified=True)),
            ("tw_monitor", f"/v1/subscriptions/{mine}/verify", None),
            ("tw_monitor", f"/v1/subscriptions/{mine}/recover", {"since": "2016-01-01T00:00:00Z"}),
            ("tw_other", f"/v1/subscriptions/{named}/verify", None),
        ):
            assert (await notify.call("POST", path, body, key=key)).status_code == 409, path
        refused = await notify.call("POST", "/v1/subscriptions", hook(receiver, contact=READER))
        assert [error["pointer"] for error in refused.json()["errors"]] == ["/contact"]
        await keep_alive(notify)
        assert smtp.letters() == []

        assert (await notify.call("GET", "/v1/mail-blocks")).status_code == 403
        (found,) = (await notify.get("/v1/mail-blocks", key="tw_operator"))["items"]
        assert found["address"] == READER
        lifted = [await notify.call("DELETE", f"/v1/mail-blocks/{found['id']}", key="tw_operator") for _ in range(2)]
        assert [answer.status_code for answer in lifted] == [204, 404]
        recover = await notify.call("POST", f"/v1/subscriptions/{mine}/recover", {"since": "2016-01-01T00:00:00Z"})
        assert recover.status_code == 409  # its consent ended with the block
        await notify.call("POST", f"/v1/subscriptions/{mine}/verify")
        await notify.settle()
        await notify.confirm(smtp, READER)
        assert await status(notify, mine) == "active"


async def test_a_contact_address_is_mailed_only_once_its_reader_has_confirmed(
    database_url: str, tmp_path: Path, smtp: Mailbox, receiver: Receiver
) -> None:
    async with running_notify(tmp_path, url=database_url, smtp_url=smtp.url) as notify:
        first = (await notify.subscribe(**hook(receiver, "/1", contact="first@example.org")))["id"]
        second = (await notify.subscribe(**hook(receiver, "/2", contact="second@example.org")))["id"]
        await notify.confirm(smtp, "second@example.org")
        assert [(await notify.get(f"/v1/subscriptions/{id}"))["contact_status"] for id in (first, second)] == [
            "asked", "confirmed",
        ]  # fmt: skip
        smtp.forget()
        for path in ("/1", "/2"):
            receiver.answer(path, Answer(status=410))
        await notify.push(ALERT)
        await notify.settle()
        assert [letter.recipients for letter in smtp.letters()] == [("second@example.org",)]


async def test_another_contact_is_asked_anew_and_one_that_agreed_to_its_owner_is_not(
    database_url: str, tmp_path: Path, smtp: Mailbox, receiver: Receiver
) -> None:
    async with running_notify(tmp_path, url=database_url, smtp_url=smtp.url) as notify:
        id = (await notify.subscribe(**hook(receiver, contact=READER)))["id"]
        await notify.confirm(smtp, READER)
        await notify.subscribe(**hook(receiver, "/2", contact=READER.title()))
        await notify.subscribe("tw_other", **hook(receiver, "/3", contact=READER))
        assert len(smtp.letters()) == 2  # its owner has its consent, another owner has not
        changed = await notify.call("PATCH", f"/v1/subscriptions/{id}", {"contact": "new@example.org"})
        assert changed.json()["contact_status"] == "asked"
        await notify.settle()
        assert [letter.recipients for letter in smtp.letters()[2:]] == [("new@example.org",)]
        assert (await notify.call("PATCH", f"/v1/subscriptions/{id}", {"name": "Renamed"})).status_code == 200
        await notify.settle()
        assert len(smtp.letters()) == 3


async def test_mail_without_a_relay_is_pending_with_the_reason_and_goes_on_when_a_relay_comes(
    database_url: str, tmp_path: Path, smtp: Mailbox, receiver: Receiver
) -> None:
    clock = DrivenClock()
    async with running_notify(tmp_path, url=database_url, clock=clock) as notify:
        made = await notify.subscribe(**mail())
        trusted = await notify.subscribe("tw_operator", **mail("duty@example.org", verified=True))
        named = await notify.subscribe(**hook(receiver, contact="contact@example.org"))
        assert [m["status"] for m in (made, trusted)] == ["pending", "pending"]
        assert "TRUCEWATCH_SMTP_URL" in made["status_reason"]
        assert "TRUCEWATCH_SMTP_URL" in (await notify.get(f"/v1/subscriptions/{made['id']}"))["status_reason"]
        await notify.at(7 * 86400)
        await keep_alive(notify)
        assert [await status(notify, m["id"]) for m in (made, trusted)] == ["pending", "pending"]
    async with running_notify(tmp_path, url=database_url, clock=clock, smtp_url=smtp.url) as notify:
        for _ in range(2):
            await keep_alive(notify)
        assert sorted(to for letter in smtp.letters() for to in letter.recipients) == [
            "contact@example.org", READER,
        ]  # fmt: skip
        assert await status(notify, trusted["id"]) == "active"
        await notify.confirm(smtp, READER)
        await notify.confirm(smtp, "contact@example.org")
        assert await status(notify, made["id"]) == "active"
        assert (await notify.get(f"/v1/subscriptions/{named['id']}"))["contact_status"] == "confirmed"
    async with running_notify(tmp_path, url=database_url, clock=clock) as notify:
        assert await status(notify, made["id"]) == "failing"  # proved, but the relay was taken away


async def test_recovery_makes_nothing_active_that_was_never_proved(
    database_url: str, tmp_path: Path, smtp: Mailbox
) -> None:
    async with running_notify(tmp_path, url=database_url, smtp_url=smtp.url) as notify:
        id = (await notify.subscribe(**mail()))["id"]
        await notify.call("POST", "/v1/bounces", {"type": "bounce", "address": READER}, key="tw_operator")
        assert await status(notify, id) == "gone"
        answer = await notify.call("POST", f"/v1/subscriptions/{id}/recover", {"since": "2016-01-01T00:00:00Z"})
        assert answer.status_code == 409
        assert await status(notify, id) == "gone"


async def test_a_block_outlives_the_key_that_encrypted_it(database_url: str, tmp_path: Path, smtp: Mailbox) -> None:
    async with running_notify(tmp_path, url=database_url, smtp_url=smtp.url) as notify:
        await notify.subscribe(**mail())
        await notify.call("POST", link_in(smtp.letters()[-1], "block"), key=None)
        database, old = notify.runtime.database, notify.runtime.settings.secret_keys
        new = b"n" * 32
        await seal_anew(database, Sealer([new, *old]))
        (found,) = await SqlBlocks(database, Sealer([new])).page(PageQuery())
        assert found.address == READER
        assert await database.read(lambda connection: count_foreign(connection, Sealer([new]))) == 0
        await seal_anew(database, Sealer([*old, new]))
