"""An import that is killed in the middle is run again: nothing is lost, nothing is taken twice."""

import csv
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.e2e.test_ucdp import every, trucewatch
from tests.parts.service import ROOT, Service
from tests.scenario import OPERATOR_KEY, SCENARIO, bearer

ROWS: Final = 5_000


def write_table(file: Path) -> None:
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["external_id", "occurred", "act", "location.place", "source.name", "description"])
        for number in range(ROWS):
            row = f"row-{number}", "2016-05-08T10:00:00+03:00", "shelling", "Aleppo", "Desk", "Said at length. " * 20
            writer.writerow(row)


@pytest.mark.timeout(600)
def test_a_killed_import_is_run_again_and_loses_and_doubles_nothing(tmp_path: Path) -> None:
    file = tmp_path / "reports.csv"
    write_table(file)
    env = {"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY}
    with (
        Service("serve", ["serve", "--data", str(tmp_path / "data")], tmp_path, env) as service,
        httpx.Client(base_url=service.url, headers=bearer(), timeout=60) as client,
    ):
        command = [sys.executable, "-m", "services", "import", str(file), "--url", service.url, "--key", OPERATOR_KEY]
        assert trucewatch(service.url, "registry", "load", str(SCENARIO / "registry.yaml")).returncode == 0
        first = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while first.poll() is None and not client.get("/v1/incidents?limit=1").json()["items"]:
            pass
        first.kill()
        first.wait()
        taken = len(rows_of(client))
        assert 0 < taken < ROWS, "it was to be killed in the middle"

        again = trucewatch(service.url, "import", str(file))
        assert again.returncode == 0, again.stderr
        # The server may still have been taking what had reached it when the import was killed.
        accepted = int(re.search(r"^([\d,]+) accepted", again.stdout, re.MULTILINE)[1].replace(",", ""))  # type: ignore[index]
        assert 0 < accepted <= ROWS - taken, again.stdout
        found = rows_of(client)
        assert sorted(found) == sorted(f"row-{number}" for number in range(ROWS))
        assert set(found.values()) == {1}
        assert "\n0 accepted" in "\n" + trucewatch(service.url, "import", str(file)).stdout


def rows_of(client: httpx.Client) -> dict[str, Any]:
    """The revision of each report that was taken; none is there twice."""
    items = [(one["external_id"], one["revision"]) for one in every(client, "/v1/incidents")]
    assert len(dict(items)) == len(items)
    return dict(items)
