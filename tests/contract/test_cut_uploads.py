"""A client that goes in the middle of its body is no fault of ours: nothing is logged as one."""

import asyncio
import logging
from pathlib import Path

import pytest

from services.app import BUILDERS, assemble
from services.platform.http.connections import EdgeLimits
from services.platform.process.lifecycle import bind, run
from services.platform.settings.config import embedded_url, read_settings
from tests.scenario import OPERATOR_KEY


@pytest.mark.parametrize("path", ["/v1/incidents", "/v1/evaluate", "/v1/registry", "/v1/subscriptions"])
async def test_a_body_that_is_cut_or_too_slow_is_not_logged_as_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    settings = read_settings(
        {"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY}, database_url=embedded_url(tmp_path), host="127.0.0.1", port=0
    )
    assembly = await assemble(settings, tuple(BUILDERS))
    method = "PUT" if path == "/v1/registry" else "POST"
    head = (
        f"{method} {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {OPERATOR_KEY}\r\n"
        "content-type: application/json\r\ncontent-length: 1000\r\n\r\n{"
    ).encode()
    stop, ready = asyncio.Event(), asyncio.Event()
    with caplog.at_level(logging.WARNING), bind("127.0.0.1", 0) as listener:
        limits = EdgeLimits(grace_s=0.2, sweep_s=0.05)
        serving = asyncio.create_task(
            run(assembly.asgi, listener, assembly.services, stop=stop, on_ready=ready.set, limits=limits)
        )
        await ready.wait()
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.getsockname()[1])
        writer.write(head)
        answer = await reader.read()
        writer.close()
        stop.set()
        await serving
    await assembly.runtime.bus.close()
    await assembly.runtime.database.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
