"""The link of a message opens its alert as it stands now, for its recipient, for a while, and nothing else."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import pytest

from schemas.assessments import ResolvedPlace
from tests.component.notify.running import RunningNotify, hook, revised, running_notify
from tests.parts.mail import Mailbox, ReceivedMail
from tests.parts.receiver import Receiver
from tests.unit.notify.samples import ALERT, NASTY, UPDATE_CHANGES

DESK: Final = {"channel": {"type": "email", "to": "desk@example.org"}, "name": "Mail desk", "verified": True}
DAY: Final = 24 * 3600
OTHER: Final = msgspec.structs.replace(ALERT, id="alr_another", incident_id="inc_another")


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as found:
        yield found


def links(letter: ReceivedMail) -> list[str]:
    """The paths of the links to alerts in a mail; text and HTML have the same."""
    found = []
    for kind in ("plain", "html"):
        body = letter.message.get_body((kind,))
        assert body is not None
        found.append(re.findall(r"https://alerts\.example\.org(/a/[\w-]+)", body.get_content()))
    assert found[0] == found[1]
    return found[0]


async def told(notify: RunningNotify, mailbox: Mailbox, **draft: Any) -> str:
    """The link of the mail about the first revision."""
    await notify.subscribe("tw_operator", **DESK | draft)
    await notify.push(ALERT)
    (letter,) = await mailbox.arrived(1, 5, "desk@example.org")
    (link,) = links(letter)
    return link


async def look(notify: RunningNotify, path: str, **headers: str) -> httpx.Response:
    return await notify.api.get(path, headers=headers)


async def opens_nothing(notify: RunningNotify, path: str) -> bool:
    """Whether the page, JSON and CAP are refused, as any other link that is void."""
    void = await look(notify, "/a/none")
    answers = [await look(notify, path + form) for form in ("", "/json", "/cap")]
    assert void.status_code == 404
    return {(one.status_code, one.text) for one in answers} == {(404, void.text)}


async def test_a_mail_leads_to_its_alert_without_a_key(tmp_path: Path, mailbox: Mailbox) -> None:
    async with running_notify(tmp_path, smtp_url=mailbox.url) as notify:
        link = await told(notify, mailbox)
        page = await look(notify, link)
        assert page.status_code == 200
        assert "Violation: shelling, Midan, Aleppo, 8 May 2016; 1 killed" in page.text
        assert "“opposition fighters” is an umbrella name." in page.text
        assert "Nothing has changed since the message." in page.text
        assert 'aria-label="Map: Midan, Aleppo"' in page.text
        assert "<circle" in page.text
        assert "<script" not in page.text
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["x-robots-tag"] == "noindex"
        assert page.headers["cache-control"] == "no-store"
        assert "unsafe" not in page.headers["content-security-policy"]
        assert (await look(notify, f"{link}/json")).json() == await notify.get(f"/v1/alerts/{ALERT.id}")
        as_cap = await notify.api.get(
            f"/v1/alerts/{ALERT.id}",
            headers={"accept": "application/cap+xml", "authorization": "Bearer tw_monitor"},
        )
        by_link = await look(notify, f"{link}/cap")
        assert (by_link.headers["content-type"], by_link.content) == (as_cap.headers["content-type"], as_cap.content)


async def test_the_page_tells_what_changed_since_the_message(tmp_path: Path, mailbox: Mailbox) -> None:
    async with running_notify(tmp_path, smtp_url=mailbox.url) as notify:
        first = await told(notify, mailbox)
        await notify.push(revised(ALERT, 2, severity="Extreme", changes=UPDATE_CHANGES))
        letters = await mailbox.arrived(2, 5, "desk@example.org")
        (second,) = links(letters[1])
        page = (await look(notify, first)).text
        assert "Updated · extreme" in page
        assert "Nothing has changed" not in page
        assert page.count("<li>\n        <h3>") == 1
        assert "Nothing has changed since the message." in (await look(notify, second)).text
        await notify.push(revised(ALERT, 3, status="cancelled", verdict="not_covered"))
        for link in (first, second):
            assert "This alert no longer holds." in (await look(notify, link)).text
        assert (await look(notify, f"{first}/json")).json()["revision"] == 3


@pytest.mark.parametrize(
    ("language", "direction", "said"),
    [("en", "ltr", "Map"), ("ar", "rtl", "كان نظام التهدئة ساريًا."), ("ru", "ltr", "Режим тишины действовал.")],
)
async def test_the_page_speaks_the_language_of_the_recipient(
    tmp_path: Path, mailbox: Mailbox, language: str, direction: str, said: str
) -> None:
    async with running_notify(tmp_path, smtp_url=mailbox.url) as notify:
        link = await told(notify, mailbox, language=language)
        page = await look(notify, link, **{"accept-language": "en"})
        assert f'<html lang="{language}" dir="{direction}">' in page.text
        assert said in page.text
        assert page.headers["content-language"] == language
        assert 'lang="ru"' in (await look(notify, f"{link}?language=ru")).text
        assert (await look(notify, f"{link}?language=tr")).status_code == 400


async def test_a_link_ends_after_ninety_days(tmp_path: Path, mailbox: Mailbox) -> None:
    async with running_notify(tmp_path, smtp_url=mailbox.url) as notify:
        link = await told(notify, mailbox)
        await notify.clock.advance(90 * DAY - 1)
        assert (await look(notify, link)).status_code == 200
        await notify.clock.advance(1)
        assert await opens_nothing(notify, link)


async def test_a_link_ends_with_its_subscription(tmp_path: Path, mailbox: Mailbox) -> None:
    async with running_notify(tmp_path, smtp_url=mailbox.url) as notify:
        link = await told(notify, mailbox)
        letter = mailbox.letters()[-1]
        leave = letter.message["List-Unsubscribe"].strip("<>").removeprefix("https://alerts.example.org")
        await notify.api.post(leave)
        assert await opens_nothing(notify, link)


async def test_a_link_ends_where_the_subscription_gets_another_address(tmp_path: Path, mailbox: Mailbox) -> None:
    async with running_notify(tmp_path, smtp_url=mailbox.url) as notify:
        link = await told(notify, mailbox)
        (made,) = (await notify.get("/v1/subscriptions", key="tw_operator"))["items"]
        moved = {"channel": {"type": "email", "to": "somebody@example.org"}}
        answer = await notify.call("PATCH", f"/v1/subscriptions/{made['id']}", moved, key="tw_operator")
        assert answer.status_code == 200
        assert await opens_nothing(notify, link)


async def test_only_what_was_sent_opens(tmp_path: Path, mailbox: Mailbox) -> None:
    """Neither another alert, nor another end, nor a token with one character changed."""
    async with running_notify(tmp_path, smtp_url=mailbox.url) as notify:
        link = await told(notify, mailbox)
        await notify.push(OTHER)
        token = link.removeprefix("/a/")
        raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        id, alert, revision, until = msgspec.msgpack.decode(raw[:-16])
        assert alert == ALERT.id
        others = [(id, OTHER.id, until), (id, alert, until + 1), ("sub_x", alert, until), (f"{id}\0", alert, until)]
        for one, about, end in others:
            said = [one, about, revision, end]
            forged = urlsafe_b64encode(msgspec.msgpack.encode(said) + raw[-16:]).rstrip(b"=").decode()
            assert await opens_nothing(notify, f"/a/{forged}"), said
        for number, letter in enumerate(token):
            changed = token[:number] + ("A" if letter != "A" else "B") + token[number + 1 :]
            assert (await look(notify, f"/a/{changed}")).status_code == 404, number
        for other in (token + "=", token + "A", token[:-1], "x" * 5_000, "%00", "%C3%A9"):
            assert (await look(notify, f"/a/{other}")).status_code == 404, other


async def test_a_link_opens_nothing_else(tmp_path: Path, mailbox: Mailbox) -> None:
    async with running_notify(tmp_path, smtp_url=mailbox.url) as notify:
        token = (await told(notify, mailbox)).removeprefix("/a/")
        for path in (f"/v1/unsubscribe?token={token}", f"/v1/confirm?token={token}", f"/v1/block?token={token}"):
            assert (await look(notify, path)).status_code == 404
        for path in ("/v1/alerts", f"/v1/alerts/{ALERT.id}", f"/v1/alerts/feed.atom?token={token}"):
            assert (await look(notify, path, authorization=f"Bearer {token}")).status_code == 401


async def test_the_links_of_two_recipients_differ(tmp_path: Path, mailbox: Mailbox, receiver: Receiver) -> None:
    async with running_notify(tmp_path, smtp_url=mailbox.url) as notify:
        for name in ("a", "b"):
            channel = {"type": "webhook", "url": receiver.url(f"/{name}"), "format": "slack"}
            await notify.subscribe("tw_operator", **hook(receiver) | {"channel": channel, "verified": True})
            await notify.subscribe("tw_operator", **DESK | {"channel": {"type": "email", "to": f"{name}@example.org"}})
        await notify.push(ALERT)
        sent = [one.message["attachments"][0]["title_link"] for one in receiver.received()]
        mailed = [links(letter)[0] for letter in await mailbox.arrived(2, 5)]
        found = {*(link.removeprefix("https://alerts.example.org") for link in sent), *mailed}
        assert len(found) == 4
        for link in found:
            assert (await look(notify, link)).status_code == 200


async def test_each_alert_of_a_digest_has_its_link(tmp_path: Path, mailbox: Mailbox) -> None:
    async with running_notify(tmp_path, smtp_url=mailbox.url) as notify:
        await notify.subscribe("tw_operator", **DESK | {"mode": {"digest": "PT1H"}})
        await notify.push(ALERT, OTHER)
        await notify.at(2 * 3600)
        (letter,) = await mailbox.arrived(1, 5, "desk@example.org")
        opened = [(await look(notify, f"{link}/json")).json()["id"] for link in links(letter)]
        assert sorted(opened) == sorted([ALERT.id, OTHER.id])


async def test_hostile_text_is_text_and_a_place_without_a_point_has_no_map(tmp_path: Path, mailbox: Mailbox) -> None:
    async with running_notify(tmp_path, smtp_url=mailbox.url) as notify:
        await notify.subscribe("tw_operator", **DESK)
        await notify.push(msgspec.structs.replace(ALERT, place=ResolvedPlace(NASTY), areas=()))
        (letter,) = await mailbox.arrived(1, 5, "desk@example.org")
        page = (await look(notify, links(letter)[0])).text
        assert "<svg" not in page
        assert "The place is not known well enough to be drawn." in page
        assert "<script" not in page
        assert "<b>" not in page
