"""Putting a process together while the world is not ready: a start that fails leaves nothing behind."""

import asyncio
import gc
from pathlib import Path

import aiohttp
import pytest

from services.app import BUILDERS, assemble
from services.platform.failures import RetryLaterError
from services.platform.process.runtime import Runtime, Service
from services.platform.settings.config import Settings, embedded_url, normal_url
from tests.component.assembled import end
from tests.parts.kafka import Kafka
from tests.parts.postgres import Postgres


async def not_yet(_runtime: Runtime) -> Service:
    raise RetryLaterError("the log is away")


async def test_a_start_that_fails_leaves_no_reader_behind_and_keeps_the_first_key_for_the_next(
    kafka: Kafka, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres.database() as uri:
        settings = Settings(normal_url(uri), "http://trucewatch.test", kafka=kafka.bootstrap, secret_keys=(b"k" * 32,))
        with monkeypatch.context() as patch:
            patch.setitem(BUILDERS, "notify", not_yet)
            with pytest.raises(RetryLaterError):
                await assemble(settings, ["rules", "notify"])
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assembly = await assemble(settings, ["rules", "notify"])
        assert assembly.first_key is not None
        assert assembly.runtime.keys.find(assembly.first_key) is not None
        await end(assembly)


def sessions() -> set[aiohttp.ClientSession]:
    """All that are open in this process."""
    return {one for one in gc.get_objects() if isinstance(one, aiohttp.ClientSession) and not one.closed}


async def test_a_start_that_fails_leaves_no_session_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(embedded_url(tmp_path), "http://trucewatch.test", secret_keys=(b"k" * 32,))
    monkeypatch.setitem(BUILDERS, "notify", not_yet)
    before = sessions()
    with pytest.raises(RetryLaterError):
        await assemble(settings, list(BUILDERS))
    assert sessions() - before == set()
