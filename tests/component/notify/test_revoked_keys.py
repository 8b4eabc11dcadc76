"""A key that was revoked or has expired ends what it opened: feeds, tokens, streams."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from schemas.events import KeyChanged
from services.platform.security.keys import KeyRing, hash_secret
from tests.component.notify.running import RunningNotify, running_notify
from tests.fakes import DrivenClock

MADE = "2016-01-01T00:00:00Z"
KEY = KeyChanged("m1", "desk-a", "monitor", hash_secret("tw_monitor"), MADE)


@pytest.fixture
async def notify(tmp_path: Path) -> AsyncIterator[RunningNotify]:
    async with running_notify(tmp_path) as opened:
        yield opened


def revoke(notify: RunningNotify) -> None:
    notify.runtime.keys.apply(msgspec.structs.replace(KEY, revoked_at="2016-05-08T12:00:00Z"))


async def test_a_feed_token_is_refused_once_its_owner_has_no_valid_key(notify: RunningNotify) -> None:
    token = (await notify.call("POST", "/v1/feed-tokens")).json()["token"]
    feed = f"/v1/alerts/feed.atom?token={token}"
    assert (await notify.call("GET", feed, key=None)).status_code == 200
    revoke(notify)
    assert (await notify.call("GET", feed, key=None)).status_code == 401
    assert (await notify.call("GET", f"/v1/alerts/stream?token={token}", key=None)).status_code == 401


async def test_a_feed_token_survives_the_rotation_of_its_owners_key(notify: RunningNotify) -> None:
    token = (await notify.call("POST", "/v1/feed-tokens")).json()["token"]
    notify.runtime.keys.apply(KeyChanged("m9", "desk-a", "monitor", hash_secret("tw_new"), MADE))
    revoke(notify)
    assert (await notify.call("GET", f"/v1/alerts/feed.atom?token={token}", key=None)).status_code == 200


@pytest.mark.parametrize("query", [False, True], ids=["key", "token"])
async def test_an_open_stream_ends_when_its_key_is_revoked(notify: RunningNotify, query: bool) -> None:
    token = (await notify.call("POST", "/v1/feed-tokens")).json()["token"]
    sent = b""

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        nonlocal sent
        body = message.get("body", b"")
        assert isinstance(body, bytes)
        sent += body
        if body:
            revoke(notify)

    app = notify.api._transport.app  # type: ignore[attr-defined]
    headers = [] if query else [(b"authorization", b"Bearer tw_monitor")]
    scope = {
        "type": "http", "asgi": {"spec_version": "2.4"}, "method": "GET", "path": "/v1/alerts/stream",
        "headers": headers, "query_string": f"token={token}".encode() if query else b"", "http_version": "1.1",
        "scheme": "https",
    }  # fmt: skip
    await app(scope, receive, send)
    assert re.fullmatch(rb"retry: 2000\nid: [\w-]+\n\n", sent)


async def test_a_ring_knows_owners_by_the_keys_that_count_now() -> None:
    clock = DrivenClock()
    keys = KeyRing(clock)
    keys.apply(msgspec.structs.replace(KEY, expires_at="2016-05-08T12:00:10Z"))
    assert keys.has_owner("desk-a", ("monitor",))
    assert not keys.has_owner("desk-a", ("partner",))
    await clock.advance(10)
    assert not keys.has_owner("desk-a", ("monitor",))
