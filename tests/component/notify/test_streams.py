"""Streams are counted per owner before they are accepted, and no longer once they ended, however they ended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from services.notify.domain.limits import Limits
from services.notify.http.stream import MOST_STREAMS, Tail, TooManyStreamsError
from tests.component.notify.running import RunningNotify, running_notify

MOST_OF_OWNER = Limits().streams


@dataclass
class Reader:
    """One request for the stream, whose bytes are read until it is let go. ``gone``: sending to it fails."""

    notify: RunningNotify
    key: str = "tw_monitor"
    query: str = ""
    gone: bool = False
    status: int = 0
    began: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        headers = [] if self.query else [(b"authorization", f"Bearer {self.key}".encode())]
        scope = {
            "type": "http", "asgi": {"spec_version": "2.4"}, "method": "GET", "path": "/v1/alerts/stream",
            "headers": headers, "query_string": self.query.encode(), "http_version": "1.1", "scheme": "https",
        }  # fmt: skip
        app: Any = self.notify.api._transport.app  # type: ignore[attr-defined]
        await app(scope, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def _send(self, message: dict[str, Any]) -> None:
        if self.gone:
            raise OSError("the client is gone")
        self.status = message.get("status", self.status)
        self.began.set()


@asynccontextmanager
async def reading(*readers: Reader) -> AsyncIterator[None]:
    """All at once, each until it has an answer; let go at the end."""
    tasks = [asyncio.create_task(reader.run()) for reader in readers]
    async with asyncio.timeout(60):
        await asyncio.gather(*(reader.began.wait() for reader in readers))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_of_many_opened_at_once_by_one_owner_only_so_many_are_accepted(tmp_path: Path) -> None:
    async with running_notify(tmp_path) as notify:
        token = (await notify.call("POST", "/v1/feed-tokens")).json()["token"]
        mine = [Reader(notify, query=f"token={token}" if n % 2 else "") for n in range(MOST_OF_OWNER + 5)]
        other = Reader(notify, "tw_other")
        tail: Tail = notify.service.state["tail"]
        async with reading(*mine, other):
            assert sorted(reader.status for reader in mine) == [200] * MOST_OF_OWNER + [429] * 5
            assert other.status == 200
            assert tail.streams == MOST_OF_OWNER + 1
        assert tail.streams == 0
        async with reading(again := Reader(notify)):
            assert again.status == 200


async def test_one_whose_client_went_before_the_first_byte_is_counted_no_longer(tmp_path: Path) -> None:
    async with running_notify(tmp_path) as notify:
        for _ in range(MOST_OF_OWNER + 1):
            with pytest.raises(Exception):  # noqa: B017 - whatever the framework makes of it
                await Reader(notify, gone=True).run()
        assert notify.service.state["tail"].streams == 0


async def test_a_stream_that_is_refused_for_its_cursor_is_not_counted(tmp_path: Path) -> None:
    async with running_notify(tmp_path) as notify:
        for _ in range(MOST_OF_OWNER + 1):
            async with reading(reader := Reader(notify, query="token=x")):
                assert reader.status == 401
            assert (await notify.call("GET", "/v1/alerts/stream?after=x")).status_code == 400
        assert notify.service.state["tail"].streams == 0


def test_a_process_serves_only_so_many_in_all() -> None:
    tail = Tail(MOST_OF_OWNER)
    for n in range(MOST_STREAMS):
        tail.enter(f"owner {n}")
    with pytest.raises(TooManyStreamsError) as full:
        tail.enter("one more")
    assert not full.value.own
    tail.leave("owner 0")
    tail.enter("one more")
