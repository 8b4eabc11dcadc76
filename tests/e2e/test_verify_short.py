"""The short form of the verifier, as a program: few faults, little load. ``make verify`` is the long one."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.parts.service import ROOT
from tests.verify.__main__ import Result

SHORT = ["--faults", "short", "--seconds", "6", "--rate", "10"]


@pytest.mark.timeout(240)
def test_the_short_form_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    out = tmp_path / "result.json"
    command = [sys.executable, "-m", "tests.verify", *SHORT, "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=230)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    result = msgspec.json.decode(out.read_bytes(), type=Result)
    assert [account.fault for account in result.rounds] == [
        "kill-rules",
        "broker-killed",
        "database-restarted",
        "key-revoked",
    ]
    for account in result.rounds:
        assert account.posted == account.accepted == account.assessed == account.alerted == account.delivered > 0
        assert (account.lost, account.repeated) == ([], [])
    assert result.holds


@pytest.mark.timeout(240)
def test_a_full_disk_a_clock_that_jumps_and_hostile_answers_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    out = tmp_path / "result.json"
    few = ["--faults", "disk-full,clock-jumps,hostile-answers", "--seconds", "4", "--rate", "10", "--out", str(out)]
    command = [sys.executable, "-m", "tests.verify", *few]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=230)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    full, jumps, hostile = msgspec.json.decode(out.read_bytes(), type=Result).rounds
    assert full.put_off > 0, "the disk was not full"
    for account in (full, jumps, hostile):
        assert account.posted == account.accepted == account.assessed == account.alerted == account.delivered > 0
        assert (account.lost, account.repeated) == ([], [])
    assert hostile.redelivered == 0
