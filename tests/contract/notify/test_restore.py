"""Back up, go on, restore: readers are told where to begin, and nothing is sent until an operator says so."""

import sqlite3
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services.cli.backup import back_up, put_back, tell_restored
from services.notify.sql.generations import MARK_SUFFIX
from services.platform.settings.config import DATABASE_FILE, SettingsError, embedded_url, normal_url
from tests.component.notify.running import RunningNotify, revised, running_notify
from tests.parts.postgres import Postgres, binaries
from tests.parts.receiver import Answer, Receiver
from tests.unit.notify.samples import ALERT


def hook(receiver: Receiver) -> dict[str, Any]:
    return {"name": "Desk", "channel": {"type": "webhook", "url": receiver.url()}}


@asynccontextmanager
async def started(data: Path, url: str | None = None) -> AsyncIterator[RunningNotify]:
    async with running_notify(data, url=url or embedded_url(data)) as notify:
        await notify.settle()
        yield notify


async def add(notify: RunningNotify, *names: str) -> str:
    """Alerts of these names; returns the cursor after them."""
    await notify.push(*(revised(ALERT, 1, id=name, status="raised") for name in names))
    await notify.settle()
    found: str = (await notify.get("/v1/alerts"))["next"]
    return found


async def read(notify: RunningNotify, after: str) -> tuple[int, Any]:
    answer = await notify.call("GET", f"/v1/alerts?after={after}")
    return answer.status_code, answer.json()


def told(receiver: Receiver) -> list[str]:
    return [d.message["data"]["id"] for d in receiver.received("/hook")]


async def test_a_restored_file_answers_410_with_where_to_begin_and_holds_until_released(
    tmp_path: Path, receiver: Receiver
) -> None:
    data, file = tmp_path / "data", tmp_path / "backup.db"
    data.mkdir()
    async with started(data) as notify:
        await notify.subscribe(**hook(receiver))
        early = await add(notify, "a")
        receiver.answer("/hook", Answer(status=503))
        await add(notify, "b")
        back_up(data, file)
        receiver.answer("/hook", Answer())
        late = await add(notify, "c", "d")
    assert put_back(data, file) is not None
    async with started(data) as notify:
        assert (await read(notify, early))[0] == 200
        status, problem = await read(notify, late)
        assert (status, problem["type"]) == (410, "restored-log")
        await add(notify, "e", "f")
        assert (await read(notify, late))[0] == 410
        status, page = await read(notify, problem["begin"])
        assert (status, [alert["id"] for alert in page["items"]]) == (200, ["e", "f"])
        stream = await notify.api.get(
            "/v1/alerts/stream", headers={"authorization": "Bearer tw_monitor", "last-event-id": late}
        )
        assert (stream.status_code, stream.json()["begin"]) == (410, problem["begin"])
        before = told(receiver)
        await notify.at(3600)
        assert told(receiver) == before
        assert notify.service.status()["state"] == "degraded"
        assert "/v1/restore/release" in notify.service.status()["detail"]
        assert (await notify.call("POST", "/v1/restore/release")).status_code == 403
        assert (await notify.get("/v1/restore", key="tw_operator"))["deliveries"] == "held"
        released = await notify.call("POST", "/v1/restore/release", key="tw_operator")
        assert released.json()["deliveries"] == "sent"
        await notify.at(1)
        assert sorted(told(receiver)[len(before) :]) == ["b", "e", "f"]
    async with started(data) as notify:
        assert (await notify.get("/v1/restore", key="tw_operator"))["deliveries"] == "sent"
        assert notify.service.status()["state"] == "ok"


async def test_starting_again_after_a_stop_or_a_kill_restores_nothing(tmp_path: Path) -> None:
    async with started(tmp_path) as notify:
        cursor = await add(notify, "a")
        generation = (await notify.get("/v1/restore", key="tw_operator"))["generation"]
        # As a kill leaves it: the log has grown and the file beside it was not told.
        mark = Path(f"{tmp_path / DATABASE_FILE}{MARK_SUFFIX}")
        kept = mark.read_bytes()  # noqa: ASYNC240 - a few bytes
        await add(notify, "b")
    mark.write_bytes(kept)  # noqa: ASYNC240
    for _ in range(2):
        async with started(tmp_path) as notify:
            status, page = await read(notify, cursor)
            assert (status, [alert["id"] for alert in page["items"]]) == (200, ["b"])
            assert (await notify.get("/v1/restore", key="tw_operator")) == {
                "generation": generation, "restored_at": None, "deliveries": "sent", "waiting": 0,
            }  # fmt: skip


