"""The 1,509 events of the UCDP file, replayed as a partner would: not one error, and nothing alerts that must not."""

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.parts.service import ROOT, Service
from tests.scenario import OPERATOR_KEY, SCENARIO, bearer

UCDP = SCENARIO / "ucdp_ged_20160220_20160601.csv"
EXCLUDED = {"isis", "nusra"}


def trucewatch(url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "TRUCEWATCH_URL": url, "TRUCEWATCH_KEY": OPERATOR_KEY, "COLUMNS": "200"}
    command = [sys.executable, "-m", "services", *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=110)


def every(client: httpx.Client, path: str) -> Iterator[dict[str, Any]]:
    """All items of a list, page by page."""
    after = ""
    while True:
        answer = client.get(path, params={"limit": 1000, **({"after": after} if after else {})})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        yield from page["items"]
        if not page["has_more"]:
            return
        after = page["next"]


def only_excluded(side: list[dict[str, Any]]) -> bool:
    return bool(side) and all(({p["party"], *p["coalitions"]} & EXCLUDED) for p in side)


def test_the_ucdp_file_replays_without_error_and_no_excluded_group_alerts(tmp_path: Path) -> None:
    env = {"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY}
    with Service("serve", ["serve", "--data", str(tmp_path / "data")], tmp_path, env) as service:
        loaded = trucewatch(service.url, "registry", "load", str(SCENARIO / "registry.yaml"))
        assert loaded.returncode == 0, loaded.stderr
        replayed = trucewatch(service.url, "replay", "--ucdp", "--wait", str(UCDP))
        assert replayed.returncode == 0, replayed.stdout + replayed.stderr
        print(replayed.stdout)
        with httpx.Client(base_url=service.url, headers=bearer(), timeout=60) as client:
            assessed = {a["incident_id"]: a for a in every(client, "/v1/assessments")}
            alerted = {a["incident_id"] for a in every(client, "/v1/alerts")}
            incidents = {i["external_id"]: i["incident_id"] for i in every(client, "/v1/incidents")}

    rows = {f"ucdp-{row['id']}": row for row in csv.DictReader(UCDP.read_text().splitlines(keepends=True))}
    assert len(rows) == len(assessed) == 1509
    for external_id, row in rows.items():
        assessment = assessed[incidents[external_id]]
        if only_excluded(assessment["perpetrators"]) or only_excluded(assessment["targets"]):
            assert incidents[external_id] not in alerted, (external_id, row["side_a"], row["side_b"])
    of_isis = [e for e, row in rows.items() if "IS" in (row["side_a"], row["side_b"])]
    assert len(of_isis) > 500
    assert not alerted & {incidents[external_id] for external_id in of_isis}
    assert alerted == {
        i for i, a in assessed.items() if a["verdict"] in ("violation", "undetermined") and not a["aggregate"]
    }
