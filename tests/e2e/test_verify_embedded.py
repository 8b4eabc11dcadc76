"""The verifier's faults of one machine, as a program: few of them, little load."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.parts.service import ROOT
from tests.verify.__main__ import Result

pytestmark = pytest.mark.timeout(600)


def test_a_full_disk_a_clock_that_jumps_and_hostile_answers_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    out = tmp_path / "result.json"
    few = ["--faults", "disk-full,clock-jumps,hostile-answers", "--seconds", "4", "--rate", "10", "--out", str(out)]
    command = [sys.executable, "-m", "tests.verify", *few]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    full, jumps, hostile = msgspec.json.decode(out.read_bytes(), type=Result).rounds
    assert full.put_off > 0, "the disk was not full"
    for account in (full, jumps, hostile):
        assert account.posted == account.accepted == account.assessed == account.alerted == account.delivered > 0
        assert (account.lost, account.repeated) == ([], [])
    assert hostile.redelivered == 0
