"""Headers of one's own and a user in the URL: sent with every message, kept, never shown again."""

from base64 import b64decode
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.own_headers import HIDDEN, fill_in, hide, split_user
from services.notify.domain.subscription import Webhook
from tests.component.notify.running import running_notify
from tests.parts.receiver import Receiver
from tests.unit.notify.samples import ALERT

KEY = "s3cret-api-key"


def with_user(url: str, user: str = "desk:p%40ss") -> str:
    return url.replace("http://", f"http://{user}@")


async def test_headers_and_user_are_sent_with_every_message_and_never_shown(tmp_path: Path, receiver: Receiver) -> None:
    async with running_notify(tmp_path) as notify:
        channel = {"type": "webhook", "url": with_user(receiver.url("/hook")), "headers": {"X-Api-Key": KEY}}
        made = await notify.subscribe(name="desk", channel=channel)
        await notify.push(ALERT)
        sent = receiver.received("/hook")
        assert [message.type for message in sent][-1] == "alert.raised"
        for message in sent:
            assert message.headers["x-api-key"] == KEY
            assert message.headers["authorization"] == "Basic ZGVzazpwQHNz"
        shown = await notify.get(f"/v1/subscriptions/{made['id']}")
        assert shown["channel"] == {
            "type": "webhook",
            "url": with_user(receiver.url("/hook"), HIDDEN),
            "headers": {"X-Api-Key": HIDDEN},
        }
        for path in ("", "/deliveries"):
            answer = await notify.call("GET", f"/v1/subscriptions/{made['id']}{path}")
            assert KEY not in answer.text
            assert "p%40ss" not in answer.text
            assert "ZGVzaz" not in answer.text


async def test_what_is_hidden_stays_when_it_is_sent_back_and_goes_nowhere_else(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with running_notify(tmp_path) as notify:
        channel = {"type": "webhook", "url": with_user(receiver.url("/hook")), "headers": {"X-Api-Key": KEY}}
        made = await notify.subscribe(name="desk", channel=channel)
        path = f"/v1/subscriptions/{made['id']}"
        shown = (await notify.get(path))["channel"]
        same = await notify.call("PATCH", path, {"name": "renamed", "channel": shown})
        assert (same.status_code, same.json()["status"]) == (200, "active")
        await notify.push(ALERT)
        assert receiver.received("/hook")[-1].headers["x-api-key"] == KEY
        elsewhere = {"channel": shown | {"url": "http://***@127.0.0.2:9/hook"}}
        refused = await notify.call("PATCH", path, elsewhere)
        assert refused.status_code == 422
        pointers = {error["pointer"] for error in refused.json()["errors"]}
        assert pointers == {"/channel/url", "/channel/headers/X-Api-Key"}


@pytest.mark.parametrize(
    ("headers", "pointer"),
    [
        ({f"X-{n}": "v" for n in range(11)}, "/channel/headers"),
        ({"Host": "example.org"}, "/channel/headers/Host"),
        ({"Content-Type": "text/plain"}, "/channel/headers/Content-Type"),
        ({"webhook-id": "m"}, "/channel/headers/webhook-id"),
        ({"X A": "v"}, "/channel/headers/X A"),
        ({"X/A~b": "v"}, "/channel/headers/X~1A~0b"),
        ({"": "v"}, "/channel/headers/"),
        ({"X-A": "v\r\nX-B: w"}, "/channel/headers/X-A"),
        ({"X-A": ""}, "/channel/headers/X-A"),
        ({"X-A": " v"}, "/channel/headers/X-A"),
        ({"X-A": "ключ"}, "/channel/headers/X-A"),
        ({"X-A": "v" * 2_001}, "/channel/headers/X-A"),
        ({"X-A": "v", "x-a": "w"}, "/channel/headers/x-a"),
        ({"X-A": HIDDEN}, "/channel/headers/X-A"),
        ({"X~A": HIDDEN}, "/channel/headers/X~0A"),
    ],
)
async def test_headers_that_cannot_be_sent_are_named(tmp_path: Path, headers: dict[str, str], pointer: str) -> None:
    async with running_notify(tmp_path) as notify:
        channel = {"type": "webhook", "url": "http://127.0.0.1:9/hook", "headers": headers}
        answer = await notify.call("POST", "/v1/subscriptions", {"name": "desk", "channel": channel})
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_ten_headers_are_taken_and_a_user_beside_authorization_is_not(tmp_path: Path) -> None:
    async with running_notify(tmp_path) as notify:
        channel = {"type": "webhook", "url": "http://127.0.0.1:9/hook", "headers": {f"X-{n}": "v" for n in range(10)}}
        assert (await notify.call("POST", "/v1/subscriptions", {"name": "ten", "channel": channel})).status_code == 201
        twice = {"type": "webhook", "url": "http://a:b@127.0.0.1:9/", "headers": {"Authorization": "Bearer x"}}
        answer = await notify.call("POST", "/v1/subscriptions", {"name": "two", "channel": twice})
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/channel/headers/Authorization"]


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_user_and_password_come_out_as_basic_authentication(user: str, password: str) -> None:
    user = user.replace(":", "")
    url, authorization = split_user(f"https://{quote(user, safe='')}:{quote(password, safe='')}@example.org/a@b?c=@d")
    assert url == "https://example.org/a@b?c=@d"
    assert authorization is not None
    assert b64decode(authorization.removeprefix("Basic ")).decode() == f"{user}:{password}"


@given(st.dictionaries(st.from_regex(r"[A-Za-z-]{1,8}", fullmatch=True), st.just("v"), max_size=3), st.booleans())
def test_a_channel_sent_back_as_it_is_shown_is_the_same(headers: dict[str, str], has_user: bool) -> None:
    headers = {name.lower(): value for name, value in headers.items()}
    channel = Webhook(f"https://{'a:b@' if has_user else ''}example.org/hook", headers)
    shown = hide(channel)
    again, faults = fill_in(Webhook(shown["url"], shown.get("headers", {})), channel)
    assert (again, faults) == (channel, [])
