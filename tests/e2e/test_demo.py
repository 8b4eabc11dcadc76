"""``trucewatch demo --exit``, as a stranger runs it."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from services.platform.process.lifecycle import bind

ROOT = Path(__file__).parents[2]


async def start(*arguments: str) -> Process:
    command = (sys.executable, "-m", "services", "demo", "--port", "0", *arguments)
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE, stderr=PIPE)


async def test_the_demo_ends_well_once_every_alert_due_has_arrived() -> None:
    demo = await start("--exit", "--pace", "0")
    out, err = await asyncio.wait_for(demo.communicate(), 90)
    told = out.decode()
    assert (demo.returncode, err.decode()) == (0, ""), told
    assert "24 reports: 15 violation, 3 not covered, 4 excluded, 2 undetermined" in told
    assert told.count("→ webhook, signed: alert.raised") == 17
    assert told.count("→ webhook, signed: alert.updated") == 2
    assert told.count("→ webhook, signed: alert.cancelled") == 1
    assert told.count("→ email to") >= 4
    assert "10 reports were judged again" in told
    assert "every one that was due" in told
    for role in ("a monitor", "an operator"):
        assert f"the desk, for {role}: http://127.0.0.1:" in told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_demo_stays_until_it_is_told_to_stop_and_then_stops_at_once(
    number: signal.Signals, tmp_path: Path
) -> None:
    demo = await start("--pace", "0", "--data", str(tmp_path))
    assert demo.stdout is not None
    async with asyncio.timeout(90):
        while b"Ctrl-C ends it" not in await demo.stdout.readline():
            assert not demo.stdout.at_eof()
    demo.send_signal(number)
    assert await asyncio.wait_for(demo.wait(), 5) == 0


async def test_a_taken_port_is_said_in_a_line() -> None:
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        demo = await start("--port", str(taken.getsockname()[1]))
        out, err = await asyncio.wait_for(demo.communicate(), 60)
    assert (demo.returncode, out) == (1, b"")
    assert "--port 0 takes any free port" in err.decode()


async def test_played_twice_on_the_same_storage_nothing_is_due_twice(tmp_path: Path) -> None:
    first = await start("--exit", "--pace", "0", "--data", str(tmp_path))
    await asyncio.wait_for(first.communicate(), 90)
    second = await start("--exit", "--pace", "0", "--data", str(tmp_path))
    out, err = await asyncio.wait_for(second.communicate(), 90)
    assert (first.returncode, second.returncode) == (0, 0), out.decode() + err.decode()
    assert "→ webhook" not in out.decode()
