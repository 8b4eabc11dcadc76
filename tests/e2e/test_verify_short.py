"""The short form of the verifier, as a program: few faults, little load. ``make verify`` is the long one."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.parts.service import ROOT
from tests.verify.__main__ import Result

pytestmark = pytest.mark.timeout(600)

SHORT = ["--faults", "short", "--seconds", "6", "--rate", "10"]


def test_the_short_form_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    out = tmp_path / "result.json"
    command = [sys.executable, "-m", "tests.verify", *SHORT, "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
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