@pytest.mark.parametrize("to", ["over it", "elsewhere"])
async def test_a_copy_made_by_sqlite_alone_is_recognised(tmp_path: Path, to: str) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    data.mkdir()
    elsewhere.mkdir()
    async with started(data) as notify:
        await add(notify, "a")
        with closing(sqlite3.connect(data / DATABASE_FILE)) as old, closing(sqlite3.connect(tmp_path / "b")) as new:
            old.backup(new)
        late = await add(notify, "b")
    target = data if to == "over it" else elsewhere
    for file in target.glob(f"{DATABASE_FILE}-*"):
        file.unlink()
    (tmp_path / "b").replace(target / DATABASE_FILE)
    async with started(target) as notify:
        assert (await read(notify, late))[0] == 410
        assert (await notify.get("/v1/restore", key="tw_operator"))["deliveries"] == "held"


async def test_a_position_beyond_the_end_of_the_log_is_lost_also_where_no_restore_was_seen(tmp_path: Path) -> None:
    async with started(tmp_path) as notify:
        await add(notify, "a")
        beyond = notify.service.state["reader"].positions.encode(7)
        status, problem = await read(notify, beyond)
        assert (status, (await read(notify, problem["begin"]))[1]["items"]) == (410, [])


async def test_a_whole_machine_that_was_put_back_is_said_to_be(database_url: str, tmp_path: Path) -> None:
    async with started(tmp_path, database_url) as notify:
        cursor = await add(notify, "a")
    await tell_restored(database_url)
    async with started(tmp_path, database_url) as notify:
        assert (await read(notify, cursor))[0] == 200
        assert (await notify.get("/v1/restore", key="tw_operator"))["deliveries"] == "held"


@dataclass
class Dump:
    path: Path

    def make(self, uri: str) -> None:
        self._run("pg_dump", "--format=custom", f"--file={self.path}", uri)

    def put_back(self, uri: str) -> None:
        self._run("pg_restore", "--clean", "--if-exists", "--no-owner", f"--dbname={uri}", str(self.path))

    def _run(self, tool: str, *arguments: str) -> None:
        subprocess.run([binaries() / tool, *arguments], check=True, timeout=60)


async def test_pg_restore_is_recognised_and_one_process_tells_the_other(
    postgres: Postgres, tmp_path: Path, receiver: Receiver
) -> None:
    with postgres.database() as uri:
        url, dump = normal_url(uri), Dump(tmp_path / "dump")
        async with started(tmp_path, url) as notify:
            await notify.subscribe(**hook(receiver))
            await add(notify, "a")
            dump.make(uri)
            late = await add(notify, "b")
        dump.put_back(uri)
        async with started(tmp_path, url) as notify, started(tmp_path, url) as other:
            status, problem = await read(notify, late)
            assert (status, await read(other, late)) == (410, (410, problem))
            await add(other, "c")
            assert told(receiver) == ["a", "b"]
            await other.call("POST", "/v1/restore/release", key="tw_operator")
            await notify.at(1)
            await notify.at(1)
            assert told(receiver) == ["a", "b", "c"]


async def test_what_is_no_backup_is_refused_and_nothing_is_overwritten(tmp_path: Path) -> None:
    async with started(tmp_path) as notify:
        await add(notify, "a")
    whole = (tmp_path / DATABASE_FILE).read_bytes()
    bad = tmp_path / "bad.db"
    for content in (b"", b"no database at all" * 500, whole[: len(whole) // 2]):
        bad.write_bytes(content)
        with pytest.raises(SettingsError):
            put_back(tmp_path, bad)
    assert (tmp_path / DATABASE_FILE).read_bytes() == whole
    with pytest.raises(SettingsError):
        back_up(tmp_path, bad)
    with pytest.raises(SettingsError):
        back_up(tmp_path / "nowhere", tmp_path / "new.db")
    back_up(tmp_path, tmp_path / "new.db")
    assert (tmp_path / "new.db").stat().st_mode & 0o777 == 0o600
