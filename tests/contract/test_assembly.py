"""Putting a process together while the world is not ready: a start that fails leaves nothing behind."""

import asyncio

import pytest

from services.app import BUILDERS, Assembly, assemble
from services.shared.config import Settings, normal_url
from services.shared.failures import RetryLaterError
from services.shared.runtime import Runtime, Service
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


async def end(assembly: Assembly) -> None:
    for service in assembly.services:
        for ending in service.stop:
            await ending()
    await assembly.runtime.bus.close()
    await assembly.runtime.database.close()
