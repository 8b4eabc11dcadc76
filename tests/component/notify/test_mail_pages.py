"""Pages that a mail leads to speak the reader's language: as asked for, else the browser's, else the subscription's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.component.notify.running import RunningNotify, link_in, running_notify
from tests.parts.mail import Mailbox
from tests.unit.notify.samples import ALERT

DESK = {"type": "email", "to": "desk@example.org"}
CONFIRM = {
    "en": "Alerts for “Mail desk” will be sent to desk@example.org.",
    "ar": "ستُرسل تنبيهات الاشتراك «\u200fMail desk\u200f» إلى \u200fdesk@example.org\u200f.",
    "ru": "Оповещения по подписке «Mail desk» будут отправляться на desk@example.org.",
}
UNSUBSCRIBED = {
    "en": "Nothing more is sent to",
    "ar": "لا يُرسل شيء بعد الآن إلى",
    "ru": "больше ничего не отправляется",
}
BLOCKED = {"en": "Only an operator can lift this", "ar": "ولا يرفع الحظر إلا المشغّل", "ru": "может только оператор"}


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as found:
        yield found


async def look(notify: RunningNotify, path: str, accept: str = "", method: str = "GET") -> httpx.Response:
    return await notify.api.request(method, path, headers={"accept-language": accept})


async def asked(notify: RunningNotify, mailbox: Mailbox, page: str, **more: Any) -> str:
    await notify.subscribe(**{"name": "Mail desk", "channel": DESK, **more})
    (letter,) = await mailbox.arrived(1, 5, "desk@example.org")
    return link_in(letter, page)


@pytest.mark.parametrize(("language", "direction"), [("en", "ltr"), ("ar", "rtl"), ("ru", "ltr")])
async def test_confirming_and_unsubscribing_in_each_language(
    tmp_path: Path, mailbox: Mailbox, language: str, direction: str
) -> None:
    async with running_notify(tmp_path, smtp_url=mailbox.url) as notify:
        path = await asked(notify, mailbox, "confirm")
        page = await look(notify, f"{path}&language={language}", "fr")
        assert f'<html lang="{language}" dir="{direction}">' in page.text
        assert CONFIRM[language] in page.text
        assert page.headers["content-language"] == language
        assert "accept-language" in page.headers["vary"]
        assert CONFIRM[language] in (await look(notify, path, language, "POST")).text
        await notify.push(ALERT)
        letters = await mailbox.arrived(2, 5)
        one_click = letters[1].message["List-Unsubscribe"].strip("<>").removeprefix("https://alerts.example.org")
        assert "<button" in (await look(notify, one_click, language)).text
        assert UNSUBSCRIBED[language] in (await look(notify, one_click, language, "POST")).text


@pytest.mark.parametrize("language", ["en", "ar", "ru"])
async def test_blocking_in_each_language(tmp_path: Path, mailbox: Mailbox, language: str) -> None:
    async with running_notify(tmp_path, smtp_url=mailbox.url) as notify:
        path = await asked(notify, mailbox, "block")
        assert "<button" in (await look(notify, path, language)).text
        assert BLOCKED[language] in (await look(notify, path, language, "POST")).text


async def test_without_a_wish_the_page_speaks_the_language_of_the_subscription(
    tmp_path: Path, mailbox: Mailbox
) -> None:
    async with running_notify(tmp_path, smtp_url=mailbox.url) as notify:
        path = await asked(notify, mailbox, "confirm", language="ar")
        assert 'lang="ar" dir="rtl"' in (await look(notify, path)).text
        assert 'lang="ru"' in (await look(notify, path, "ru")).text
        assert (await look(notify, f"{path}&language=tr")).status_code == 400


async def test_a_link_that_is_not_valid_says_so_in_the_readers_language(tmp_path: Path) -> None:
    async with running_notify(tmp_path) as notify:
        for page in ("confirm", "block", "unsubscribe"):
            answer = await look(notify, f"/v1/{page}?token=x", "ru")
            assert (answer.status_code, "больше не действует" in answer.text) == (404, True)


async def test_a_name_is_text_and_never_markup(tmp_path: Path, mailbox: Mailbox) -> None:
    async with running_notify(tmp_path, smtp_url=mailbox.url) as notify:
        path = await asked(notify, mailbox, "confirm", name="<b>\u202e{address}</b>")
        page = (await look(notify, path)).text
        assert "&lt;b&gt;{address}&lt;/b&gt;" in page
        assert "\u202e" not in page
